//! `auth use`, `auth clear` and `auth remove`.

use std::time::{Duration, SystemTime};

use oauth_marathon::store::{Cooldown, Health, Record};
use oauth_marathon::verdict::Kind;
use oauth_marathon::verdict::OutReason;
use oauth_marathon::{Credential, Generation, Secret};

use crate::run::Home;

async fn filled() -> Home {
    let home = Home::new();
    for id in ["a", "b", "c"] {
        let mut record = Record::new(Credential::new(id, Secret::new(format!("c4n4ry-{id}"))), Generation::new(1));
        if id == "b" {
            #[allow(clippy::disallowed_methods, reason = "the command reads the wall clock")]
            let until = SystemTime::now() + Duration::from_secs(3600);
            record.health.cooldowns.push(Cooldown::new(Kind::Throttled, until));
        }
        if id == "c" {
            record.health.out = Some(OutReason::RefreshRefused);
        }
        home.add_record("x", record).await;
    }
    home
}

#[tokio::test]
async fn one_is_put_to_the_front() {
    let home = filled().await;
    let ran = home.run(&["auth", "use", "x", "b"]).await.done();
    assert_eq!(ran.out, "b is the first of x.\n");
    assert!(
        ran.err.contains("It cannot be used for now") && ran.err.contains("marathon auth clear x b"),
        "{}",
        ran.err
    );
    assert_eq!(home.ids("x").await, ["b", "a", "c"]);
    assert_eq!(home.listed("x", "b").await["state"], "resting");
    assert_eq!(home.listed("x", "a").await["active"], true);

    let ran = home.run(&["auth", "use", "x", "a"]).await.done();
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("a is the first of x.\n", ""));
    home.run(&["auth", "use", "x", "d"]).await.failed(3, "x has no credential \"d\"; there are a, b, c");
    home.run(&["auth", "use", "y", "a"]).await.failed(3, "there are no credentials of \"y\"; there are x");
}

#[tokio::test]
async fn what_keeps_them_from_being_used_is_cleared() {
    let home = filled().await;
    let ran = home.run(&["auth", "clear", "x", "b"]).await.done();
    assert_eq!(ran.out, "Nothing keeps b of x from being used any more.\n");
    assert_eq!(home.load("x", "b").await.unwrap().health, Health::default());
    assert!(home.load("x", "c").await.unwrap().health.out.is_some());
    let ran = home.run(&["auth", "clear", "x"]).await.done();
    assert_eq!(ran.out, "Nothing keeps c of x from being used any more.\n");
    let ran = home.run(&["auth", "clear", "x"]).await.done();
    assert_eq!(ran.out, "Nothing kept the credentials of x from being used.\n");
    assert_eq!(home.run(&["auth", "clear", "x", "--quiet"]).await.done().out, "");
}

#[tokio::test]
async fn one_is_removed_when_somebody_has_said_yes() {
    let home = filled().await;
    home.run(&["auth", "remove", "x", "b"]).await.failed(2, "there is no terminal to ask on");
    home.run_with_input(&["auth", "remove", "x", "b"], "yes\n").await.failed(2, "Give --yes");
    assert_eq!(home.ids("x").await, ["a", "b", "c"]);
    let ran = home.run(&["auth", "remove", "x", "b", "--yes"]).await.done();
    assert_eq!(ran.out, "Removed b of x.\n");
    assert_eq!(home.ids("x").await, ["a", "c"]);
    home.run(&["auth", "remove", "x", "b", "--yes"]).await.failed(3, "x has no credential \"b\"; there are a, c");
}

#[tokio::test]
async fn a_removal_of_the_last_credential_leaves_the_store_empty_and_ours() {
    let home = Home::new();
    home.add("x", Credential::new("a", Secret::new("c4n4ry"))).await;
    home.run(&["auth", "remove", "x", "a", "--yes"]).await.done();
    let text = std::fs::read(home.path(".local/share/oauth-marathon/credentials.json")).unwrap();
    let text: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert!(text["version"] == 1 && text["checksum"].is_string(), "{text}");
    home.run(&["auth", "list"]).await.done();
    home.run(&["auth", "remove", "x", "a", "--yes"]).await.failed(3, "the store is empty");
}
