// A real OAuth server for tests/refresh/oidc_provider.rs: node oidc-provider, with rotating refresh tokens and detection of their reuse.
// It listens on a free port of this machine, which it prints as "READY http://127.0.0.1:PORT", tells its events line by line
// as "EVENT name details", and ends when its standard input does.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const tell = (...words) => process.stdout.write(`${words.join(' ')}\n`);

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'marathon-tests',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    redirect_uris: ['http://127.0.0.1/callback'],
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  }],
  cookies: { keys: ['for tests on this machine only'] },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: { AccessToken: 60, RefreshToken: 3600, DeviceCode: 600, Grant: 3600, Session: 3600, Interaction: 600, IdToken: 600 },
  claims: { openid: ['sub'], email: ['email'] },
  conformIdTokenClaims: false,
  scopes: ['openid', 'offline_access', 'email'],
  features: { devInteractions: { enabled: true }, deviceFlow: { enabled: true } },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.com` }) }),
});

for (const name of ['grant.revoked', 'refresh_token.saved', 'refresh_token.consumed']) {
  provider.on(name, () => tell('EVENT', name));
}
provider.on('grant.success', (ctx) => tell('EVENT', 'grant.success', ctx.oidc.params.grant_type));
provider.on('grant.error', (ctx, error) => tell('EVENT', 'grant.error', error.error));

server.on('request', provider.callback());
// Connections that a client keeps for later must not keep this process.
process.stdin.on('close', () => process.exit(0)).resume();
tell('READY', issuer);
