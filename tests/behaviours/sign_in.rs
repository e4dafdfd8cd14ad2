//! Tokens that are not accepted, and the refresh that follows.

use oauth_marathon::Material;
use oauth_marathon::notify::LoginReason;
use oauth_marathon::refresh::OAuth2;
use oauth_marathon::store::{MemoryStore, Store, StoreKey};
use oauth_marathon::verdict::Kind;

use crate::provider::{Provider, Reply, status};
use crate::stage::{Stage, pool, seconds};
use crate::tokens::Tokens;

const REFUSALS: [(u16, Kind); 2] = [(401, Kind::Unauthorized), (403, Kind::Forbidden)];

/// A token endpoint that gives this answer.
fn endpoint(answer: Reply) -> (Provider, OAuth2<Provider, http_body_util::Full<bytes::Bytes>>) {
    let server = Provider::new().on("/token", [answer]);
    (server.clone(), OAuth2::new("https://auth.example.com/token", "my-client", server))
}

// Behaviour 3.
#[tokio::test(start_paused = true)]
async fn a_refused_token_is_refreshed_and_the_same_account_goes_on() {
    for (code, _) in REFUSALS {
        let tokens = Tokens::new();
        let provider = Provider::new().on("a", [status(code)]);
        let stage = Stage::new(pool(&["a", "b"]).token_source(tokens.clone()), provider);
        assert_eq!(stage.post().await.status, 200);
        assert_eq!(stage.tokens(), ["a", "a+"], "{code}");
        assert_eq!(tokens.asked(), ["a"]);
        assert!(stage.all_ready());
    }
}

// Behaviour 4.
#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_after_the_refresh_too_leads_to_the_next_account() {
    for (code, kind) in REFUSALS {
        let provider = Provider::new().on("a", [status(code)]).on("a+", [status(code)]);
        let stage = Stage::new(pool(&["a", "b"]).token_source(Tokens::new()), provider);
        assert_eq!(stage.post().await.status, 200);
        assert_eq!(stage.tokens(), ["a", "a+", "b"], "{code}");
        assert_eq!(stage.rest("a"), Some((kind, seconds(300))));
        assert_eq!(stage.order(), ["b", "a"]);
    }
}

// Behaviour 14.
#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_works_is_asked_once_and_its_tokens_are_stored() {
    for (code, _) in REFUSALS {
        let granted = r#"{"access_token":"fresh","refresh_token":"refresh-fresh","token_type":"bearer"}"#;
        let (server, source) = endpoint(status(200).header("content-type", "application/json").body(granted));
        let store = MemoryStore::new();
        let stage = Stage::new(
            pool(&["a", "b"]).token_source(source).store(store.clone()),
            Provider::new().on("a", [status(code)]),
        );
        assert_eq!(stage.post().await.status, 200);
        assert_eq!(stage.tokens(), ["a", "fresh"], "{code}");
        assert_eq!(stage.order(), ["a", "b"]);

        let [asked] = &server.seen()[..] else { panic!("one token request") };
        assert_eq!(asked.body, "grant_type=refresh_token&refresh_token=refresh-a&client_id=my-client");
        let stored = store.load(&StoreKey::new("openai", "a")).await.unwrap().unwrap();
        let Material::OAuth(kept) = stored.record.credential.material() else { panic!("a token set") };
        assert_eq!(kept.access().expose(), "fresh");
        assert_eq!(kept.refresh().unwrap().expose(), "refresh-fresh");
        assert_eq!(stored.record.generation, stage.of("a").generation);
    }
}

// Behaviour 15.
#[tokio::test(start_paused = true)]
async fn an_expired_refresh_token_leads_to_the_next_account() {
    let (server, source) = endpoint(status(401).body(r#"{"error":{"code":"refresh_token_expired"}}"#));
    let stage = Stage::new(pool(&["a", "b"]).token_source(source), Provider::new().on("a", [status(401)]));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "b"]);
    assert_eq!(stage.order(), ["b", "a"]);
    assert_eq!(stage.out("a"), Some(LoginReason::RefreshRefused));

    stage.post().await;
    assert_eq!((server.seen().len(), stage.tokens().len()), (1, 3), "neither is asked again");
}
