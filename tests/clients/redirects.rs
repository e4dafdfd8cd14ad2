//! Redirects, followed above the stack or below it: no credential reaches another origin.

use http::header::LOCATION;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::layers::credential::OriginGuardLayer;
use oauth_marathon::{Credential, Error, ErrorKind, MarathonLayer, Pool};
use tower::{ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::FollowRedirectLayer;

use crate::redirect_targets::{
    CODES, Capture, TARGETS, bare_policy, credentials, expected, has_just, request, secrets, standard_policy,
};
use crate::support::server::{Server, answer, within};

fn pool(origin: &str, credential: Credential) -> Pool {
    Pool::builder("test").origin(origin).credential(credential).build().unwrap()
}

/// Every origin and target, credential and status, in words too.
fn cases() -> impl Iterator<Item = ((&'static str, &'static str, bool), Credential, u16, String)> {
    let with_credentials = |target| credentials().map(|credential| (target, credential));
    let with_codes = |(target, credential): ((_, _, _), Credential)| {
        CODES.map(|code| {
            let (origin, location, _) = target;
            let what = format!("{code} {origin} -> {location} with {}", credential.id());
            (target, credential.clone(), code, what)
        })
    };
    TARGETS.into_iter().flat_map(with_credentials).flat_map(with_codes)
}

#[tokio::test]
async fn below_the_stack_with_the_guard_only_the_same_origin_gets_the_credential() {
    let mut count = 0;
    for ((origin, location, same), credential, code, what) in cases() {
        let pool = pool(origin, credential.clone());
        let (bare, usual_one) = (Capture::redirecting(code, location), Capture::redirecting(code, location));
        let (marathon, guard) = (MarathonLayer::new(pool.clone()), OriginGuardLayer::new(pool));
        let redirect = FollowRedirectLayer::with_policy(bare_policy());
        let stack = ServiceBuilder::new().layer(marathon.clone()).layer(redirect).layer(guard.clone());
        stack.service(bare.provider.clone()).oneshot(request(origin)).await.unwrap();
        bare.check(credential.id().as_str(), same, &what);

        // The same under a policy that drops some headers by itself.
        let redirect = FollowRedirectLayer::with_policy(standard_policy());
        let stack = ServiceBuilder::new().layer(marathon).layer(redirect).layer(guard);
        stack.service(usual_one.provider.clone()).oneshot(request(origin)).await.unwrap();
        usual_one.check(credential.id().as_str(), same, &what);
        count += 1;
    }
    assert_eq!(count, 11 * 3 * 5);
}

#[tokio::test]
async fn below_the_stack_without_the_guard_the_credential_leaks_which_is_why_there_is_one() {
    for ((origin, location, same), credential, code, what) in cases() {
        let id = credential.id().as_str();
        let pool = pool(origin, credential.clone());
        let (bare, usual_one) = (Capture::redirecting(code, location), Capture::redirecting(code, location));
        let redirect = FollowRedirectLayer::with_policy(bare_policy());
        let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).layer(redirect);
        stack.service(bare.provider.clone()).oneshot(request(origin)).await.unwrap();
        assert!(has_just(id, &bare.seen()[1].1), "{what}");

        // The usual policy of tower-http knows `authorization`, and no other header.
        let redirect = FollowRedirectLayer::with_policy(standard_policy());
        let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool)).layer(redirect);
        stack.service(usual_one.provider.clone()).oneshot(request(origin)).await.unwrap();
        if !same {
            let leaks: Vec<_> =
                expected(id).iter().map(|(name, _)| *name).filter(|name| *name != "authorization").collect();
            assert_eq!(secrets(&usual_one.seen()[1].1), leaks, "{what}");
        }
    }
}

#[tokio::test]
async fn above_the_stack_another_origin_is_refused_or_gets_the_request_without_any_credential() {
    for ((origin, location, same), credential, code, what) in cases() {
        let id = credential.id().as_str();
        let pool = pool(origin, credential.clone());
        let (strict, passing) = (Capture::redirecting(code, location), Capture::redirecting(code, location));
        let redirect = FollowRedirectLayer::with_policy(bare_policy());
        let stack = ServiceBuilder::new().layer(redirect).layer(MarathonLayer::new(pool.clone()));
        match stack.service(strict.provider.clone()).oneshot(request(origin)).await {
            Ok(answer) => {
                assert!(same && answer.status() == 200, "{what}");
                strict.check(id, true, &what);
            }
            Err(error) => {
                assert!(!same, "{what}: {error}");
                assert_eq!(Error::find(&*error).unwrap().kind(), ErrorKind::ForeignOrigin, "{what}");
                assert!(!error.to_string().contains("s3cret"), "{error}");
                assert_eq!(strict.seen().len(), 1, "{what}");
            }
        }

        let redirect = FollowRedirectLayer::with_policy(bare_policy());
        let marathon = MarathonLayer::new(pool).pass_other_origins(true);
        let stack = ServiceBuilder::new().layer(redirect).layer(marathon);
        stack.service(passing.provider.clone()).oneshot(request(origin)).await.unwrap();
        passing.check(id, same, &what);
    }
}

/// Redirects over real sockets to a server on another port.
#[tokio::test]
async fn over_sockets_a_server_on_another_port_sees_no_credential() {
    within(async {
        for (credential, code) in credentials().into_iter().flat_map(|known| CODES.map(|code| (known.clone(), code))) {
            let id = credential.id().to_string();
            let other = Server::start(async |_| answer(200, "other")).await;
            let location = format!("{}/next", other.origin());
            let first = Server::start(move |_| {
                let mut answer = answer(code, "");
                answer.headers_mut().insert(LOCATION, location.parse().unwrap());
                async move { answer }
            })
            .await;
            let pool = pool(&first.origin(), credential);
            let marathon = MarathonLayer::new(pool.clone());
            let below = ServiceBuilder::new()
                .layer(marathon.clone())
                .layer(FollowRedirectLayer::with_policy(bare_policy()))
                .layer(OriginGuardLayer::new(pool))
                .service(HttpClient::new().unwrap());
            assert_eq!(below.oneshot(request(&first.origin())).await.unwrap().status(), 200);
            let above = ServiceBuilder::new()
                .layer(FollowRedirectLayer::with_policy(bare_policy()))
                .layer(marathon.pass_other_origins(true))
                .service(HttpClient::new().unwrap());
            assert_eq!(above.oneshot(request(&first.origin())).await.unwrap().status(), 200);

            let (first, other) = (first.log.heads(), other.log.heads());
            assert_eq!((first.len(), other.len()), (2, 2), "{code}");
            assert!(first.iter().all(|head| has_just(&id, &head.headers)), "{code}");
            assert!(other.iter().all(|head| secrets(&head.headers).is_empty()), "{code}");
        }
    })
    .await;
}
