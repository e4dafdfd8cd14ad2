//! Origins (RFC 6454): the scheme, host and port that a credential may be sent to.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

use crate::error::Error;

/// A scheme, host and port, with the scheme's usual port left out.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    https: bool,
    host: Box<str>,
    port: u16,
    /// `host` or `host:port`, as most requests write it.
    authority: Box<str>,
}

impl Origin {
    /// Reads an origin as a person writes it; `place` names where it was written.
    pub(crate) fn parse(place: &str, text: &str) -> Result<Self, Error> {
        let (origin, path) = parse_url(place, text)?;
        if path.path() != "/" || path.query().is_some() {
            return Err(Error::config(format!(
                "{place}: {} has a path or a query; an origin is a scheme, a host and a port: write \"{origin}\"",
                Shown(text)
            )));
        }
        Ok(origin)
    }

    /// The origin of an absolute `http` or `https` URI.
    pub(crate) fn of(uri: &Uri) -> Option<Self> {
        let https = is_https(uri.scheme()?)?;
        let authority = uri.authority()?;
        let default_port = default_port(https);
        let port = port_of(authority, https)?;
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() {
            return None;
        }
        let authority = if port == default_port { host.clone() } else { format!("{host}:{port}") };
        Some(Self { https, host: host.into(), port, authority: authority.into() })
    }

    /// Whether `uri` has this origin.
    #[inline]
    pub(crate) fn matches(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else { return false };
        if is_https(scheme) != Some(self.https) {
            return false;
        }
        authority.as_str() == &*self.authority || self.matches_unusual(authority)
    }

    /// Whether it is the same host with other letter case, or with the usual port written out.
    #[cold]
    fn matches_unusual(&self, authority: &Authority) -> bool {
        port_of(authority, self.https) == Some(self.port) && authority.host().eq_ignore_ascii_case(&self.host)
    }

    /// Whether the host is this machine.
    fn is_loopback(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.https { "https" } else { "http" }, self.authority)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A URL that requests are moved to: an origin, and a path that is put before theirs.
#[derive(Debug, Clone)]
pub(crate) struct BaseUrl {
    pub(crate) origin: Origin,
    scheme: Scheme,
    authority: Authority,
    prefix: Box<str>,
}

impl BaseUrl {
    pub(crate) fn parse(place: &str, text: &str) -> Result<Self, Error> {
        let (origin, path) = parse_url(place, text)?;
        if path.query().is_some() {
            return Err(Error::config(format!("{place}: {} has a query; a base URL ends with its path", Shown(text))));
        }
        let authority = origin.authority.parse().map_err(|source| {
            Error::config(format!("{place}: {} has no valid host", Shown(text))).with_source(http::Error::from(source))
        })?;
        let scheme = if origin.https { Scheme::HTTPS } else { Scheme::HTTP };
        Ok(Self { origin, scheme, authority, prefix: path.path().trim_end_matches('/').into() })
    }

    /// `uri` with its path and query under this base.
    pub(crate) fn rebase(&self, uri: &Uri) -> Result<Uri, Error> {
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{path}", self.prefix))
            .build()
            .map_err(|source| {
                Error::config(format!("the path of the request does not fit under {}", self.origin)).with_source(source)
            })
    }
}

/// Reads the URL of an endpoint that secrets are posted to. It may have a query, and no fragment (RFC 6749 section 3.2).
pub(crate) fn parse_endpoint(place: &str, text: &str) -> Result<Uri, Error> {
    if text.contains('#') {
        return Err(Error::config(format!("{place}: the URL has a fragment, which no server would see; leave it out")));
    }
    let (origin, path) = parse_url(place, text)?;
    format!("{origin}{path}")
        .parse()
        .map_err(|source: http::uri::InvalidUri| Error::config(format!("{place}: not a URL")).with_source(source))
}

/// Whether a request to `uri` is encrypted, or stays on this machine.
#[cfg(feature = "hyper-client")]
pub(crate) fn is_protected(uri: &Uri) -> bool {
    uri.scheme() == Some(&Scheme::HTTPS) || Origin::of(uri).is_some_and(|origin| origin.is_loopback())
}

/// Reads a URL that tokens may be sent to. Refuses other schemes, user names, and plain `http` off this machine.
fn parse_url(place: &str, text: &str) -> Result<(Origin, PathAndQuery), Error> {
    let wrong =
        |why: &str| Error::config(format!("{place}: {} {why}, for example \"https://api.example.com\"", Shown(text)));
    if text.contains('@') {
        return Err(Error::config(format!("{place}: a URL with a user name or password is refused; leave them out")));
    }
    let uri: Uri = text.parse().map_err(|source: http::uri::InvalidUri| wrong("is not a URL").with_source(source))?;
    let origin = Origin::of(&uri).ok_or_else(|| wrong("is not an absolute http or https URL"))?;
    if !origin.https && !origin.is_loopback() {
        return Err(Error::config(format!(
            "{place}: {} would send tokens unencrypted; use https (plain http is for this machine's own addresses)",
            Shown(text)
        )));
    }
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    Ok((origin, path))
}

/// Shows a URL for messages and `Debug`: without its query, where some services take their key, and without a password.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.find(['?', '#']).unwrap_or(self.0.len());
        let (url, rest) = self.0.split_at(end);
        let (scheme, rest_of_url) = url.split_once("://").unwrap_or(("", url));
        let (authority, path) = rest_of_url.split_at(rest_of_url.find('/').unwrap_or(rest_of_url.len()));
        let mut text = String::new();
        if url.len() > rest_of_url.len() {
            text.extend([scheme, "://"]);
        }
        match authority.rsplit_once('@') {
            Some((_, host)) => text.extend(["..@", host, path]),
            None => text.extend([authority, path]),
        }
        if let Some(mark) = rest.get(..1) {
            text.extend([mark, ".."]);
        }
        write!(f, "{text:?}")
    }
}

