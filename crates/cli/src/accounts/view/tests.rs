//! Tests of the table and the JSON, for each state of a credential.

use std::time::UNIX_EPOCH;

use http::StatusCode;
use oauth_marathon::store::{Intent, LastStatus, Record, Revision};
use oauth_marathon::{Credential, Generation, Secret, TokenSet};

use super::*;

fn now() -> SystemTime {
    at(1_000_000)
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn providers() -> Vec<ProviderView> {
    let entry = |credential: Credential| Entry::new(Record::new(credential, Generation::new(3)), Revision::new(1));
    let tokens = || TokenSet::new("c4n4ry").with_refresh("c4n4ry");
    let mut cooling =
        entry(Credential::new("work", tokens().expires_at(at(1_003_120))).label("a@example.com").subject("1"));
    cooling.record.health.cooldowns = vec![
        Cooldown::new(Kind::Network, at(1_000_010)),
        Cooldown::new(Kind::Throttled, at(1_000_250)),
        Cooldown::new(Kind::Billing, at(999_999)),
    ];
    cooling.record.health.last_status = Some(LastStatus::new(StatusCode::TOO_MANY_REQUESTS, at(999_950)));
    let mut model = entry(Credential::new("home", tokens().expires_at(at(1))).label("h\u{1b}[2J"));
    model.record.health.cooldowns = vec![Cooldown::new(Kind::QuotaExhausted, at(1_000_060)).with_model("large")];
    let mut out = entry(Credential::new("old", TokenSet::new("c4n4ry")));
    out.record.health.out = Some(OutReason::RefreshRefused);
    out.record.health.cooldowns = vec![Cooldown::new(Kind::Throttled, at(1_000_250))];
    out.record.health.last_status = Some(LastStatus::new(StatusCode::UNAUTHORIZED, at(1_000_001)));
    let mut begun = entry(Credential::new("begun", tokens()));
    begun.record.intent = Some(Intent::new(Generation::new(3), now()));
    let key = entry(Credential::new("key", Secret::new("c4n4ry")));
    vec![
        ProviderView::of("openai".to_owned(), &[cooling, model, out, begun], now()),
        ProviderView::of("other".to_owned(), &[key], now()),
    ]
}

#[test]
fn the_table() {
    let table = anstream::adapter::strip_str(&table(&providers(), now())).to_string();
    assert_eq!(
        table,
        "\
PROVIDER  ID     LABEL          SUBJECT  STATE                                      LAST          TOKEN
openai    work   a@example.com  1        cools 4m 10s (rate limit)                  429, 50s ago  for 52m 0s
openai    home   h\\u{1b}[2J     -        active; large cools 1m 0s (quota used up)  -             expired
openai    old    -              -        out: log in again (refresh refused)        401           expiry unknown, no refresh token
openai    begun  -              -        ready                                      -             a refresh has begun
other     key    -              -        active                                     -             key
"
    );
}

#[test]
fn the_json() {
    let all = serde_json::to_value(providers()).unwrap();
    let expected = serde_json::json!({
        "id": "work", "label": "a@example.com", "subject": "1", "kind": "oauth", "active": false, "state": "resting",
        "reason": "rate limit", "restsForMs": 250_000, "lastStatus": 429, "lastStatusAt": 999_950_000,
        "cooldowns": [
            { "cause": "network", "model": null, "until": 1_000_010_000, "guessed": false },
            { "cause": "rate limit", "model": null, "until": 1_000_250_000, "guessed": false },
        ],
        "expiresAt": 1_003_120_000, "refreshable": true, "refreshing": false, "generation": 3,
    });
    assert_eq!(all[0]["credentials"][0], expected);
    assert_eq!(all[0]["credentials"][2]["state"], "out");
    assert_eq!(
        (&all[0]["credentials"][1]["lastStatus"], &all[0]["credentials"][1]["lastStatusAt"]),
        (&().into(), &().into())
    );
    assert!(!all.to_string().contains("c4n4ry"));
}
