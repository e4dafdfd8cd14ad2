//! `auth list`: what it shows, and that it shows nothing else.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;

use oauth_marathon::store::{Cooldown, LastStatus, Record};
use oauth_marathon::verdict::Kind;
use oauth_marathon::verdict::OutReason;
use oauth_marathon::{Credential, Generation, Secret};

use crate::run::{Home, tokens};

/// After any time of day, so that nothing that is shown depends on that.
fn far() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(32_503_680_000)
}

async fn filled() -> Home {
    let home = Home::new();
    let work = Credential::new("work", tokens("work").expires_at(UNIX_EPOCH + Duration::from_secs(1)));
    home.add("openai", work.label("alice@example.com").subject("user-1")).await;
    let mut old = Record::new(Credential::new("old", tokens("old")).label("\u{1b}[2Jbob"), Generation::new(7));
    old.health.out = Some(OutReason::Banned);
    old.health.cooldowns.push(Cooldown::new(Kind::Throttled, UNIX_EPOCH + Duration::from_secs(9)));
    old.health.last_status = Some(LastStatus::new(StatusCode::TOO_MANY_REQUESTS, far()));
    home.add_record("openai", old).await;
    home.add("other", Credential::new("key", Secret::new("c4n4ry"))).await;
    home
}

#[tokio::test]
async fn as_a_table() {
    let home = filled().await;
    let ran = home.run(&["auth", "list"]).await.done();
    assert_eq!(
        ran.out,
        "\
PROVIDER  ID    LABEL              SUBJECT  STATE                          LAST  TOKEN
openai    work  alice@example.com  user-1   active                         -     expired
openai    old   \\u{1b}[2Jbob       -        out: banned or to be verified  429   expiry unknown
other     key   -                  -        active                         -     key
"
    );
    assert_eq!(ran.err, "");
    let ran = home.run(&["auth", "list", "other", "--quiet"]).await.done();
    assert_eq!(ran.out.lines().count(), 2, "{}", ran.out);
}

#[tokio::test]
async fn as_json() {
    let home = filled().await;
    let ran = home.run(&["auth", "list", "other", "--json"]).await.done();
    assert_eq!(
        ran.out,
        r#"{
  "providers": [
    {
      "credentials": [
        {
          "active": true,
          "cooldowns": [],
          "expiresAt": null,
          "generation": 1,
          "id": "key",
          "kind": "key",
          "label": null,
          "lastStatus": null,
          "lastStatusAt": null,
          "reason": null,
          "refreshable": false,
          "refreshing": false,
          "restsForMs": null,
          "state": "ready",
          "subject": null
        }
      ],
      "provider": "other"
    }
  ]
}
"#
    );
    let old = home.listed("openai", "old").await;
    assert_eq!((&old["state"], &old["generation"], &old["refreshable"]), (&"out".into(), &7.into(), &true.into()));
    assert_eq!((&old["lastStatus"], &old["lastStatusAt"]), (&429.into(), &32_503_680_000_000_u64.into()));
    assert_eq!((&old["cooldowns"], &old["active"]), (&serde_json::json!([]), &false.into()));
}

#[tokio::test]
async fn colours_are_for_terminals_and_for_those_who_ask() {
    let home = filled().await;
    let coloured = async |args: &[&str], variable: Option<(&str, &str)>| {
        let mut command = home.command(&[&["auth", "list"], args].concat());
        command.envs(variable);
        command.output().await.unwrap().stdout.contains(&0x1b)
    };
    assert!(!coloured(&[], None).await);
    assert!(coloured(&["--color", "always"], None).await);
    assert!(coloured(&[], Some(("CLICOLOR_FORCE", "1"))).await);
    assert!(!coloured(&["--color=never"], Some(("CLICOLOR_FORCE", "1"))).await);
    assert!(!coloured(&[], Some(("NO_COLOR", "1"))).await);
}

#[tokio::test]
async fn an_empty_store_and_an_unknown_provider() {
    let home = Home::new();
    let ran = home.run(&["auth", "list"]).await.done();
    assert_eq!(ran.out, "There are no credentials yet. Add one: marathon auth login PROVIDER\n");
    let ran = home.run(&["auth", "list", "--json"]).await.done();
    assert_eq!(ran.out, "{\n  \"providers\": []\n}\n");
    let store = home.path("elsewhere/store.json");
    let ran = home.run(&["auth", "list", "x", "--store", store.to_str().unwrap()]).await;
    ran.failed(3, "there are no credentials of \"x\"; the store is empty. Add one: marathon auth login x");
    let home = filled().await;
    home.run(&["auth", "list", "opnai"]).await.failed(3, "of \"opnai\"; there are openai, other.");
}

/// Whoever reads only the beginning has seen enough.
#[tokio::test]
async fn a_closed_pipe_is_no_failure() {
    let home = filled().await;
    let mut running = home.start(&["completions", "bash"]);
    drop(running.child.stdout.take());
    let ran = running.ended().await.done();
    assert_eq!(ran.err, "");
}
