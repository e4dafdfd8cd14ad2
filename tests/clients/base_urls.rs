//! A credential with a base URL of its own is for that origin alone, whatever redirects say.

use oauth_marathon::layers::credential::OriginGuardLayer;
use oauth_marathon::{Credential, Error, ErrorKind, MarathonLayer, Pool};
use tower::buffer::BufferLayer;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::FollowRedirectLayer;

use crate::redirect_targets::{CODES, Capture, bare_policy, credentials, request};

const API: &str = "https://api.example.com";

/// Where a redirect from the base URL leads, and whether that is the base URL's own origin.
const TARGETS: [(&str, bool); 6] = [
    ("/next", true),
    ("https://eu.example.com/elsewhere/next", true),
    ("https://api.example.com/next", false),
    ("https://eu.example.com:8443/next", false),
    ("http://eu.example.com/next", false),
    ("https://evil.example.org/next", false),
];

/// A pool whose first credential goes to a base URL of its own.
fn pool(credential: Credential) -> Pool {
    Pool::builder("test").origin(API).credential(credential.base_url("https://eu.example.com/v9/")).build().unwrap()
}

fn cases() -> impl Iterator<Item = (&'static str, bool, Credential, u16, String)> {
    let with_credentials = |(location, same)| credentials().map(|credential| (location, same, credential));
    let with_codes = |(location, same, credential): (_, _, Credential)| {
        CODES.map(|code| {
            (location, same, credential.clone(), code, format!("{code} -> {location} with {}", credential.id()))
        })
    };
    TARGETS.into_iter().flat_map(with_credentials).flat_map(with_codes)
}

#[tokio::test]
async fn below_the_stack_the_token_stays_with_its_base_url_and_does_not_even_reach_the_pools_origin() {
    for (location, same, credential, code, what) in cases() {
        let id = credential.id().to_string();
        let pool = pool(credential);
        let capture = Capture::redirecting(code, location);
        let stack = ServiceBuilder::new()
            .layer(MarathonLayer::new(pool.clone()))
            .layer(FollowRedirectLayer::with_policy(bare_policy()))
            .layer(OriginGuardLayer::new(pool))
            .service(capture.provider.clone());
        assert_eq!(stack.oneshot(request(API)).await.unwrap().status(), 200, "{what}");
        capture.check(&id, same, &what);
        assert_eq!(capture.seen()[0].0, "https://eu.example.com/v9/v1/chat");
    }
}

#[tokio::test]
async fn above_the_stack_an_absolute_redirect_to_the_base_url_is_another_origin_and_a_relative_one_is_not() {
    for (location, _, credential, code, what) in cases() {
        let id = credential.id().to_string();
        // Seen from above, requests go to the pool's origin, and the base URL is no address to ask for.
        let to_pool = location.starts_with('/') || location.starts_with(API);
        let pool = pool(credential);
        let (strict, passing) = (Capture::redirecting(code, location), Capture::redirecting(code, location));
        let redirect = FollowRedirectLayer::with_policy(bare_policy());
        let stack = ServiceBuilder::new().layer(redirect).layer(MarathonLayer::new(pool.clone()));
        match stack.service(strict.provider.clone()).oneshot(request(API)).await {
            Ok(_) => {
                assert!(to_pool, "{what}");
                strict.check(&id, true, &what);
                assert_eq!(strict.seen()[1].0, "https://eu.example.com/v9/next", "{what}");
            }
            Err(error) => {
                assert_eq!(Error::find(&*error).unwrap().kind(), ErrorKind::ForeignOrigin, "{what}");
                assert!(!to_pool && strict.seen().len() == 1, "{what}");
            }
        }

        let redirect = FollowRedirectLayer::with_policy(bare_policy());
        let marathon = MarathonLayer::new(pool).pass_other_origins(true);
        ServiceBuilder::new()
            .layer(redirect)
            .layer(marathon)
            .service(passing.provider.clone())
            .oneshot(request(API))
            .await
            .unwrap();
        passing.check(&id, to_pool, &what);
    }
}

/// A redirect layer may lose the extensions, and a buffer the task: the guard then knows no credential.
#[tokio::test]
async fn a_guard_that_cannot_tell_whose_token_it_sees_lets_none_out_to_the_origin_of_others() {
    for (location, _, credential, code, what) in cases() {
        let pool = pool(credential.clone());
        pool.add(Credential::new("plain", oauth_marathon::Secret::new("s3cret-other")).header("x-other")).unwrap();
        let capture = Capture::redirecting(code, location);
        let stack = ServiceBuilder::new()
            .layer(MarathonLayer::new(pool.clone()).context_in_extensions(true))
            .layer(FollowRedirectLayer::with_policy(bare_policy()))
            .layer(BufferLayer::new(4))
            .layer(OriginGuardLayer::new(pool))
            .service(capture.provider.clone());
        assert_eq!(stack.oneshot(request(API)).await.unwrap().status(), 200, "{what}");
        capture.check(credential.id().as_str(), false, &what);
    }
}
