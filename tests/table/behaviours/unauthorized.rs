//! Tokens that are not accepted, and the refresh that follows.

use oauth_marathon::Material;
use oauth_marathon::store::{MemoryStore, Store, StoreKey};
use oauth_marathon::tokens::refresh::OAuth2;
use oauth_marathon::verdict::Kind;
use oauth_marathon::verdict::OutReason;
use oauth_marathon_test::{Reply, ScriptedProvider, ScriptedTokens};

use crate::support::stage::{Stage, pool, seconds};

const REFUSALS: [(u16, Kind); 2] = [(401, Kind::Unauthorized), (403, Kind::Forbidden)];

/// A token endpoint that gives this answer.
fn endpoint(answer: Reply) -> (ScriptedProvider, OAuth2<ScriptedProvider, http_body_util::Full<bytes::Bytes>>) {
    let server = ScriptedProvider::new().otherwise(answer);
    (server.clone(), OAuth2::new("https://auth.example.com/token", "my-client", server))
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_refreshed_and_the_same_account_goes_on() {
    for (code, _) in REFUSALS {
        let tokens = ScriptedTokens::new();
        let provider = ScriptedProvider::new().always("a", Reply::status(code));
        let stage = Stage::new(pool(&["a", "b"]).token_source(tokens.clone()), provider);
        assert_eq!(stage.post().await.status, 200);
        assert_eq!(stage.tokens(), ["a", "a+"], "{code}");
        assert_eq!(tokens.asked(), ["a"]);
        assert!(stage.all_ready());
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_after_the_refresh_too_leads_to_the_next_account() {
    for (code, kind) in REFUSALS {
        let provider = ScriptedProvider::new().always("a", Reply::status(code)).always("a+", Reply::status(code));
        let stage = Stage::new(pool(&["a", "b"]).token_source(ScriptedTokens::new()), provider);
        assert_eq!(stage.post().await.status, 200);
        assert_eq!(stage.tokens(), ["a", "a+", "b"], "{code}");
        assert_eq!(stage.cooldown("a"), Some((kind, seconds(300))));
        assert_eq!(stage.order(), ["b", "a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_works_is_asked_once_and_its_tokens_are_stored() {
    for (code, _) in REFUSALS {
        let granted = r#"{"access_token":"fresh","refresh_token":"refresh-fresh","token_type":"bearer"}"#;
        let (server, source) = endpoint(Reply::status(200).header("content-type", "application/json").body(granted));
        let store = MemoryStore::new();
        let stage = Stage::new(
            pool(&["a", "b"]).token_source(source).store(store.clone()),
            ScriptedProvider::new().always("a", Reply::status(code)),
        );
        assert_eq!(stage.post().await.status, 200);
        assert_eq!(stage.tokens(), ["a", "fresh"], "{code}");
        assert_eq!(stage.order(), ["a", "b"]);

        let [asked] = &server.requests()[..] else { panic!("one token request") };
        let expected = &b"grant_type=refresh_token&refresh_token=refresh-a&client_id=my-client"[..];
        assert_eq!(asked.body.as_deref(), Some(expected));
        let stored = store.load(&StoreKey::new("openai", "a")).await.unwrap().unwrap();
        let Material::OAuth(kept) = stored.record.credential.material() else { panic!("a token set") };
        assert_eq!(kept.access().expose(), "fresh");
        assert_eq!(kept.refresh().unwrap().expose(), "refresh-fresh");
        assert_eq!(stored.record.generation, stage.of("a").generation);
    }
}

#[tokio::test(start_paused = true)]
async fn an_expired_refresh_token_leads_to_the_next_account() {
    let (server, source) = endpoint(Reply::status(401).body(r#"{"error":{"code":"refresh_token_expired"}}"#));
    let stage =
        Stage::new(pool(&["a", "b"]).token_source(source), ScriptedProvider::new().always("a", Reply::status(401)));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "b"]);
    assert_eq!(stage.order(), ["b", "a"]);
    assert_eq!(stage.out("a"), Some(OutReason::RefreshRefused));

    stage.post().await;
    assert_eq!((server.requests().len(), stage.tokens().len()), (1, 3), "neither is asked again");
}
