//! `auth login`, in all its ways.

use oauth_marathon::{Credential, Material};
use serde_json::Value;

use crate::browser::visit;
use crate::run::{CANARY, Home, LIMIT, tokens};
use crate::server::OAuthServer;

fn with<'a>(server: &'a OAuthServer, args: &[&'a str]) -> Vec<&'a str> {
    [&["auth", "login", "x"], args, &server.args()[..]].concat()
}

/// Logs in as a browser would, and returns the page that is shown at the end.
async fn log_in(home: &Home, args: &[&str], person: &str, code: i32) -> (String, String, String) {
    let mut running = home.start(args);
    let url = running.says("/authorize?").await;
    let callback = visit(&format!("{url}&login={person}")).await.location.unwrap();
    let page = visit(&callback).await.html;
    let ran = running.ended().await;
    assert_eq!(ran.code, code, "{ran:?}");
    (ran.out, ran.err, page)
}

#[tokio::test]
async fn through_the_browser_and_again_and_as_another() {
    let (home, server) = (Home::new(), OAuthServer::start().await);
    let args = with(&server, &["--no-browser"]);
    let (out, _, page) = log_in(&home, &args, "alice", 0).await;
    assert_eq!(out, "alice (alice@example.com) of x is added.\n");
    assert!(page.contains("Logged in") && !page.contains(CANARY), "{page}");

    let (out, ..) = log_in(&home, &args, "bob", 0).await;
    assert_eq!(out, "bob (bob@example.com) of x is added.\n");

    let (out, ..) = log_in(&home, &args, "alice", 0).await;
    assert_eq!(out, "alice (alice@example.com) of x has new tokens.\n");
    assert_eq!(home.ids("x").await, ["alice", "bob"]);

    let alice = home.load("x", "alice").await.unwrap();
    let Material::OAuth(tokens) = alice.credential.material() else { panic!() };
    assert_eq!(tokens.access().expose(), "c4n4ry-access-alice-3");
    assert_eq!(tokens.refresh().unwrap().expose(), "c4n4ry-refresh-alice-3");
    assert_eq!(alice.generation.get(), 2);
    assert_eq!(home.listed("x", "alice").await["subject"], "id-of-alice");
}

#[tokio::test]
async fn with_a_label_and_an_id_of_ones_own() {
    let (home, server) = (Home::new(), OAuthServer::start().await);
    log_in(&home, &with(&server, &["--no-browser", "--label", "work account", "--id", "work"]), "alice", 0).await;
    let listed = home.listed("x", "work").await;
    assert_eq!((&listed["label"], &listed["subject"]), (&"work account".into(), &"id-of-alice".into()));

    let (_, err, _) = log_in(&home, &with(&server, &["--no-browser", "--id", "other"]), "alice", 1).await;
    assert!(err.contains("this account is there already, as \"work\"; leave --id out"), "{err}");
    let (_, err, _) = log_in(&home, &with(&server, &["--no-browser", "--id", "work"]), "bob", 1).await;
    assert!(err.contains("\"work\" is the account \"id-of-alice\", and the login is of \"id-of-bob\""), "{err}");
    assert_eq!(home.ids("x").await, ["work"]);
}

#[tokio::test]
async fn the_server_may_be_named_by_the_configuration_of_opencode() {
    let (home, server) = (Home::new(), OAuthServer::start().await);
    let oauth = serde_json::json!({
        "issuer": server.url, "clientId": "mine", "header": "x-api-key", "extraHeaders": { "x-org": format!("{CANARY}-org") },
    });
    let text = serde_json::json!({ "provider": { "x": { "oauth": oauth } } }).to_string();
    home.write(".config/opencode/opencode.json", &text);
    let (_, err, _) = log_in(&home, &["auth", "login", "x", "--no-browser"], "alice", 0).await;
    assert!(err.contains("opencode/opencode.json says"), "{err}");
    let held = home.load("x", "alice").await.unwrap().credential;
    let Material::OAuth(held_tokens) = held.material() else { panic!() };
    let tokens = tokens("alice-1").expires_at(held_tokens.expiry().unwrap());
    let expected = Credential::new("alice", tokens).subject("id-of-alice").label("alice@example.com");
    assert_eq!(held, expected.header("x-api-key").extra_header("x-org", "c4n4ry-org"));
}

/// A foreign project must not say where refresh tokens are sent.
#[tokio::test]
async fn a_configuration_in_the_folder_at_hand_is_not_read_unless_it_is_named() {
    let (home, server) = (Home::new(), OAuthServer::start().await);
    let oauth = serde_json::json!({ "issuer": server.url, "clientId": "mine" });
    let path = home.write("opencode.json", &serde_json::json!({ "provider": { "x": { "oauth": oauth } } }).to_string());
    home.run(&["auth", "login", "x", "--no-browser"]).await.failed(2, "the OAuth server of \"x\" is not known");
    log_in(&home, &["auth", "login", "x", "--no-browser", "--config", &path], "alice", 0).await;
}

#[tokio::test]
async fn the_browser_is_opened_unless_it_is_told_not_to() {
    let (home, server) = (Home::new(), OAuthServer::start().await);
    let pipe = home.path("opened");
    std::fs::create_dir_all(home.path("bin")).unwrap();
    // Written by another process: a file that is open for writing here could not be run.
    let script = format!(
        "mkfifo {0} && printf '#!/bin/sh\\necho \"$1\" > {0}\\n' > xdg-open && chmod 755 xdg-open",
        pipe.display()
    );
    let made = std::process::Command::new("sh").args(["-c", &script]).current_dir(home.path("bin")).status().unwrap();
    assert!(made.success());

    let mut running = home.start(&with(&server, &[]));
    let url = running.says("/authorize?").await;
    running.says("The browser should show it").await;
    let opened = tokio::time::timeout(LIMIT, tokio::fs::read_to_string(pipe)).await.expect("it is opened").unwrap();
    assert_eq!(opened.trim(), url);
    running.interrupt();
    assert_eq!(running.ended().await.code, 130);

    std::fs::remove_file(home.path("bin/xdg-open")).unwrap();
    let mut running = home.start(&with(&server, &[]));
    running.says("No browser could be opened; open the address by hand").await;
    running.interrupt();
    running.ended().await;
}

#[tokio::test]
async fn somebody_says_no() {
    let (home, server) = (Home::new(), OAuthServer::start().await);
    let (_, err, _) = log_in(&home, &with(&server, &["--no-browser"]), "nobody", 4).await;
    assert!(err.ends_with("error: the login was denied (access_denied)\n"), "{err}");
    assert_eq!(home.ids("x").await, [""; 0]);

    server.refuses("invalid_client");
    let (_, err, _) = log_in(&home, &with(&server, &["--no-browser"]), "alice", 4).await;
    assert!(err.contains("the server refused the client; check clientId"), "{err}");
}

#[tokio::test]
async fn with_a_code_on_another_device() {
    let (home, server) = (Home::new(), OAuthServer::start().await);
    let ran = home.run(&with(&server, &["--device"])).await.done();
    assert_eq!(ran.out, "bob (bob@example.com) of x is added.\n");
    assert!(ran.err.contains(&format!("{}/confirm", server.url)) && ran.err.contains("WDJB-MJHT"), "{}", ran.err);
}

#[tokio::test]
async fn a_key_from_the_standard_input() {
    let home = Home::new();
    let login = ["auth", "login", "x", "--token-stdin"];
    let ran = home.run_with_input(&login, "c4n4ry-1\n").await.done();
    assert_eq!(ran.out, "key of x is added.\n");
    let ran =
        home.run_with_input(&[&login[..], &["--label", "spare", "--header", "x-api-key"]].concat(), " c4n4ry-2 ").await;
    assert_eq!(ran.done().out, "spare of x is added.\n");
    let ran = home.run_with_input(&[&login[..], &["--id", "key"]].concat(), "c4n4ry-3").await.done();
    assert_eq!(ran.out, "key of x has a new key.\n");

    let key = |id: &str, key: &str| Credential::new(id, oauth_marathon::Secret::new(key));
    assert_eq!(home.load("x", "key").await.unwrap().credential, key("key", "c4n4ry-3"));
    let spare = home.load("x", "spare").await.unwrap().credential;
    assert_eq!(spare, key("spare", "c4n4ry-2").label("spare").header("x-api-key"));
    assert_eq!(home.listed("x", "key").await["kind"], Value::from("key"));

    for (input, expected) in [
        ("", "holds no key"),
        (" \n", "holds no key"),
        ("c4n4ry two", "more than one word"),
        ("c4n4ry\nc4n4ry", "more than one word"),
        ("c4n4ryé", "no plain ASCII"),
        (&"c4n4ry".repeat(20_000), "more than 64 KiB"),
    ] {
        home.run_with_input(&login, input).await.failed(1, expected);
    }
    let wrong = [&login[..], &["--header", "no header"]].concat();
    home.run_with_input(&wrong, "c4n4ry").await.failed(1, "must be the name of a header field");
    let wrong = [&login[..], &["--base-url", "http://example.com"]].concat();
    home.run_with_input(&wrong, "c4n4ry").await.failed(1, "unencrypted");
    assert_eq!(home.ids("x").await, ["key", "spare"]);
}
