//! The command `config check`.

use oauth_marathon::config::{OAuthServer, OpencodeConfig};

use super::args;
use super::context::Context;
use super::failure::Failure;
use super::terminal::text::line;

pub(super) fn run(context: &Context, args: &args::Check) -> Result<(), Failure> {
    let config = OpencodeConfig::read(&args.file)?;
    let mut lines = vec![format!("{}: no mistakes", args.file.display())];
    for (provider, oauth) in config.providers() {
        lines.push(format!("  {}: {}", line(provider), abilities(&oauth.server)));
    }
    if config.providers().next().is_none() {
        lines.push("  no provider has an \"oauth\" object, so there are no settings of ours in it".to_owned());
    }
    context.terminal.say(&lines.join("\n"))
}

/// What a server's settings allow: logging in, refreshing.
fn abilities(server: &OAuthServer) -> String {
    let issuer = server.issuer.is_some();
    let endpoint = |url: &Option<String>| issuer || url.is_some();
    let token = endpoint(&server.token_url) && server.client_id.is_some();
    let able = [
        (token, "refresh"),
        (token && endpoint(&server.authorization_url), "log in through the browser"),
        (token && endpoint(&server.device_authorization_url), "log in on another device"),
    ];
    let able: Vec<_> = able.into_iter().filter(|(able, _)| *able).map(|(_, what)| what).collect();
    if able.is_empty() { "settings only; no OAuth server".to_owned() } else { format!("enough to {}", able.join(", ")) }
}
