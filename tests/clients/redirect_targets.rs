//! Where redirects lead, the credentials that must not follow there, and a service that notes what reaches it.

use bytes::Bytes;
use http::{HeaderMap, Request, Uri};
use http_body_util::Full;
use oauth_marathon::{Credential, Secret, TokenSet};
use oauth_marathon_test::{Recorded, Reply, ScriptedProvider};
use tower_http::follow_redirect::policy::{Limited, Policy, PolicyExt, Standard, clone_body_fn};

pub(crate) const CODES: [u16; 5] = [301, 302, 303, 307, 308];

/// The pool's origin, where the redirect leads, and whether that is the same origin.
pub(crate) const TARGETS: [(&str, &str, bool); 11] = [
    ("https://api.example.com", "/next", true),
    ("https://api.example.com", "https://api.example.com/next", true),
    ("https://api.example.com", "https://API.example.com:443/next", true),
    ("https://api.example.com", "https://api.example.com:8443/next", false),
    ("https://api.example.com", "http://api.example.com/next", false),
    ("https://api.example.com", "http://api.example.com:443/next", false),
    ("https://api.example.com", "https://evil.example.org/next", false),
    ("https://api.example.com", "https://sub.api.example.com/next", false),
    ("https://api.example.com", "https://example.com/next", false),
    ("http://127.0.0.1:8080", "https://127.0.0.1:8080/next", false),
    ("http://127.0.0.1:8080", "http://localhost:8080/next", false),
];

/// All secrets contain this.
const SECRET: &str = "s3cret";

/// A bearer token, a key in a header of its own, and a token with a second secret beside it.
pub(crate) fn credentials() -> [Credential; 3] {
    let key = Credential::new("key", Secret::new("s3cret-key")).header("x-api-key");
    let extra = Credential::new("extra", TokenSet::new("s3cret-token")).extra_header("x-account", "s3cret-account");
    [Credential::new("bearer", TokenSet::new("s3cret-token")), key, extra]
}

/// A request with a header that may go anywhere, and one that the caller should not have set.
pub(crate) fn request(origin: &str) -> Request<Full<Bytes>> {
    let request = Request::post(format!("{origin}/v1/chat")).header("x-plain", "hello");
    request.header("authorization", "Bearer s3cret-of-the-caller").body(Full::from("body")).unwrap()
}

/// Follows with the body where the status asks for it, and keeps every header.
pub(crate) fn bare_policy<E>() -> impl Policy<Full<Bytes>, E> + Clone {
    let bodies = clone_body_fn(|body: &Full<Bytes>| Some(body.clone()));
    PolicyExt::and::<_, Full<Bytes>, E>(Limited::default(), bodies)
}

/// The policy that people usually have: it takes `authorization` along to no other origin.
pub(crate) fn standard_policy<E>() -> impl Policy<Full<Bytes>, E> + Clone {
    let bodies = clone_body_fn(|body: &Full<Bytes>| Some(body.clone()));
    PolicyExt::and::<_, Full<Bytes>, E>(Standard::default(), bodies)
}

/// The names of the headers that hold a secret.
pub(crate) fn secrets(headers: &HeaderMap) -> Vec<&str> {
    let holds = |value: &[u8]| value.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    headers.iter().filter(|(_, value)| holds(value.as_bytes())).map(|(name, _)| name.as_str()).collect()
}

/// The headers that a credential sets, and what is to stand in them.
pub(crate) fn expected(id: &str) -> &'static [(&'static str, &'static str)] {
    match id {
        "bearer" => &[("authorization", "Bearer s3cret-token")],
        "key" => &[("x-api-key", "s3cret-key")],
        _ => &[("authorization", "Bearer s3cret-token"), ("x-account", "s3cret-account")],
    }
}

/// Whether the credential is there, and no other secret.
pub(crate) fn has_just(id: &str, headers: &HeaderMap) -> bool {
    let expected = expected(id);
    let there = |(name, value): &(&str, &str)| headers.get(*name).is_some_and(|header| header == value);
    expected.iter().all(there) && secrets(headers).len() == expected.len()
}

/// Answers the first request with a redirect and the others with 200, and notes what reaches it.
#[derive(Debug, Clone)]
pub(crate) struct Capture {
    pub(crate) provider: ScriptedProvider,
}

impl Capture {
    pub(crate) fn redirecting(code: u16, location: &str) -> Self {
        let provider = ScriptedProvider::new().then(Reply::status(code).header("location", location));
        Self { provider }
    }

    pub(crate) fn seen(&self) -> Vec<(Uri, HeaderMap)> {
        let seen = |request: Recorded| (request.head.uri().clone(), request.head.headers().clone());
        self.provider.requests().into_iter().map(seen).collect()
    }

    /// The first request had the credential; the second had it, or nothing secret at all. Nothing else was lost.
    pub(crate) fn check(&self, id: &str, second_has_it: bool, what: &str) {
        let seen = self.seen();
        let [(_, first), (uri, second)] = &seen[..] else { panic!("{what}: {seen:?}") };
        assert!(has_just(id, first), "{what}: {first:?}");
        assert!(uri.path().ends_with("/next"), "{what}: {uri}");
        assert_eq!(second.get("x-plain").map(|value| value.as_bytes()), Some(&b"hello"[..]), "{what}");
        if second_has_it {
            assert!(has_just(id, second), "{what}: {second:?}");
        } else {
            assert_eq!(secrets(second), [""; 0], "{what}");
        }
    }
}
