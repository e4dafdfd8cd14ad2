//! A credential in the form that requests use: its headers are built once for each token, and shared by all requests.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderName, HeaderValue};

use super::slot::Slot;
use crate::clock;
use crate::credentials::header::secret_value;
use crate::credentials::origin::BaseUrl;
use crate::credentials::{Credential, Generation};
use crate::error::Error;

/// One credential with one generation of its token. It goes out as a whole: token, extra headers and base URL.
pub(crate) struct Access {
    pub(crate) slot: Arc<Slot>,
    pub(crate) generation: Generation,
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
    pub(crate) extra: Box<[(HeaderName, HeaderValue)]>,
    pub(crate) base: Option<Arc<BaseUrl>>,
    /// The time at which the token is due for a refresh in the background. Until `expires_at` it is still used.
    pub(crate) refresh_at: Option<Instant>,
    /// The time at which the token expires.
    pub(crate) expires_at: Option<Instant>,
}

/// Whether a time is in the future. `None` stands for a time that never comes.
#[inline]
pub(super) fn is_ahead(time: Option<Instant>) -> bool {
    time.is_none_or(|time| time > clock::now())
}

/// The times of a token on the monotonic clock, so that a jump of the wall clock moves none of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lifetime {
    pub(crate) refresh_at: Option<Instant>,
    pub(crate) expires_at: Option<Instant>,
}

impl Lifetime {
    /// The refresh is due `margin` before the expiry, or a tenth of the life that is left, if that is shorter. `jitter`, from
    /// 0 to 1, spreads the refreshes of many processes over the last fifth of the margin.
    pub(crate) fn of(
        expiry: Option<SystemTime>,
        margin: Duration,
        jitter: f64,
        wall: SystemTime,
        now: Instant,
    ) -> Self {
        let Some(expiry) = expiry else { return Self::default() };
        let left = expiry.duration_since(wall).unwrap_or(Duration::ZERO);
        let early = margin.min(left / 10).mul_f64(1.0 - 0.2 * jitter.clamp(0.0, 1.0));
        Self { refresh_at: now.checked_add(left.saturating_sub(early)), expires_at: now.checked_add(left) }
    }
}

impl Access {
    /// Builds the headers. An error names the credential and what is wrong with it, never its secret.
    pub(crate) fn prepare(
        credential: &Credential,
        slot: Arc<Slot>,
        generation: Generation,
        lifetime: Lifetime,
    ) -> Result<Self, Error> {
        let wrong = |what: String| Error::config(format!("credential {:?}: {what}", credential.id));
        if credential.id.as_str().is_empty() {
            return Err(wrong("the id is empty; name the account".to_owned()));
        }
        let name = match credential.header.as_deref() {
            None => AUTHORIZATION,
            Some(name) => header_name(name).map_err(wrong)?,
        };
        let scheme = credential.scheme.as_deref().unwrap_or(if name == AUTHORIZATION { "Bearer" } else { "" });
        let value = secret_value(scheme, credential.material.token().expose())
            .map_err(|why| wrong(format!("its token {why}")))?;
        let extra = credential
            .extra_headers
            .iter()
            .map(|(name, value)| {
                let value = secret_value("", value.expose())
                    .map_err(|why| wrong(format!("the value of the extra header {name:?} {why}")))?;
                Ok((header_name(name).map_err(wrong)?, value))
            })
            .collect::<Result<Box<[_]>, Error>>()?;
        if let Some((name, _)) = extra.iter().find(|extra| extra.0 == name) {
            return Err(wrong(format!("the extra header \"{name}\" is the one that carries the token; leave it out")));
        }
        let base = match &credential.base_url {
            None => None,
            Some(url) => Some(Arc::new(BaseUrl::parse(&format!("base URL of credential {:?}", credential.id), url)?)),
        };
        let Lifetime { refresh_at, expires_at } = lifetime;
        Ok(Self { slot, generation, name, value, extra, base, refresh_at, expires_at })
    }

