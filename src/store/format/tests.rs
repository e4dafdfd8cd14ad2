//! Tests of the store's text: damage shows, and what other versions have written is kept.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use serde_json::json;

use super::document::UNCHECKED;
use super::*;
use crate::credentials::{Credential, Generation, Secret, TokenSet};
use crate::store::all_records::AllRecords;
use crate::store::{Cooldown, Health, Intent, LastStatus, Record, StoreKey};
use crate::verdict::{Kind, OutReason, Scope};

fn record(id: &str, generation: u64) -> Record {
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let tokens = TokenSet::new(format!("at-{id}")).with_refresh(format!("rt-{id}")).expires_at(at(1_900_000_000));
    let credential = Credential::new(id, tokens).label("L\u{f6}we").subject("acct_1").extra_header("x-org", "org-1");
    let mut record = Record::new(credential, Generation::new(generation));
    record.health.cooldowns = vec![
        Cooldown::new(Kind::Throttled, at(1_900_000_001)).with_guessed(true),
        Cooldown::new(Kind::QuotaExhausted, at(1_900_000_002)).with_model("large"),
    ];
    record.health.last_status = Some(LastStatus::new(http::StatusCode::TOO_MANY_REQUESTS, at(1_800_000_001)));
    record.intent = Some(Intent::new(Generation::new(generation), at(1_800_000_000)));
    record
}

#[test]
fn an_intent_says_whether_its_exchange_is_over() {
    for ended in [false, true] {
        let mut record = record("work", 3);
        record.intent = record.intent.map(|intent| Intent { ended, ..intent });
        let mut records = AllRecords::default();
        add(&mut records, record.clone());
        let mut document = Document::default();
        document.update(&records);
        let text = document.text().unwrap();
        let read = Document::parse(&text).unwrap().records().unwrap();
        assert_eq!(read.get(&StoreKey::new("openai", "work")).unwrap().record, record);
        // One that a version before this has written is one that may be under way.
        assert_eq!(std::str::from_utf8(&text).unwrap().contains("\"ended\""), ended);
    }
}

fn add(records: &mut AllRecords, record: Record) {
    let key = StoreKey::new("openai", &record.credential.id);
    let _ = records.compare_and_set(&key, None, Some(record)).unwrap();
}

fn records() -> AllRecords {
    let mut records = AllRecords::default();
    add(&mut records, record("work", 3));
    let mut banned = record("home", 1);
    banned.health = Health { out: Some(OutReason::Banned), ..Health::default() };
    add(&mut records, banned);
    let key =
        Credential::new("key", Secret::new("sk-1")).header("x-api-key").scheme("").base_url("https://eu.example.com");
    add(&mut records, Record::new(key, Generation::new(1)));
    records
}

fn text_of(records: &AllRecords) -> Vec<u8> {
    let mut document = Document::default();
    document.update(records);
    document.text().unwrap().to_vec()
}

fn read(text: &[u8]) -> Result<AllRecords, Problem> {
    Document::parse(text)?.records()
}

/// The text with other members, and with the checksum that a person sets.
fn edited(text: &[u8], edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(text).unwrap();
    edit(&mut value);
    value["checksum"] = json!(UNCHECKED);
    serde_json::to_vec(&value).unwrap()
}

#[test]
fn what_is_written_is_read() {
    let records = records();
    assert_eq!(read(&text_of(&records)).unwrap(), records);
    assert_eq!(Document::default().records().unwrap(), AllRecords::default());
}

#[test]
fn a_text_that_ends_too_early_is_an_error_at_every_byte() {
    let text = text_of(&records());
    // The last byte is a line feed.
    for length in 0..text.len() - 1 {
        assert!(read(&text[..length]).is_err(), "{length}");
    }
    assert_eq!(read(b"").unwrap_err().to_string(), "it is empty");
}

#[test]
fn every_flipped_bit_is_an_error_or_says_the_same() {
    let records = records();
    let text = text_of(&records);
    assert!(text.len() > 2_000, "{}", text.len());
    let mut same = 0;
    for bit in 0..text.len() * 8 {
        let mut damaged = text.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        match read(&damaged) {
            Err(problem) => {
                assert!(!["at-", "rt-", "sk-", "org-"].iter().any(|secret| problem.to_string().contains(secret)))
            }
            Ok(read) => {
                assert_eq!(read, records, "bit {bit}");
                same += 1;
            }
        }
    }
    // White space for white space, and the last line feed.
    assert!(same <= 4, "{same}");
}