/// As text, in quotes.
impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_https(scheme: &Scheme) -> Option<bool> {
    if *scheme == Scheme::HTTPS {
        Some(true)
    } else if *scheme == Scheme::HTTP {
        Some(false)
    } else {
        None
    }
}

/// The port, or the scheme's usual one. `None` if the authority has a port that is not a number.
fn port_of(authority: &Authority, https: bool) -> Option<u16> {
    match authority.port() {
        Some(port) => Some(port.as_u16()),
        None => authority.as_str().ends_with(authority.host()).then(|| default_port(https)),
    }
}

const fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn the_same_origin_in_other_spellings_matches() {
        let origin = Origin::parse("origin", "https://API.example.com").unwrap();
        for same in ["https://api.example.com/v1", "https://api.example.com:443/", "https://Api.Example.Com?x"] {
            assert!(origin.matches(&uri(same)), "{same}");
        }
        for other in [
            "http://api.example.com/",
            "https://api.example.com:8443/",
            "https://example.com/",
            "https://x.api.example.com/",
            "https://api.example.com.evil.test/",
            "https://api.example.com@evil.test/",
            "/v1/models",
        ] {
            assert!(!origin.matches(&uri(other)), "{other}");
        }
    }

    #[test]
    fn a_malformed_origin_is_refused_with_the_place_and_the_remedy() {
        for (text, expected) in [
            ("https://api.example.com/v1", "write \"https://api.example.com\""),
            ("https://api.example.com?x=1", "has a path or a query"),
            ("http://api.example.com", "use https"),
            ("ftp://api.example.com", "not an absolute http or https URL"),
            ("api.example.com", "not an absolute http or https URL"),
            ("https://me:pw@api.example.com", "user name or password"),
            ("https://", "is not a URL"),
            ("", "is not a URL"),
            ("https://api.example.com:99999", "not an absolute"),
        ] {
            let error = Origin::parse("origin of \"openai\"", text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("origin of \"openai\""), "{text}: {error}");
            assert!(!error.contains("pw"), "{error}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        for loopback in ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:9", "http://127.9.9.9"] {
            assert!(Origin::parse("origin", loopback).is_ok(), "{loopback}");
        }
    }

    #[test]
    fn an_endpoint_keeps_its_query_and_has_no_fragment() {
        let uri = parse_endpoint("token URL", "https://Auth.example.com:443/token?tenant=1").unwrap();
        assert_eq!(uri, "https://auth.example.com/token?tenant=1");
        for (text, expected) in [
            ("https://auth.example.com/token#x", "fragment"),
            ("http://auth.example.com/token", "use https"),
            ("/token", "not an absolute"),
        ] {
            let error = parse_endpoint("token URL", text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("token URL"), "{text}: {error}");
        }
    }

    #[cfg(feature = "hyper-client")]
    #[test]
    fn only_https_and_this_machine_are_protected() {
        for (text, expected) in [
            ("https://api.example.com/", true),
            ("http://127.0.0.1:1/", true),
            ("http://[::1]/", true),
            ("http://api.example.com/", false),
            ("http://127.0.0.1.example.com/", false),
            ("ftp://127.0.0.1/", false),
            ("/v1", false),
        ] {
            assert_eq!(is_protected(&uri(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_base_url_keeps_path_and_query() {
        let base = BaseUrl::parse("base URL", "https://eu.example.com/proxy/").unwrap();
        let moved = base.rebase(&uri("https://api.example.com/v1/chat?x=1")).unwrap();
        assert_eq!(moved, "https://eu.example.com/proxy/v1/chat?x=1");
    }

    #[test]
    fn a_url_is_shown_without_what_may_be_secret_in_it() {
        for (url, expected) in [
            ("https://api.example.com/v1", "https://api.example.com/v1"),
            ("https://api.example.com/v1?key=s3cret", "https://api.example.com/v1?.."),
            ("https://api.example.com#s3cret?x", "https://api.example.com#.."),
            ("https://me:s3cret@api.example.com/a@b?x", "https://..@api.example.com/a@b?.."),
            ("me:s3cret@api.example.com", "..@api.example.com"),
            ("no \"URL\"", "no \\\"URL\\\""),
            ("", ""),
        ] {
            assert_eq!(Shown(url).to_string(), format!("\"{expected}\""), "{url}");
            assert_eq!(format!("{:?}", Some(Shown(url))), format!("Some(\"{expected}\")"));
        }
    }
}
