use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use super::{RecordRefresh, RecordRefreshNews, RecordRefreshed};
use crate::clock::{SystemClock, WallClock};
use crate::credentials::Credential;
use crate::credentials::{Generation, TokenSet};
use crate::error::{BoxError, Error, ErrorKind};
use crate::store::{CasOutcome, Entry, Intent, MemoryStore, Record, Revision, Store, StoreKey};
use crate::tokens::refresh::{RefreshError, RefreshErrorKind, RefreshRequest, TokenSource, token_source_fn};
use crate::verdict::OutReason;

const EXCHANGE: Duration = Duration::from_secs(30);

fn key() -> StoreKey {
    StoreKey::new("x", "a")
}

fn old() -> TokenSet {
    TokenSet::new("old").with_refresh("r1")
}

async fn stored(store: &MemoryStore, tokens: TokenSet) -> Entry {
    let record = Record::new(Credential::new("a", tokens), Generation::FIRST);
    match store.compare_and_set(&key(), None, Some(record)).await.unwrap() {
        CasOutcome::Stored(entry) => entry,
        other => panic!("{other:?}"),
    }
}

/// A token source that gives out new tokens after it has changed the store with `meanwhile`.
fn source<F, Fut>(calls: &Arc<AtomicUsize>, meanwhile: F) -> impl TokenSource
where
    F: Fn() -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = ()> + Send,
{
    let calls = calls.clone();
    token_source_fn(move |request: RefreshRequest| {
        let (calls, meanwhile) = (calls.clone(), meanwhile.clone());
        async move {
            assert_eq!(request.tokens().refresh().unwrap().expose(), "r1");
            calls.fetch_add(1, Ordering::SeqCst);
            meanwhile().await;
            Ok(TokenSet::new("new").with_refresh("r2"))
        }
    })
}