#[test]
fn members_that_are_not_known_are_kept_at_every_level() {
    let strange = json!({ "deep": [1, 2.5, null, { "x": "y" }] });
    let old = edited(&text_of(&records()), |value| {
        value["new"] = strange.clone();
        value["providers"]["new"] = strange.clone();
        let provider = &mut value["providers"]["openai"];
        provider["new"] = strange.clone();
        let work = &mut provider["credentials"][0];
        for member in ["new", "oauth", "health", "intent"] {
            match member {
                "new" => work["new"] = strange.clone(),
                within => work[within]["new"] = strange.clone(),
            }
        }
        work["extraHeaders"][0]["new"] = strange.clone();
        work["health"]["cooldowns"][1]["new"] = strange.clone();
        work["health"]["lastStatus"]["new"] = strange.clone();
        let later = json!({ "cause": "tired", "scope": "credential", "until": "some day" });
        work["health"]["cooldowns"].as_array_mut().unwrap().push(later);
        work["health"]["out"] = json!("onHoliday");
        provider["credentials"][1]["new"] = strange.clone();
    });
    let mut document = Document::parse(&old).unwrap();
    let mut records = document.records().unwrap();
    let key = StoreKey::new("openai", "work");
    let held = records.get(&key).unwrap().clone();
    // The reason is unknown, but the credential is out.
    assert_eq!((held.record.health.out, held.record.health.cooldowns.len()), (Some(OutReason::Banned), 2));
    let mut next = held.record;
    next.generation = next.generation.next();
    next.credential.material = TokenSet::new("at-new").into();
    let _ = records.compare_and_set(&key, Some(held.revision), Some(next)).unwrap();
    records.set_order("openai", &["home".into()]);
    document.update(&records);

    let value: Value = serde_json::from_slice(&document.text().unwrap()).unwrap();
    assert_eq!(value["new"], strange);
    assert_eq!(value["providers"]["new"], strange);
    let provider = &value["providers"]["openai"];
    assert_eq!(provider["new"], strange);
    let [home, work, _] = &provider["credentials"].as_array().unwrap()[..] else { panic!("{provider}") };
    assert_eq!(home["new"], strange);
    assert_eq!(work["oauth"], json!({ "access": "at-new", "new": strange }));
    let (health, extra) = (&work["health"], &work["extraHeaders"][0]);
    for within in [work, health, &work["intent"], extra, &health["cooldowns"][1], &health["lastStatus"]] {
        assert_eq!(within["new"], strange, "{within}");
    }
    assert_eq!(work["health"]["cooldowns"][2]["cause"], "tired");
    assert_eq!(work["health"]["out"], "onHoliday");
}

/// A text from before the last status was kept.
#[test]
fn a_text_without_a_last_status_is_read_and_written() {
    let old = edited(&text_of(&records()), |value| {
        let health = value["providers"]["openai"]["credentials"][0]["health"].as_object_mut().unwrap();
        assert!(health.remove("lastStatus").is_some());
    });
    let mut document = Document::parse(&old).unwrap();
    let mut records = document.records().unwrap();
    let key = StoreKey::new("openai", "work");
    let held = records.get(&key).unwrap().record.clone();
    assert_eq!((held.health.last_status, held.health.cooldowns.len()), (None, 2));
    let last = LastStatus::new(http::StatusCode::OK, UNIX_EPOCH + Duration::from_secs(1_800_000_009));
    assert!(records.note(&key, held.generation, &crate::store::HealthChange::new().answered(last)).unwrap());
    document.update(&records);
    let written: Value = serde_json::from_slice(&document.text().unwrap()).unwrap();
    let health = &written["providers"]["openai"]["credentials"][0]["health"];
    assert_eq!(health["lastStatus"], json!({ "status": 200, "at": 1_800_000_009_000_u64 }));
    assert_eq!(read(&document.text().unwrap()).unwrap(), records);
}

