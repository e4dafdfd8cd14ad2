//! Tests of each form, and of mistakes in it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use oauth_marathon::store::Cooldown;
use oauth_marathon::verdict::{Kind, OutReason};
use oauth_marathon::{Credential, Generation, Material, Secret, TokenSet};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn at(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(milliseconds)
}

fn read(json: &Value) -> AuthFile {
    AuthFile::read(json.to_string().as_bytes()).unwrap()
}

fn refusal(json: &Value) -> String {
    AuthFile::read(json.to_string().as_bytes()).unwrap_err()
}

fn record(credential: Credential) -> Record {
    Record::new(credential, Generation::FIRST)
}

fn jwt(claims: &Value) -> String {
    format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// The provider and the record of each credential that was read.
fn pairs(import: &AuthFile) -> Vec<(&str, Record)> {
    import.credentials.iter().map(|one| (one.provider.as_str(), one.record.clone())).collect()
}

fn opencode_v2() -> Value {
    json!({ "version": 2, "providers": {
        "openai": {
            "type": "oauth", "active": { "default": "01B" }, "order": { "default": ["01C", "01B"], "work": ["01D"] },
            "records": [
                { "id": "01A", "namespace": "default", "label": "late", "refresh": "rt-a", "access": "at-a", "expires": 5000,
                  "createdAt": 1, "updatedAt": 2, "health": { "successCount": 3, "failureCount": 0 } },
                { "id": "01B", "namespace": "default", "accountId": "acct-b", "refresh": "rt-b", "access": "", "expires": 0 },
                { "id": "01C", "refresh": "rt-c", "access": "at-c", "expires": 6000.5, "unknown": { "refresh": "no" },
                  "health": { "cooldownUntil": 9000, "lastStatusCode": 429 } },
                { "id": "01D", "namespace": "work", "refresh": "rt-d", "access": "at-d", "expires": 1 },
            ],
        },
        "other": { "type": "api", "key": "sk-1" },
    } })
}

fn codex_rotation() -> Value {
    let id_token = jwt(&json!({ "sub": "user-1", "email": "a@example.com" }));
    json!({ "version": 2, "OPENAI_API_KEY": null, "providers": { "openai": {
        "type": "oauth", "active": "b", "order": ["b", "a"],
        "records": [
            { "id": "a", "label": "home", "last_refresh": "2026-01-01T00:00:00Z", "health": { "requires_relogin": true },
              "tokens": { "id_token": id_token, "access_token": "at-a", "refresh_token": "rt-a", "account_id": "acct-a" } },
            { "id": "b", "tokens": { "id_token": id_token, "access_token": "at-b", "refresh_token": "rt-b" } },
        ],
    } } })
}

#[test]
fn a_flat_file_of_opencode() {
    let import = read(&json!({
        "anthropic": { "type": "oauth", "refresh": "rt", "access": "at", "expires": 1_900_000_000_000_u64 },
        "copilot": { "type": "oauth", "refresh": "rt2", "access": "at2", "expires": 0, "enterpriseUrl": "ghe.example.com" },
        "key": { "type": "api", "key": "sk-1", "metadata": { "a": "b" } },
        "https://wk.example.com": { "type": "wellknown", "key": "NAME", "token": "t" },
        "strange": { "type": "passkey" },
    }));
    assert_eq!(import.form, Form::Opencode);
    let first = TokenSet::new("at").with_refresh("rt").expires_at(at(1_900_000_000_000));
    let expected = [
        ("anthropic", record(Credential::new("default", first))),
        ("copilot", record(Credential::new("default", TokenSet::new("at2").with_refresh("rt2")))),
        ("key", record(Credential::new("key", Secret::new("sk-1")))),
    ];
    assert_eq!(pairs(&import), expected);
    let places: Vec<_> = import.left_out.iter().map(|left| left.place.as_str()).collect();
    assert_eq!(places, ["/copilot/enterpriseUrl", "/https://wk.example.com", "/strange"]);
    assert!(import.left_out[2].why.contains("\"passkey\""), "{:?}", import.left_out[2]);
}

#[test]
fn version_2_of_opencode_in_its_order() {
    let import = read(&opencode_v2());
    assert_eq!(import.form, Form::OpencodeV2);
    let mut c = record(Credential::new(
        "01C",
        TokenSet::new("at-c").with_refresh("rt-c").expires_at(UNIX_EPOCH + Duration::from_secs_f64(6.0005)),
    ));
    c.health.cooldowns.push(Cooldown::new(Kind::Throttled, at(9000)).with_guessed(true));
    let blanked = TokenSet::new("expired").with_refresh("rt-b").expires_at(UNIX_EPOCH);
    let a = TokenSet::new("at-a").with_refresh("rt-a").expires_at(at(5000));
    let expected = [
        ("openai", record(Credential::new("01B", blanked).subject("acct-b"))),
        ("openai", c),
        ("openai", record(Credential::new("01A", a).label("late"))),
        ("other", record(Credential::new("key", Secret::new("sk-1")))),
    ];
    assert_eq!(pairs(&import), expected);
    assert_eq!(import.left_out.len(), 1);
    assert_eq!(import.left_out[0].place, "/providers/openai/records/3");
}

#[test]
fn codex_with_one_account() {
    let access = jwt(&json!({ "exp": 1_900_000_000 }));
    let id_token = jwt(&json!({ "sub": "user-1", "email": "a@example.com" }));
    let import = read(&json!({
        "auth_mode": "chatgpt", "OPENAI_API_KEY": "sk-1", "last_refresh": "2026-01-01T00:00:00Z",
        "tokens": { "id_token": id_token, "access_token": access, "refresh_token": "rt", "account_id": "acct-1" },
    }));
    assert_eq!(import.form, Form::Codex);
    let tokens = TokenSet::new(access).with_refresh("rt").expires_at(at(1_900_000_000_000));
    let account = Credential::new("codex", tokens).subject("acct-1").label("a@example.com");
    let expected = [
        ("openai", record(account.extra_header("chatgpt-account-id", "acct-1"))),
        ("openai", record(Credential::new("key", Secret::new("sk-1")))),
    ];
    assert_eq!(pairs(&import), expected);
    assert_eq!(read(&json!({ "OPENAI_API_KEY": null, "tokens": null })).credentials, []);
}

#[test]
fn codex_with_several_accounts() {
    let import = read(&codex_rotation());
    assert_eq!(import.form, Form::CodexRotation);
    let tokens = |access: &str, refresh: &str| TokenSet::new(access).with_refresh(refresh);
    let mut a = record(
        Credential::new("a", tokens("at-a", "rt-a"))
            .subject("acct-a")
            .label("home")
            .extra_header("chatgpt-account-id", "acct-a"),
    );
    a.health.out = Some(OutReason::RefreshRefused);
    let b = record(Credential::new("b", tokens("at-b", "rt-b")).subject("user-1").label("a@example.com"));
    assert_eq!(pairs(&import), [("openai", b), ("openai", a)]);
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_what_would_be_right() {
    let oauth = |key: &str, value: Value| {
        let mut entry = json!({ "type": "oauth", "refresh": "s3cret", "access": "s3cret", "expires": 1 });
        entry[key] = value;
        json!({ "x": entry })
    };
    let broken = |mut file: Value, pointer: &str, value: Value| {
        *file.pointer_mut(pointer).unwrap() = value;
        file
    };
    let v2 = "/providers/openai/records";
    for (file, expected) in [
        (oauth("access", json!(5)), "opencode's auth.json: at /x/access: a text was expected"),
        (oauth("access", Value::Null), "at /x/access: a text was expected"),
        (oauth("refresh", json!(["s3cret"])), "at /x/refresh: a text was expected"),
        (oauth("expires", json!("s3cret")), "at /x/expires: a time in milliseconds since 1970"),
        (oauth("expires", json!(-1)), "at /x/expires: a time"),
        (oauth("expires", json!(1e300)), "at /x/expires: a time"),
        (oauth("accountId", json!({})), "at /x/accountId: a text was expected"),
        (json!({ "x": { "type": "oauth", "refresh": "", "access": "" } }), "at /x: both tokens are empty"),
        (json!({ "x": { "type": "api", "key": "" } }), "at /x/key: it is empty"),
        (json!({ "x": { "type": "api" } }), "at /x/key: a text was expected"),
        (json!({ "x": { "type": "api", "key": "s3cret" }, "y": "s3cret" }), "at /y: an object was expected"),
        (broken(opencode_v2(), v2, json!([1])), "at /providers/openai/records/0: an object was expected"),
        (broken(opencode_v2(), v2, json!("s3cret")), "at /providers/openai/records: an array was expected"),
        (broken(opencode_v2(), &format!("{v2}/1/id"), json!("01A")), "the id \"01A\" comes twice"),
        (broken(opencode_v2(), &format!("{v2}/1/id"), json!("")), "/records/1/id: it is empty"),
        (broken(opencode_v2(), &format!("{v2}/2/health"), json!(1)), "/records/2/health: an object"),
        (broken(codex_rotation(), &format!("{v2}/0/tokens"), json!("s3cret")), "/records/0/tokens: an object"),
        (broken(codex_rotation(), &format!("{v2}/0/tokens/access_token"), json!(1)), "/tokens/access_token: a text"),
        (json!({ "tokens": {} }), "codex's auth.json: at /tokens/access_token: a text was expected"),
        (json!({ "OPENAI_API_KEY": ["s3cret"] }), "at /OPENAI_API_KEY: a text was expected"),
        (json!({ "version": 3, "providers": {} }), "version 3 of an unknown format; what can be read is opencode's"),
        (json!({ "accounts": ["s3cret"] }), "of an unknown form; what can be read is opencode's auth.json ("),
        (json!(["s3cret"]), "not a JSON object"),
    ] {
        let message = refusal(&file);
        assert!(message.contains(expected), "{message}\n{expected}");
        assert!(!message.contains("s3cret"), "{message}");
    }
}

#[test]
fn what_is_no_json_or_too_large_is_refused() {
    let deep = "[".repeat(200_000);
    for (text, expected) in [
        ("", "it is empty"),
        ("{\"x\": \"s3cret", "line 1, column"),
        ("{ 's3cret': 1 }", "no valid JSON at line 1"),
        (&*deep, "no valid JSON"),
        (&" ".repeat(MOST_BYTES + 1), "larger than 16 MiB"),
    ] {
        let message = AuthFile::read(text.as_bytes()).unwrap_err();
        assert!(message.contains(expected) && !message.contains("s3cret"), "{message}");
    }
    assert_eq!(AuthFile::read(b"\xef\xbb\xbf{}").unwrap().credentials, []);
}

#[test]
fn tokens_never_show() {
    for file in [opencode_v2(), codex_rotation()] {
        let shown = format!("{:?}", read(&file));
        assert!(shown.contains("[redacted]") && !shown.contains("rt-") && !shown.contains("at-"), "{shown}");
    }
}

/// JSON that is near to one of the forms.
fn nearly(file: Value) -> impl Strategy<Value = Value> {
    let odd = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!({ "records": [{}, [], 1] })),
    ];
    let mut places = Vec::new();
    walk(&file, String::new(), &mut places);
    (prop::sample::select(places), odd, any::<bool>()).prop_map(move |(place, odd, remove)| {
        let mut file = file.clone();
        let (parent, key) = place.rsplit_once('/').unwrap();
        match file.pointer_mut(parent) {
            Some(Value::Object(members)) if remove => drop(members.remove(key)),
            _ => *file.pointer_mut(&place).unwrap() = odd,
        }
        file
    })
}

fn walk(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| walk(value, format!("{place}/{key}"), places)),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, value)| walk(value, format!("{place}/{at}"), places))
        }
        _ => {}
    }
    if !place.is_empty() {
        places.push(place);
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_what_is_read_is_whole(
        file in prop_oneof![nearly(opencode_v2()), nearly(codex_rotation()), nearly(json!({ "x": { "type": "oauth", "refresh": "r", "access": "a", "expires": 1 } }))]
    ) {
        if let Ok(import) = AuthFile::read(file.to_string().as_bytes()) {
            for one in &import.credentials {
                prop_assert!(!one.record.credential.id().as_str().is_empty());
                match one.record.credential.material() {
                    Material::OAuth(tokens) => prop_assert!(!tokens.access().is_empty()),
                    Material::Key(key) => prop_assert!(!key.is_empty()),
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = AuthFile::read(&bytes);
    }
}