/// The refresh of a record as it was seen.
async fn refresh(
    store: &impl Store,
    seen: &Record,
    (source, exchange): (&impl TokenSource, Duration),
    news: impl FnMut(RecordRefreshNews<'_>) + Send,
) -> Result<RecordRefreshed, Error> {
    RecordRefresh::new(store, source).exchange_timeout(exchange).run("x", seen, news).await
}

/// The error of the token source.
fn refusal(error: &Error) -> &RefreshError {
    error.source().and_then(|source| source.downcast_ref()).unwrap_or_else(|| panic!("{error}"))
}

/// Puts another record in the place of the stored one, or removes it.
async fn change(store: &MemoryStore, next: Option<Record>) {
    let found = store.load(&key()).await.unwrap().unwrap();
    let changed = store.compare_and_set(&key(), Some(found.revision), next).await.unwrap();
    assert!(!matches!(changed, CasOutcome::Conflict(_)), "{changed:?}");
}

/// The record with tokens that another process has brought.
fn with_tokens(record: &Record, tokens: TokenSet) -> Record {
    let credential = record.credential.clone().with_material(tokens);
    Record::new(credential, record.generation.next())
}

async fn held(store: &MemoryStore) -> Option<Record> {
    store.load(&key()).await.unwrap().map(|entry| entry.record)
}

#[tokio::test]
async fn the_intent_stands_in_the_store_while_the_token_is_exchanged() {
    let store = MemoryStore::new();
    let seen = stored(&store, old()).await;
    let calls = Arc::default();
    let there = store.clone();
    let source = source(&calls, move || {
        let there = there.clone();
        async move { assert_eq!(held(&there).await.unwrap().intent.unwrap().generation, Generation::FIRST) }
    });
    let mut told = Vec::new();
    let news = |what: RecordRefreshNews<'_>| told.push(format!("{what:?}"));
    let outcome = refresh(&store, &seen.record, (&source, EXCHANGE), news).await.unwrap();
    assert!(matches!(outcome, RecordRefreshed::New(_)), "{outcome:?}");
    assert!(told.is_empty(), "there was no earlier refresh: {told:?}");
    let expected = Record::new(Credential::new("a", TokenSet::new("new").with_refresh("r2")), Generation::new(2));
    assert_eq!(held(&store).await.unwrap(), expected);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn tokens_that_another_process_has_stored_are_adopted_and_not_sent() {
    let store = MemoryStore::new();
    let seen = stored(&store, old()).await;
    let newer = with_tokens(&seen.record, TokenSet::new("theirs"));
    let _ = store.compare_and_set(&key(), Some(seen.revision), Some(newer.clone())).await.unwrap();
    let calls = Arc::default();
    let outcome = refresh(&store, &seen.record, (&source(&calls, async || ()), EXCHANGE), |_| ()).await.unwrap();
    assert!(matches!(outcome, RecordRefreshed::Adopted(record) if record == newer));
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn notes_about_health_that_come_meanwhile_are_kept() {
    use crate::store::{Cooldown, HealthChange};
    use crate::verdict::Kind;

    let store = MemoryStore::new();
    let seen = stored(&store, old()).await;
    let cooldown = Cooldown::new(Kind::Throttled, SystemClock.now() + Duration::from_secs(60));
    let (there, note) = (store.clone(), cooldown.clone());
    let source = source(&Arc::default(), move || {
        let (there, note) = (there.clone(), note.clone());
        async move { there.note_health(&key(), Generation::FIRST, HealthChange::new().cooled(note)) }
    });
    refresh(&store, &seen.record, (&source, EXCHANGE), |_| ()).await.unwrap();
    let record = held(&store).await.unwrap();
    assert_eq!((record.generation, record.health.cooldowns), (Generation::new(2), vec![cooldown]));
}

#[tokio::test]
async fn a_removal_during_the_exchange_wins() {
    let store = MemoryStore::new();
    let seen = stored(&store, old()).await;
    let there = store.clone();
    let source = source(&Arc::default(), move || {
        let there = there.clone();
        async move {
            change(&there, None).await;
        }
    });
    let outcome = refresh(&store, &seen.record, (&source, EXCHANGE), |_| ()).await.unwrap();
    assert!(matches!(outcome, RecordRefreshed::Removed), "{outcome:?}");
    assert_eq!(held(&store).await, None);
}

#[tokio::test]
async fn a_refusal_ends_the_intent_and_one_for_good_needs_a_login() {
    let answered = |error: RefreshError| error.with_status(http::StatusCode::BAD_REQUEST);
    let begun = Some(Generation::FIRST);
    for (error, out, intent) in [
        (RefreshError::login_needed("no"), Some(OutReason::RefreshRefused), None),
        (answered(RefreshError::transient("later")), None, None),
        (answered(RefreshError::misconfigured("client")), None, None),
        // It is unknown whether the token is spent.
        (RefreshError::transient("no answer"), None, begun),
    ] {
        let store = MemoryStore::new();
        let seen = stored(&store, old()).await;
        let kind = error.kind();
        let source = token_source_fn(move |_| std::future::ready(Err(error.clone())));
        let error = refresh(&store, &seen.record, (&source, EXCHANGE), |_| ()).await.unwrap_err();
        assert_eq!(refusal(&error).kind(), kind);
        let record = held(&store).await.unwrap();
        let found = record.intent.map(|intent| intent.generation);
        assert_eq!((found, record.health.out, record.generation), (intent, out, Generation::FIRST));
    }
}

#[tokio::test]
async fn the_mark_of_a_refresh_without_an_end_is_told() {
    let store = MemoryStore::new();
    let mut record = stored(&store, old()).await.record;
    record.intent = Some(Intent::new(Generation::FIRST, SystemTime::UNIX_EPOCH));
    change(&store, Some(record.clone())).await;
    let mut told = 0;
    let outcome = refresh(&store, &record, (&source(&Arc::default(), async || ()), EXCHANGE), |what| {
        told += u32::from(matches!(what, RecordRefreshNews::Interrupted(_)))
    })
    .await
    .unwrap();
    assert!(matches!(outcome, RecordRefreshed::New(_)) && told == 1, "{outcome:?}");
}

#[tokio::test]
async fn what_a_refusal_means_after_a_refresh_that_was_cut_short() {
    let in_trouble = RefreshError::transient("later").with_status(http::StatusCode::SERVICE_UNAVAILABLE);
    for (error, out, mark) in [
        (RefreshError::login_needed("no"), Some(OutReason::RefreshLost), false),
        // The earlier refresh has no end yet.
        (in_trouble, None, true),
    ] {
        let store = MemoryStore::new();
        let mut record = stored(&store, old()).await.record;
        record.intent = Some(Intent::new(Generation::FIRST, SystemTime::UNIX_EPOCH));
        change(&store, Some(record.clone())).await;
        let source = token_source_fn(move |_| std::future::ready(Err(error.clone())));
        refresh(&store, &record, (&source, EXCHANGE), |_| ()).await.unwrap_err();
        let record = held(&store).await.unwrap();
        assert_eq!((record.health.out, record.intent.is_some()), (out, mark));
    }
}

#[tokio::test]
async fn a_person_may_have_a_refused_token_tried_again() {
    let store = MemoryStore::new();
    let mut record = stored(&store, old()).await.record;
    record.health.out = Some(OutReason::RefreshRefused);
    change(&store, Some(record.clone())).await;
    let outcome = refresh(&store, &record, (&source(&Arc::default(), async || ()), EXCHANGE), |_| ()).await.unwrap();
    assert!(matches!(outcome, RecordRefreshed::New(_)), "{outcome:?}");
    assert_eq!(held(&store).await.unwrap().health.out, None);
}

#[tokio::test]
async fn without_a_refresh_token_nothing_is_sent() {
    let store = MemoryStore::new();
    let seen = stored(&store, TokenSet::new("old")).await;
    let calls = Arc::default();
    let outcome = refresh(&store, &seen.record, (&source(&calls, async || ()), EXCHANGE), |_| ()).await.unwrap();
    assert!(matches!(outcome, RecordRefreshed::NotRefreshable), "{outcome:?}");
    assert_eq!((calls.load(Ordering::SeqCst), held(&store).await.unwrap()), (0, seen.record));
}

/// A store whose disk is full for a while.
struct Full {
    inner: MemoryStore,
    failures: AtomicUsize,
}

impl Store for Full {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, BoxError> {
        self.inner.load(key).await
    }

    async fn compare_and_set(
        &self,
        key: &StoreKey,
        expected: Option<Revision>,
        next: Option<Record>,
    ) -> Result<CasOutcome, BoxError> {
        let is_new = next.as_ref().is_some_and(|record| record.generation > Generation::FIRST);
        let less = |left: usize| left.checked_sub(1);
        if is_new && self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            return Err("no space".into());
        }
        self.inner.compare_and_set(key, expected, next).await
    }
}

#[tokio::test(start_paused = true)]
async fn new_tokens_are_kept_until_they_are_stored_and_that_is_said_once() {
    for failures in [1, 2, 1000] {
        let inner = MemoryStore::new();
        let seen = stored(&inner, old()).await;
        let store = Full { inner, failures: failures.into() };
        let mut told = Vec::new();
        let source = source(&Arc::default(), async || ());
        let outcome = refresh(&store, &seen.record, (&source, EXCHANGE), |what| match what {
            RecordRefreshNews::Unstored(error) => told.push(error.to_string()),
            other => told.push(format!("{other:?}")),
        });
        let Ok(RecordRefreshed::New(record)) = outcome.await else { panic!("{failures}") };
        assert_eq!((record.generation, &told[..]), (Generation::new(2), &["no space".to_owned()][..]));
    }
}

#[tokio::test(start_paused = true)]
async fn new_tokens_are_kept_also_if_the_one_who_is_told_panics() {
    let inner = MemoryStore::new();
    let seen = stored(&inner, old()).await;
    let store = Full { inner, failures: 2.into() };
    let source = source(&Arc::default(), async || ());
    let outcome = refresh(&store, &seen.record, (&source, EXCHANGE), |_| panic!("a scripted panic")).await;
    assert!(matches!(outcome, Ok(RecordRefreshed::New(_))), "{outcome:?}");
    assert_eq!(held(&store.inner).await.unwrap().generation, Generation::new(2));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_came_alone_is_kept_too() {
    for failures in [0, 3] {
        let inner = MemoryStore::new();
        let seen = stored(&inner, old()).await;
        let store = Full { inner, failures: failures.into() };
        let source = token_source_fn(async |_| {
            let error = RefreshError::transient("no access token").with_status(http::StatusCode::OK);
            Err(error.with_refresh_token("r2"))
        });
        let error = refresh(&store, &seen.record, (&source, EXCHANGE), |_| ()).await.unwrap_err();
        assert_eq!((error.kind(), refusal(&error).kind()), (ErrorKind::Refresh, RefreshErrorKind::Transient));
        let record = held(&store.inner).await.unwrap();
        let tokens = record.credential.material.tokens().unwrap();
        assert_eq!((record.generation, record.intent), (Generation::new(2), None));
        assert_eq!((tokens.access().expose(), tokens.refresh().unwrap().expose()), ("old", "r2"));
        assert!(tokens.expiry().is_some_and(|expiry| expiry <= SystemClock.now()), "the old one counts as expired");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_another_process_has_just_begun_is_waited_for() {
    let store = MemoryStore::new();
    let mut record = stored(&store, old()).await.record;
    record.intent = Some(Intent::new(Generation::FIRST, SystemClock.now()));
    change(&store, Some(record.clone())).await;
    let calls = Arc::default();
    // It ends well after ten seconds.
    let (there, newer) = (store.clone(), with_tokens(&record, TokenSet::new("theirs")));
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(10)).await;
        change(&there, Some(newer)).await;
    });
    let mut told = 0;
    let source = source(&calls, async || ());
    let outcome = refresh(&store, &record, (&source, EXCHANGE), |what| {
        told += u32::from(matches!(what, RecordRefreshNews::UnderWay(_)))
    });
    assert!(matches!(outcome.await.unwrap(), RecordRefreshed::Adopted(_)));
    assert_eq!((calls.load(Ordering::SeqCst), told), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn an_exchange_takes_no_longer_than_the_settings_say() {
    let store = MemoryStore::new();
    let seen = stored(&store, old()).await;
    let source = token_source_fn(async |_| std::future::pending().await);
    for (exchange, limit) in [(Duration::from_secs(7), 7_700), (Duration::from_secs(120), 121_000)] {
        let start = tokio::time::Instant::now();
        let error = refresh(&store, &seen.record, (&source, exchange), |_| ()).await.unwrap_err();
        assert_eq!(refusal(&error).kind(), RefreshErrorKind::Transient);
        assert_eq!(start.elapsed().as_millis(), limit);
    }
}
