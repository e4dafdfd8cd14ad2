//! The endpoints of a login: set by hand, or named by the issuer's metadata (RFC 8414, OpenID Connect Discovery 1.0).

use http::{StatusCode, Uri};
use serde::Deserialize;

use super::error::{LoginError, LoginErrorKind, in_trouble};
use super::http::{Http, get};
use crate::config::OAuthServer;
use crate::credentials::origin::{Shown, parse_endpoint};

/// The grant of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grant {
    Code,
    Device,
}

#[derive(Clone)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Endpoints {
    pub(super) issuer: Option<String>,
    /// Whether the server says that each of its authorization responses names the issuer (RFC 9207 section 3).
    pub(super) names_issuer: bool,
    pub(super) token: Uri,
    /// The authorization endpoint, or the device authorization endpoint.
    pub(super) start: Uri,
    pub(super) userinfo: Option<Uri>,
}

/// Finds the endpoints for this grant. Those that are set by hand take precedence; the metadata is read only if one is
/// missing.
pub(super) async fn find(
    server: &OAuthServer,
    userinfo_url: Option<&str>,
    grant: Grant,
    http: &Http,
) -> Result<Endpoints, LoginError> {
    server.validate().map_err(|error| LoginError::settings(&error))?;
    let (start_key, start_url) = match grant {
        Grant::Code => ("authorizationUrl", server.authorization_url.as_deref()),
        Grant::Device => ("deviceAuthorizationUrl", server.device_authorization_url.as_deref()),
    };
    let metadata = match &server.issuer {
        Some(issuer) if server.token_url.is_none() || start_url.is_none() => fetch(issuer, http).await?,
        _ => Metadata::default(),
    };
    let (start_field, start_found) = match grant {
        Grant::Code => ("authorization_endpoint", metadata.authorization_endpoint.as_deref()),
        Grant::Device => ("device_authorization_endpoint", metadata.device_authorization_endpoint.as_deref()),
    };
    if grant == Grant::Code
        && metadata.code_challenge_methods_supported.as_ref().is_some_and(|all| !all.iter().any(|m| m == "S256"))
    {
        return Err(LoginError::config(
            "issuer: the server supports PKCE without S256 only, which does not protect a login on this machine",
        ));
    }
    let plain_http = server.issuer.as_deref().is_some_and(|issuer| issuer.starts_with("http:"));
    let named = |field: &str, url: &str| named(field, url, plain_http);
    let choose = |key: &str, by_hand: Option<&str>, field: &str, found: Option<&str>| match (by_hand, found) {
        (Some(url), _) => by_hand_url(key, url),
        (None, Some(url)) => named(field, url),
        (None, None) => Err(missing(key, server.issuer.is_some())),
    };
    Ok(Endpoints {
        issuer: server.issuer.clone(),
        names_issuer: metadata.authorization_response_iss_parameter_supported,
        token: choose("tokenUrl", server.token_url.as_deref(), "token_endpoint", metadata.token_endpoint.as_deref())?,
        start: choose(start_key, start_url, start_field, start_found)?,
        userinfo: match (userinfo_url, &metadata.userinfo_endpoint) {
            (Some(url), _) => Some(by_hand_url("userinfo URL", url)?),
            (None, Some(url)) => Some(named("userinfo_endpoint", url)?),
            (None, None) => None,
        },
    })
}

/// The server, with its missing endpoints taken from the metadata.
pub(super) async fn filled_in(server: &OAuthServer, http: &Http) -> Result<OAuthServer, LoginError> {
    server.validate().map_err(|error| LoginError::settings(&error))?;
    let mut server = server.clone();
    let Some(issuer) = &server.issuer else { return Ok(server) };
    let metadata = fetch(issuer, http).await?;
    let plain_http = issuer.starts_with("http:");
    for (url, field, found) in [
        (&mut server.token_url, "token_endpoint", metadata.token_endpoint),
        (&mut server.authorization_url, "authorization_endpoint", metadata.authorization_endpoint),
        (&mut server.device_authorization_url, "device_authorization_endpoint", metadata.device_authorization_endpoint),
    ] {
        if let (None, Some(found)) = (&url, found) {
            *url = Some(named(field, &found, plain_http)?.to_string());
        }
    }
    Ok(server)
}

fn missing(key: &str, asked: bool) -> LoginError {
    LoginError::config(if asked {
        format!("{key}: the issuer's metadata does not name it; set it by hand, or log in the other way")
    } else {
        format!("{key}: must be set for this login, or issuer in its place")
    })
}

fn by_hand_url(key: &str, url: &str) -> Result<Uri, LoginError> {
    parse_endpoint(key, url).map_err(|error| LoginError::settings(&error))
}

/// An endpoint that the metadata names. Plain `http` is refused unless the issuer itself is on this machine.
fn named(field: &str, url: &str, plain_http: bool) -> Result<Uri, LoginError> {
    let uri = parse_endpoint(field, url).map_err(|error| {
        LoginError::untrusted(format!("the issuer's metadata names an endpoint that must not be used: {error}"))
    })?;
    if !plain_http && uri.scheme_str() != Some("https") {
        return Err(LoginError::untrusted(format!(
            "the issuer's metadata names an endpoint that must not be used: {field} is not https"
        )));
    }
    Ok(uri)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    code_challenge_methods_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: bool,
}

async fn fetch(issuer: &str, http: &Http) -> Result<Metadata, LoginError> {
    for uri in well_known(issuer)? {
        let unreachable =
            || LoginError::new(LoginErrorKind::Unreachable, "issuer: its metadata could not be read for now");
        let reply = http.send(get(uri)).await.map_err(|error| unreachable().with_source(error))?;
        if in_trouble(reply.status) {
            return Err(unreachable().with_status(reply.status));
        }
        // A server without this document may answer with a page and status 200 instead of a 404.
        if reply.status == StatusCode::OK
            && let Ok(metadata) = serde_json::from_slice::<Metadata>(&reply.body)
        {
            return of_issuer(metadata, issuer);
        }
    }
    Err(LoginError::config(
        "issuer: there is no metadata under /.well-known/oauth-authorization-server or /.well-known/openid-configuration; \
         set tokenUrl and authorizationUrl or deviceAuthorizationUrl by hand",
    ))
}

/// Refuses metadata of another issuer (RFC 8414 section 3.3).
fn of_issuer(metadata: Metadata, issuer: &str) -> Result<Metadata, LoginError> {
    if metadata.issuer == issuer {
        return Ok(metadata);
    }
    let found: String = metadata.issuer.chars().take(200).collect();
    let (found, issuer) = (Shown(&found), Shown(issuer));
    Err(LoginError::untrusted(format!("issuer: the metadata is that of {found}, not of {issuer} as it must be")))
}

/// The two URLs at which metadata can be. RFC 8414 section 3.1 puts the well-known part before the issuer's path,
/// OpenID Connect after it.
fn well_known(issuer: &str) -> Result<[Uri; 2], LoginError> {
    let uri = by_hand_url("issuer", issuer)?;
    let path = uri.path().trim_end_matches('/');
    let at = |path: String| {
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(path.parse().map_err(|_| LoginError::config("issuer: its path is malformed"))?);
        Uri::from_parts(parts).map_err(|_| LoginError::config("issuer: its path is malformed"))
    };
    Ok([
        at(format!("/.well-known/oauth-authorization-server{path}"))?,
        at(format!("{path}/.well-known/openid-configuration"))?,
    ])
}

#[cfg(test)]
mod tests;