    /// Whether the token needs no refresh. Reads the clock only if the token expires.
    #[inline]
    pub(crate) fn is_fresh(&self) -> bool {
        is_ahead(self.refresh_at)
    }

    /// Every header that this credential sets.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = &HeaderName> {
        std::iter::once(&self.name).chain(self.extra.iter().map(|extra| &extra.0))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("id", &self.slot.id)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// Reads the name of a header that is to carry a secret. Headers that frame the message or belong to the connection are
/// refused.
fn header_name(name: &str) -> Result<HeaderName, String> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is not a header name"))?;
    if [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, TE, UPGRADE, PROXY_AUTHORIZATION].contains(&parsed) {
        return Err(format!("the header {name:?} belongs to the message or the connection; use another one"));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Secret;

    fn prepare(credential: &Credential) -> Result<Access, Error> {
        let slot = Arc::new(Slot::new(credential, 0));
        Access::prepare(credential, slot, Generation::FIRST, Lifetime::default())
    }

    #[test]
    fn a_token_goes_out_as_bearer_and_a_key_as_it_is() {
        let bearer = prepare(&Credential::new("a", Secret::new("t0ken"))).unwrap();
        assert_eq!((bearer.name.as_str(), bearer.value.as_bytes()), ("authorization", &b"Bearer t0ken"[..]));
        let key = prepare(&Credential::new("a", Secret::new("t0ken")).header("X-Api-Key")).unwrap();
        assert_eq!((key.name.as_str(), key.value.as_bytes()), ("x-api-key", &b"t0ken"[..]));
        let token = prepare(&Credential::new("a", Secret::new("t0ken")).scheme("Token")).unwrap();
        assert_eq!(token.value.as_bytes(), b"Token t0ken");
        assert!(bearer.value.is_sensitive() && key.value.is_sensitive());
    }

    #[test]
    fn what_a_header_cannot_carry_is_refused_without_showing_it() {
        let cases = [
            ("t0ken\r\nx: y", "line breaks"),
            ("t0ken\n", "white space"),
            ("", "is empty"),
            ("t0ken\u{e9}", "non-ASCII"),
            ("t0ken\0", "control characters"),
        ];
        for (token, expected) in cases {
            let error = prepare(&Credential::new("work", Secret::new(token))).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("\"work\""), "{error}");
            assert!(!error.contains("t0ken"), "{error}");
        }
        for credential in [
            Credential::new("work", Secret::new("t")).header("no spaces"),
            Credential::new("work", Secret::new("t")).header("host"),
            Credential::new("work", Secret::new("t")).scheme("Be\nrer"),
            Credential::new("work", Secret::new("t")).extra_header("authorization", "x"),
            Credential::new("work", Secret::new("t")).extra_header("x-id", "a\nb"),
            Credential::new("work", Secret::new("t")).base_url("http://example.com"),
            Credential::new("", Secret::new("t")),
        ] {
            assert!(prepare(&credential).is_err(), "{credential:?}");
        }
    }

    #[test]
    fn a_refresh_takes_the_margin_but_at_most_a_tenth_of_the_life() {
        let (wall, now) = (SystemTime::UNIX_EPOCH, crate::clock::now());
        let margin = Duration::from_secs(300);
        let at = |life: u64, jitter: f64| {
            let lifetime = Lifetime::of(Some(wall + Duration::from_secs(life)), margin, jitter, wall, now);
            (lifetime.refresh_at.unwrap() - now).as_secs()
        };
        assert_eq!(at(36_000, 0.0), 35_700);
        assert_eq!(at(36_000, 1.0), 35_760);
        assert_eq!(at(100, 0.0), 90);
        let past = Lifetime::of(Some(wall), margin, 0.5, wall + Duration::from_secs(9), now);
        assert_eq!(past.refresh_at, Some(now));
        assert!(Lifetime::of(None, margin, 0.0, wall, now).refresh_at.is_none());
    }
}
