//! Opening a pool over a store: what it begins with, and what it refuses.

use bytes::Bytes;
use http_body_util::Full;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::events::Event;
use oauth_marathon::pool::Standing;
use oauth_marathon::store::{
    CasOutcome, Cooldown, Entry, HealthChange, MemoryStore, Record, Revision, Store, StoreKey,
};
use oauth_marathon::verdict::Kind;
use oauth_marathon::verdict::OutReason;
use oauth_marathon::{BoxError, Credential, ErrorKind, Generation, Pool, Secret};
use oauth_marathon_test::ScriptedStore;

use crate::mirror::stores::{builder, cooldown, held, ids, key, out, put, put_record, send, static_key, store_of};
use crate::support::accounts::{ORIGIN, day, look, seconds};

#[tokio::test(start_paused = true)]
async fn a_pool_opens_with_the_order_and_the_health_that_the_store_holds() {
    let store = store_of(&["c", "a", "b", "d"]).await;
    store.note_health(
        &key("a"),
        Generation::new(1),
        HealthChange::new().cooled(Cooldown::new(Kind::Throttled, day(seconds(90)))),
    );
    store.note_health(&key("b"), Generation::new(1), HealthChange::new().out(Some(OutReason::Banned)));
    let past = Cooldown::new(Kind::Throttled, day(seconds(0)) - seconds(1));
    store.note_health(&key("d"), Generation::new(1), HealthChange::new().cooled(past));
    let (told, heard) = std::sync::mpsc::channel();
    let pool = builder(store).notifier(move |event: &Event| told.send(event.clone()).unwrap()).open().await.unwrap();
    assert_eq!(ids(&pool), ["c", "d", "a", "b"]);
    assert_eq!((cooldown(&pool, "a"), out(&pool, "b")), (Some(90), Some(OutReason::Banned)));
    assert_eq!(look(&pool, "d").standing, Standing::Ready);
    let event = heard.recv_timeout(seconds(60)).unwrap();
    assert!(matches!(&event, Event::Out { credential, .. } if credential.id == "b"), "{event}");
    tokio::time::advance(seconds(91)).await;
    assert_eq!(send(&pool, &[("c", 429), ("d", 429)]).await, 200);
    assert_eq!(look(&pool, "a").successes, 1);
}

#[tokio::test(start_paused = true)]
async fn a_generation_is_that_of_the_store_and_what_is_given_is_stored_behind() {
    let store = MemoryStore::new();
    put_record(&store, Record::new(static_key("a"), Generation::new(7))).await;
    let given = [static_key("b"), Credential::new("a", Secret::new("older"))];
    let pool = builder(store.clone()).credentials(given).open().await.unwrap();
    assert_eq!((ids(&pool), look(&pool, "a").generation.get()), (vec!["a".to_owned(), "b".to_owned()], 7));
    assert_eq!(held(&store, "a").await.unwrap().credential, static_key("a"), "the store knows better");
    assert_eq!(held(&store, "b").await.unwrap().credential, static_key("b"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_opened_is_an_error_and_never_an_empty_pool() {
    struct NoList;
    impl Store for NoList {
        async fn load(&self, _: &StoreKey) -> Result<Option<Entry>, BoxError> {
            Ok(None)
        }
        async fn compare_and_set(
            &self,
            _: &StoreKey,
            _: Option<Revision>,
            _: Option<Record>,
        ) -> Result<CasOutcome, BoxError> {
            Ok(CasOutcome::Removed)
        }
    }
    let error = builder(NoList).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnsupported);

    let store = ScriptedStore::new();
    store.set_unreadable(true);
    let error = builder(store).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(
        error.to_string().contains("\"openai\" could not be loaded: scripted: the store cannot be read"),
        "{error}"
    );

    let store = MemoryStore::new();
    put(&store, Credential::new("a", Secret::new("s3cret\n"))).await;
    let error = builder(store).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("credential \"a\"") && !error.to_string().contains("s3cret"), "{error}");
}

#[test]
fn a_pool_is_opened_in_a_runtime() {
    let mut open = tokio_test::task::spawn(Pool::builder("openai").origin(ORIGIN).open());
    let std::task::Poll::Ready(outcome) = open.poll() else { panic!("it would wait for ever") };
    assert!(outcome.unwrap_err().to_string().contains("tokio runtime"));
}

fn http() -> HttpClient<Full<Bytes>> {
    HttpClient::new().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_the_configuration_lacks_is_said() {
    let open = async |json: &str| {
        let oauth = serde_json::from_str(json).unwrap();
        Pool::open("openai", MemoryStore::new(), &oauth, http()).await.map(|pool| pool.snapshot().credentials.len())
    };
    let cases = [
        ("{}", "has no origin"),
        (r#"{ "origins": ["https://api.example.com/v1"] }"#, "origins: must be"),
        (r#"{ "origins": ["https://api.example.com"], "clientId": "mine" }"#, "tokenUrl: must be set"),
        (
            r#"{ "origins": ["https://api.example.com"], "tokenUrl": "https://id.example.com/token" }"#,
            "clientId: must be set",
        ),
    ];
    for (json, expected) in cases {
        let error = open(json).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Config && error.to_string().contains(expected), "{json}: {error}");
    }
    let whole =
        r#"{ "origins": ["https://api.example.com"], "tokenUrl": "https://id.example.com/token", "clientId": "mine" }"#;
    assert_eq!(open(whole).await.unwrap(), 0);
}
