//! The redirect URI of a login: where on this machine the browser brings the answer (RFC 8252 section 7.3).

use http::Uri;

use super::error::LoginError;

/// A loopback address and a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redirect {
    /// As the server has it registered: `127.0.0.1` or `localhost`.
    host: String,
    /// `None` is any free port.
    pub(super) port: Option<u16>,
    pub(super) path: String,
}

impl Default for Redirect {
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: None, path: "/callback".to_owned() }
    }
}

impl Redirect {
    pub(super) fn parse(text: &str) -> Result<Self, LoginError> {
        let wrong = || {
            LoginError::config(format!(
                "redirect URI: {text:?} must be one of this machine, such as \"http://127.0.0.1/callback\" for any free \
                 port or \"http://localhost:1455/auth/callback\" for a fixed one"
            ))
        };
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        let host = authority.host().to_ascii_lowercase();
        let rest = authority.as_str().get(authority.host().len()..).unwrap_or_default();
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?),
            None if rest.is_empty() => None,
            None => return Err(wrong()),
        };
        let is_loopback = host == "127.0.0.1" || host == "localhost";
        if uri.scheme_str() != Some("http") || !is_loopback || uri.query().is_some() || text.contains(['#', '@']) {
            return Err(wrong());
        }
        Ok(Self { host, port, path: uri.path().to_owned() })
    }

    /// Host and port, as a browser writes them into `Host`.
    pub(super) fn authority(&self, port: u16) -> String {
        if port == 80 { self.host.clone() } else { format!("{}:{port}", self.host) }
    }

    /// The redirect URI with the port that was opened.
    pub(super) fn uri(&self, port: u16) -> String {
        format!("http://{}{}", self.authority(port), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_port_and_path_are_kept_and_a_missing_port_is_any() {
        for (text, port, uri) in [
            ("http://127.0.0.1/callback", None, "http://127.0.0.1:5/callback"),
            ("http://127.0.0.1", None, "http://127.0.0.1:5/"),
            ("http://LOCALHOST:1455/auth/callback", Some(1455), "http://localhost:5/auth/callback"),
        ] {
            let redirect = Redirect::parse(text).unwrap();
            assert_eq!((redirect.port, redirect.uri(5)), (port, uri.to_owned()), "{text}");
        }
        assert_eq!(Redirect::parse("http://127.0.0.1/callback").unwrap(), Redirect::default());
        assert_eq!(Redirect::default().uri(80), "http://127.0.0.1/callback");
    }

    #[test]
    fn what_is_not_of_this_machine_is_refused() {
        for text in [
            "",
            "callback",
            "https://127.0.0.1/callback",
            "http://0.0.0.0/callback",
            "http://example.com/callback",
            "http://127.0.0.1.example.com/callback",
            "http://user@127.0.0.1/callback",
            "http://127.0.0.1:0/callback",
            "http://127.0.0.1:99999/callback",
            "http://127.0.0.1:/callback",
            "http://127.0.0.1/callback?x=1",
            "http://127.0.0.1/callback#x",
        ] {
            let error = Redirect::parse(text).unwrap_err().to_string();
            assert!(error.contains("must be one of this machine"), "{text}: {error}");
        }
    }
}