#[test]
fn a_later_version_is_read_and_known_as_such() {
    let records = records();
    let later = edited(&text_of(&records), |value| value["version"] = json!(2));
    let document = Document::parse(&later).unwrap();
    assert_eq!(document.later_version(), Some(2));
    assert_eq!(document.records().unwrap(), records);
    assert_eq!(Document::parse(&text_of(&records)).unwrap().later_version(), None);
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_without_its_value() {
    let text = text_of(&records());
    type Edit = fn(&mut Value);
    let cases: [(Edit, &str); 13] = [
        (|value| value["version"] = json!("sk-1"), "at /version: a whole number from 0 was expected"),
        (|value| value["version"] = json!(0), "its version is 0"),
        (|value| value["providers"] = json!(["sk-1"]), "at /providers: an object was expected"),
        (
            |value| value["providers"]["openai"]["credentials"] = json!("sk-1"),
            "at /providers/openai/credentials: an array",
        ),
        (
            |value| value["providers"]["openai"]["credentials"][1] = json!("sk-1"),
            "credentials/1: an object was expected",
        ),
        (|value| value["providers"]["openai"]["credentials"][1]["id"] = json!("work"), "the id \"work\" comes twice"),
        (
            |value| value["providers"]["openai"]["credentials"][0]["oauth"]["access"] = json!(["sk-1"]),
            "0/oauth/access: a text",
        ),
        (
            |value| value["providers"]["openai"]["credentials"][0]["oauth"]["expiresAt"] = json!("sk-1"),
            "0/oauth/expiresAt: a time",
        ),
        (|value| value["providers"]["openai"]["credentials"][0]["key"] = json!("sk-1"), "either \"oauth\" or \"key\""),
        (
            |value| value["providers"]["openai"]["credentials"][0]["generation"] = json!(-1),
            "0/generation: a whole number",
        ),
        (
            |value| value["providers"]["openai"]["credentials"][0]["health"]["lastStatus"]["status"] = json!(70_000),
            "0/health/lastStatus/status: a status",
        ),
        (
            |value| value["providers"]["openai"]["credentials"][0]["health"]["lastStatus"]["at"] = Value::Null,
            "0/health/lastStatus/at: a time",
        ),
        (
            |value| value["providers"]["openai"]["credentials"][0]["revision"] = Value::Null,
            "0/revision: a whole number",
        ),
    ];
    for (edit, said) in cases {
        let problem = read(&edited(&text, edit)).unwrap_err().to_string();
        assert!(problem.contains(said) && !problem.contains("sk-1"), "{problem}");
    }
    for (text, said) in [
        (&b"[\"sk-1\"]"[..], "not a JSON object"),
        (b"{} sk-1", "line 1, column 4"),
        (b"{\"version\": 1}", "no checksum"),
    ] {
        let problem = read(text).unwrap_err().to_string();
        assert!(problem.contains(said) && !problem.contains("sk-1"), "{problem}");
    }
    let by_hand = String::from_utf8(text).unwrap().replace("acct_1", "acct_2");
    assert!(read(by_hand.as_bytes()).unwrap_err().to_string().contains("\"unchecked\""));
}

#[test]
fn the_checksum_stands_on_what_is_said_and_not_on_how() {
    let text = text_of(&records());
    let value: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(read(&serde_json::to_vec(&value).unwrap()).unwrap(), records());
}

/// An inexact reader takes the shortest form of some numbers for the form of a neighbour.
#[test]
fn a_number_of_any_size_is_read_as_it_was_written() {
    for number in ["3.5906999999999998e78", "1e-300", "18446744073709551617", "0.1"] {
        let mut text =
            String::from_utf8(edited(&text_of(&records()), |root| root["checksum"] = json!("unchecked"))).unwrap();
        let end = text.rfind('}').unwrap();
        text.insert_str(end, &format!(",\"x\":{number}"));
        let written = text_of(&read(text.as_bytes()).unwrap());
        assert!(read(&written).is_ok_and(|again| text_of(&again) == written), "{number}");
    }
}

#[test]
fn nested_without_end_is_an_error() {
    assert!(read(&b"[".repeat(200_000)).is_err());
    assert!(read(&b"{\"a\":".repeat(200_000)).is_err());
}

fn secrets() -> impl Strategy<Value = String> {
    any::<String>()
}

proptest! {
    #[test]
    fn any_record_comes_back(
        (id, access, refresh) in (secrets(), secrets(), proptest::option::of(secrets())),
        (label, model, header) in (proptest::option::of(secrets()), secrets(), secrets()),
        (generation, until, expiry, guessed) in (1..u64::MAX / 2, 0..1_u64 << 45, proptest::option::of(0..1_u64 << 45), any::<bool>()),
        (scope, status) in (0..3, 0..1_000_u16),
    ) {
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let mut tokens = TokenSet::new(access.as_str());
        tokens = refresh.into_iter().fold(tokens, |tokens, refresh| tokens.with_refresh(refresh));
        tokens = expiry.into_iter().fold(tokens, |tokens, expiry| tokens.expires_at(at(expiry)));
        let mut credential = Credential::new(id, if guessed { Secret::new(access).into() } else { crate::credentials::Material::from(tokens) });
        credential = label.into_iter().fold(credential, |credential, label| credential.label(&label));
        credential = credential.extra_header(header.clone(), "1").extra_header(header, "2");
        let mut record = Record::new(credential, Generation::new(generation));
        let cooldown = Cooldown::new(Kind::Network, at(until)).with_guessed(guessed);
        record.health.cooldowns.push(match scope {
            0 => cooldown,
            1 => cooldown.with_model(model),
            _ => cooldown.with_scope(Scope::Provider),
        });
        if let Ok(status) = http::StatusCode::from_u16(status) {
            record.health.last_status = Some(LastStatus::new(status, at(until)));
        }
        let mut records = AllRecords::default();
        add(&mut records, record);
        let text = text_of(&records);
        prop_assert_eq!(read(&text).unwrap(), records.clone());
        // Writing it again changes nothing.
        let mut document = Document::parse(&text).unwrap();
        document.update(&records);
        prop_assert_eq!(&**document.text().unwrap(), &text[..]);
    }

    #[test]
    fn no_text_makes_it_panic(text in proptest::collection::vec(any::<u8>(), 0..200), json in "[\\[\\]{}:,\"a-z0-9 ]{0,80}") {
        let _ = read(&text);
        let _ = read(json.as_bytes());
    }

    #[test]
    fn times_are_cut_to_the_millisecond(nanos in 0..1_u64 << 62) {
        let time = UNIX_EPOCH + Duration::from_nanos(nanos);
        let record = cut(Record::new(Credential::new("a", TokenSet::new("t").expires_at(time)), Generation::new(1)));
        let crate::credentials::Material::OAuth(tokens) = record.credential.material else { unreachable!() };
        prop_assert_eq!(tokens.expiry().unwrap(), UNIX_EPOCH + Duration::from_millis(nanos / 1_000_000));
    }
}
