//! A file that is damaged or of a later version is an error, and stays as it is.

use std::fs;
use std::time::Duration;

use oauth_marathon::store::{Cooldown, FileStore, HealthChange, Store};
use oauth_marathon::verdict::Kind;
use oauth_marathon::{Error, ErrorKind, Generation};

use crate::file_store::place::{Place, generation, key, raise};

async fn store() -> (Place, FileStore, Vec<u8>) {
    let place = Place::new();
    let store = FileStore::open(&place.path).await.unwrap();
    raise(&store, "work").await.unwrap().unwrap();
    let text = fs::read(&place.path).unwrap();
    (place, store, text)
}

#[tokio::test]
async fn a_damaged_file_is_an_error_to_readers_and_writers_and_is_not_overwritten() {
    let (place, store, text) = store().await;
    let mut cases = vec![Vec::new(), b"{}".to_vec(), b"null".to_vec(), vec![0; 512], text.repeat(2)];
    cases.extend((1..text.len() - 1).step_by(61).map(|length| text[..length].to_vec()));
    cases.extend((0..text.len() - 1).step_by(37).map(|at| {
        let mut flipped = text.clone();
        flipped[at] ^= 0x01;
        flipped
    }));
    for damaged in cases {
        fs::write(&place.path, &damaged).unwrap();
        let opened = FileStore::open(&place.path).await.unwrap_err();
        let read = store.load(&key("work")).await.unwrap_err();
        let written = raise(&store, "work").await.unwrap_err();
        let listed = store.load_all("openai").await.unwrap_err();
        store.note_health(&key("work"), Generation::new(9), HealthChange::new().cleared());
        let flushed = store.flush().await.unwrap_err();
        for error in [&opened.into(), &read, &written, &listed, &flushed] {
            let error = Error::find(&**error).unwrap();
            assert_eq!(error.kind(), ErrorKind::StoreCorrupt);
            let text = format!("{error} {error:?}");
            assert!(text.contains(place.path.to_str().unwrap()) && text.contains("left as it is"), "{text}");
            assert!(!text.contains("at-work") && !text.contains("rt-work"), "{text}");
        }
        assert_eq!(fs::read(&place.path).unwrap(), damaged);
    }
    fs::write(&place.path, &text).unwrap();
    assert_eq!(generation("work", store.load(&key("work")).await.unwrap().as_ref()), 1);
}

#[tokio::test]
async fn a_file_of_a_later_version_is_read_and_not_written() {
    let (place, store, text) = store().await;
    let mut value: serde_json::Value = serde_json::from_slice(&text).unwrap();
    value["version"] = 2.into();
    value["checksum"] = "unchecked".into();
    let later = serde_json::to_vec(&value).unwrap();
    fs::write(&place.path, &later).unwrap();
    for store in [store, FileStore::open(&place.path).await.unwrap()] {
        assert_eq!(generation("work", store.load(&key("work")).await.unwrap().as_ref()), 1);
        let error = raise(&store, "work").await.unwrap_err();
        let error = Error::find(&*error).unwrap();
        assert_eq!(error.kind(), ErrorKind::StoreVersion);
        assert!(error.to_string().contains("version 2") && error.to_string().contains("update the program"), "{error}");
    }
    assert_eq!(fs::read(&place.path).unwrap(), later);
}

#[tokio::test]
async fn members_of_others_outlive_every_kind_of_change() {
    let (place, store, text) = store().await;
    let mut value: serde_json::Value = serde_json::from_slice(&text).unwrap();
    value["theirs"] = "root".into();
    value["providers"]["openai"]["credentials"][0]["theirs"] = "credential".into();
    value["checksum"] = "unchecked".into();
    fs::write(&place.path, serde_json::to_vec(&value).unwrap()).unwrap();
    raise(&store, "work").await.unwrap().unwrap();
    raise(&store, "home").await.unwrap().unwrap();
    store.set_order("openai", &["home".into()]).await.unwrap();
    let until = std::time::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    let cooled = HealthChange::new().cooled(Cooldown::new(Kind::Throttled, until));
    store.note_health(&key("work"), Generation::new(2), cooled);
    store.flush().await.unwrap();
    let home = store.load(&key("home")).await.unwrap().unwrap();
    let _ = store.compare_and_set(&key("home"), Some(home.revision), None).await.unwrap();
    let value: serde_json::Value = serde_json::from_slice(&fs::read(&place.path).unwrap()).unwrap();
    assert_eq!(value["theirs"], "root");
    assert_eq!(value["providers"]["openai"]["credentials"][0]["theirs"], "credential");
    assert_ne!(value["checksum"], "unchecked");
}

#[tokio::test]
async fn a_store_and_its_errors_show_no_token() {
    let (_place, store, _) = store().await;
    let entry = store.load(&key("work")).await.unwrap();
    let shown = format!("{store:?} {store:#?} {entry:?} {entry:#?}");
    assert!(shown.contains("credentials.json") && !shown.contains("at-work") && !shown.contains("rt-work"), "{shown}");
}
