//! `auth refresh`, against a server that takes each refresh token once.

use oauth_marathon::store::{Intent, Record};
use oauth_marathon::verdict::OutReason;
use oauth_marathon::{Credential, Generation, Material, Secret};

use crate::run::{Home, Running, tokens};
use crate::server::OAuthServer;

fn with<'a>(server: &'a OAuthServer, args: &[&'a str]) -> Vec<&'a str> {
    [&["auth", "refresh", "x"], args, &server.args()[..]].concat()
}

async fn filled(server: &OAuthServer) -> Home {
    let home = Home::new();
    home.add("x", Credential::new("a", tokens("a"))).await;
    home.add("x", Credential::new("b", tokens("b"))).await;
    home.add("x", Credential::new("key", Secret::new("c4n4ry"))).await;
    server.knows("c4n4ry-refresh-a", "alice");
    home
}

#[tokio::test]
async fn one_or_all_and_what_a_person_has_to_do() {
    let server = OAuthServer::start().await;
    let home = filled(&server).await;
    let ran = home.run(&with(&server, &["a"])).await.done();
    assert_eq!(ran.out, "a of x has a new token, good for 1h 0m.\n");
    let held = home.load("x", "a").await.unwrap();
    let Material::OAuth(tokens) = held.credential.material() else { panic!() };
    assert_eq!(tokens.refresh().unwrap().expose(), "c4n4ry-refresh-alice-1");
    assert_eq!((held.generation.get(), held.intent), (2, None));

    // The server does not know the token of b.
    let ran = home.run(&with(&server, &[])).await;
    assert_eq!(ran.code, 4, "{ran:?}");
    assert_eq!(
        ran.out,
        "a of x has a new token, good for 1h 0m.\nkey of x has no refresh token; there is nothing to refresh.\n"
    );
    assert!(ran.err.starts_with("b of x could not be refreshed: "), "{}", ran.err);
    assert!(ran.err.trim_end().ends_with("log in again: marathon auth login x"), "{}", ran.err);
    let b = home.load("x", "b").await.unwrap();
    assert_eq!((b.health.out, b.intent, b.generation.get()), (Some(OutReason::RefreshRefused), None, 1));
}

#[tokio::test]
async fn a_server_in_trouble_costs_nothing() {
    let server = OAuthServer::start().await;
    let home = filled(&server).await;
    server.refuses("temporarily_unavailable");
    let ran = home.run(&with(&server, &["a"])).await.failed(1, "try again later; the tokens are kept");
    assert_eq!(ran.out, "");
    let held = home.load("x", "a").await.unwrap();
    assert_eq!((held.credential, held.health.out, held.intent), (Credential::new("a", tokens("a")), None, None));
}

/// The lease is between processes: both come to the same new tokens with one exchange.
#[tokio::test]
async fn two_at_once_send_the_token_once() {
    let server = OAuthServer::start().await;
    let home = filled(&server).await;
    server.hold();
    let first = home.start(&with(&server, &["a"]));
    server.was_asked().await;
    let mut second = home.start(&with(&server, &["a"]));
    second.says("Another process is refreshing a; waiting for it.").await;
    server.release();
    assert_eq!(first.ended().await.done().out, "a of x has a new token, good for 1h 0m.\n");
    let second = second.ended().await.done();
    assert!(second.out.ends_with(": another process has just refreshed it.\n"), "{}", second.out);
    assert_eq!((server.asked(), home.load("x", "a").await.unwrap().generation.get()), (1, 2));
}

#[tokio::test]
async fn a_refresh_without_an_end_is_named() {
    let server = OAuthServer::start().await;
    let home = Home::new();
    let mut record = Record::new(Credential::new("a", tokens("a")), Generation::new(4));
    record.intent = Some(Intent::new(Generation::new(4), std::time::UNIX_EPOCH));
    home.add_record("x", record).await;
    server.knows("c4n4ry-refresh-a", "alice");
    let ran = home.run(&with(&server, &["a"])).await.done();
    assert!(ran.err.contains("has no end: its refresh token may be spent. It is tried once more."), "{}", ran.err);
    assert_eq!(home.load("x", "a").await.unwrap().intent, None);
}

/// The store is taken away between the intent and the new tokens.
async fn unstored(server: &OAuthServer, home: &Home) -> Running {
    server.hold();
    let mut running = home.start(&with(server, &["a"]));
    server.was_asked().await;
    std::fs::rename(home.path(STORE), home.path("elsewhere")).unwrap();
    server.release();
    let said = running.says("has new tokens, and they could not be stored: ").await;
    assert!(said.contains("move it back") && said.contains("They are in memory alone"), "{said}");
    running
}

const STORE: &str = ".local/share/oauth-marathon/credentials.json";

#[tokio::test]
async fn new_tokens_that_cannot_be_stored_are_kept_until_they_can() {
    let server = OAuthServer::start().await;
    let home = filled(&server).await;
    let running = unstored(&server, &home).await;
    assert!(!home.path(STORE).exists(), "nothing is made in its place");
    std::fs::rename(home.path("elsewhere"), home.path(STORE)).unwrap();
    let ran = running.ended().await.done();
    assert_eq!(ran.out, "a of x has a new token, good for 1h 0m.\n");
    assert_eq!((server.asked(), home.load("x", "a").await.unwrap().generation.get()), (1, 2));
}

#[tokio::test]
async fn a_person_may_give_up_tokens_that_cannot_be_stored_and_is_told_what_that_costs() {
    let server = OAuthServer::start().await;
    let home = filled(&server).await;
    let mut running = unstored(&server, &home).await;
    running.interrupt();
    running.says("press Ctrl-C again to leave it").await;
    running.interrupt();
    running.ended().await.failed(130, "new tokens that were not stored are lost");
    // The next refresh finds the mark of the one that was left.
    std::fs::rename(home.path("elsewhere"), home.path(STORE)).unwrap();
    let held = home.load("x", "a").await.unwrap();
    assert_eq!((held.generation.get(), held.intent.is_some()), (1, true));
}

#[tokio::test]
async fn the_server_has_to_be_known() {
    let server = OAuthServer::start().await;
    let home = filled(&server).await;
    let ran = home.run(&["auth", "refresh", "x", "a"]).await;
    let ran =
        ran.failed(2, "the OAuth server of \"x\" is not known: give --issuer (or --token-url) and --client-id, or set");
    assert!(
        ran.err.contains("provider.x.oauth in ") && ran.err.contains(".config/opencode/opencode.json"),
        "{}",
        ran.err
    );
    home.run(&["auth", "refresh", "x", "a", "--client-id", "mine"]).await.failed(2, "give --issuer");
    let token_url = format!("{}/token", server.url);
    home.run(&["auth", "refresh", "x", "a", "--client-id", "mine", "--token-url", &token_url]).await.done();
}

#[tokio::test]
async fn the_exchange_takes_as_long_as_the_configuration_says() {
    let server = OAuthServer::start().await;
    let home = filled(&server).await;
    server.hold();
    let config = r#"{ "provider": { "x": { "oauth": { "exchangeTimeoutMs": 1000 } } } }"#;
    let path = home.write("marathon.jsonc", config);
    let ran = home.run(&with(&server, &["a", "--config", &path])).await;
    ran.failed(1, "no answer of the token endpoint within 1s; try again later; the tokens are kept");
    let held = home.load("x", "a").await.unwrap();
    assert!(held.intent.is_some_and(|intent| intent.ended), "nobody knows whether the refresh token is spent");
}
