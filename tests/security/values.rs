//! Known secrets go through everything that can hold one; none of them ever shows.

use std::error::Error as _;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use oauth_marathon::config::{OAuthServer, Settings};
use oauth_marathon::layers::classify::ClassifyLayer;
use oauth_marathon::layers::credential::{CredentialLayer, OriginGuardLayer};
use oauth_marathon::layers::notify::NotifyLayer;
use oauth_marathon::layers::replay::ReplayLayer;
use oauth_marathon::layers::retry::RetryLayer;
use oauth_marathon::store::{MemoryStore, Record, Store, StoreKey};
use oauth_marathon::tokens::refresh::{RefreshRequest, TokenSource};
use oauth_marathon::{Credential, Generation, MarathonLayer, Material, Secret, TokenSet};
use oauth_marathon_test::ScriptedProvider;
use tower::{Layer, Service, ServiceExt};

use crate::canary::{CANARY, Shown, key, oauth, secret, subscription, tokens};
use crate::support::accounts::{keys, post, wall};

#[tokio::test(start_paused = true)]
async fn values_that_hold_a_secret_do_not_print_it() {
    let mut shown = Shown::default();
    shown.add(&Secret::new(secret("plain")));
    shown.add(&tokens());
    shown.add(&subscription());
    shown.add(&Material::from(tokens()));
    shown.add(&RefreshRequest::new("openai", "a", tokens()));
    shown.add(&Record::new(subscription(), Generation::new(1)));
    let store = MemoryStore::new();
    let first = Some(Record::new(Credential::new("a", tokens()), Generation::new(1)));
    let store_key = StoreKey::new("openai", "a");
    shown.add(&store.compare_and_set(&store_key, None, first.clone()).await.unwrap());
    shown.add(&store.compare_and_set(&store_key, None, first).await.unwrap());
    shown.add(&store);
    shown.add(&oauth(200, ""));
    let json = serde_json::json!({ "clientId": "mine", "extraHeaders": { "x-org": secret("org") } });
    let server: OAuthServer = serde_json::from_value(json).unwrap();
    shown.add(&server);
    shown.0.push(serde_json::to_string(&server).unwrap());
    shown.add(&Settings::default());

    let builder = || {
        let builder = keys(&[]).clock(wall()).credentials([subscription(), key()]);
        builder.token_source(oauth(200, "")).store(MemoryStore::new())
    };
    shown.add(&builder());
    let pool = builder().build().unwrap();
    shown.add(&pool);
    shown.add(&pool.snapshot());
    shown.0.push(serde_json::to_string(&pool.snapshot()).unwrap());
    let static_pool = keys(&[]).credential(key()).build().unwrap();
    let lease = static_pool.try_lease().unwrap();
    shown.add(&lease);
    shown.add(&lease.header());
    shown.check();
    assert!(lease.header().1.is_sensitive());
}

#[tokio::test(start_paused = true)]
async fn layers_services_and_futures_do_not_print_it() {
    let mut shown = Shown::default();
    let pool = keys(&[]).credential(key()).build().unwrap();
    let client = ScriptedProvider::new();
    macro_rules! each {
        ($($layer:expr),* $(,)?) => { $({
            let layer = $layer;
            shown.add(&layer);
            let mut service = layer.layer(client.clone());
            let ready = ServiceExt::<Request<Full<Bytes>>>::ready(&mut service).await.unwrap();
            let future = ready.call(post());
            shown.add(&service);
            shown.add(&future);
            shown.add(&future.await.unwrap());
        })* };
    }
    each!(
        NotifyLayer::with_notifiers(pool.notifiers().clone()),
        RetryLayer::for_pool(&pool),
        CredentialLayer::new(pool.clone()),
        ClassifyLayer::new(),
        MarathonLayer::new(pool.clone()),
    );
    shown.add(&(ReplayLayer::default(), OriginGuardLayer::new(pool.clone())));
    let guarded = OriginGuardLayer::new(pool.clone()).layer(client.clone());
    shown.add(&(ReplayLayer::default().layer(client.clone()), guarded));
    let sent = client.requests();
    let keys: Vec<_> = sent.iter().filter_map(|request| request.head.headers().get("x-api-key")).collect();
    assert!(!keys.is_empty() && keys.iter().all(|key| key.is_sensitive()));
    shown.check();
}

#[tokio::test(start_paused = true)]
async fn the_injected_headers_are_marked_sensitive() {
    let provider = ScriptedProvider::new();
    let pool = keys(&[])
        .credential(Credential::new("a", Secret::new(secret("access"))).extra_header("x-account", secret("extra")));
    let stack = MarathonLayer::new(pool.build().unwrap()).layer(provider.clone());
    stack.oneshot(post()).await.unwrap();
    let requests = provider.requests();
    let (request, mut shown) = (&requests[0].head, Shown::default());
    assert_eq!(request.headers()["authorization"], format!("Bearer {}", secret("access")));
    assert_eq!(request.headers()["x-account"], secret("extra"));
    assert!(request.headers().values().all(http::HeaderValue::is_sensitive));
    shown.add(request);
    shown.check();
    assert_eq!(shown.0[0].matches("Sensitive").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn errors_about_malformed_secrets_do_not_repeat_them() {
    let mut shown = Shown::default();
    let broken = format!("{CANARY}\r\nx: y");
    for credential in [
        Credential::new("a", Secret::new(&*broken)),
        Credential::new("a", TokenSet::new(&*broken)),
        key().extra_header("x-account", &*broken),
        key().scheme("Be arer\n"),
        key().base_url(format!("https://user:{CANARY}@example.com")),
        key().base_url(format!("https://example.com/?key={CANARY}")),
    ] {
        let error = keys(&[]).credential(credential).build().unwrap_err();
        shown.add(&error);
        shown.0.push(error.to_string());
        assert!(error.source().is_none());
    }
    let pool = keys(&[]).credential(subscription()).build().unwrap();
    for error in [
        pool.add(subscription()).unwrap_err(),
        pool.update("a", TokenSet::new(&*broken)).unwrap_err(),
        pool.update_by_refresh_token(&Secret::new(secret("unknown")), tokens()).unwrap_err(),
    ] {
        shown.add(&error);
        shown.0.push(error.to_string());
    }
    let error = oauth(400, r#"{"error":"c4n4ry is no code"}"#)
        .refresh(RefreshRequest::new("openai", "a", tokens()))
        .await
        .unwrap_err();
    shown.add_error(&error.into());
    shown.check();
}

#[test]
fn what_a_panic_says_holds_no_secret() {
    let outcome = std::panic::catch_unwind(|| {
        assert_eq!(tokens(), TokenSet::new(secret("other")), "{:?}", subscription());
    });
    let message = outcome.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("[redacted]"), "{message}");
    Shown(vec![*message]).check();
}
