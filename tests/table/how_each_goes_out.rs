//! Accounts of several kinds in one pool: each is sent in its own header and to its own base URL, as a whole.

use oauth_marathon::{Credential, Secret};
use oauth_marathon_test::{Reply, ScriptedProvider};

use crate::support::stage::{Stage, key, login, pool, post};

fn accounts() -> [Credential; 3] {
    [
        login("a").extra_header("chatgpt-account-id", "account-of-a"),
        key("k").base_url("https://eu.example.com/proxy").extra_header("x-project", "project-of-k"),
        Credential::new("t", Secret::new("t")).scheme("Token"),
    ]
}

#[tokio::test(start_paused = true)]
async fn token_headers_and_base_url_of_two_accounts_are_never_mixed() {
    let provider = ScriptedProvider::new().always("a", Reply::status(429)).always("k", Reply::status(429));
    let stage = Stage::new(pool(&[]).credentials(accounts()), provider);
    let mut request = post();
    for (name, value) in
        [("authorization", "Basic mine"), ("x-api-key", "mine"), ("x-project", "mine"), ("x-mine", "kept")]
    {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    assert_eq!(stage.send(request).await.status, 200);

    let sent: Vec<_> = stage
        .provider
        .requests()
        .iter()
        .map(|seen| {
            let mut headers: Vec<_> = seen
                .head
                .headers()
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect();
            headers.sort();
            (seen.head.uri().to_string(), headers)
        })
        .collect();
    let headers = |headers: &[&str]| headers.iter().map(ToString::to_string).collect::<Vec<_>>();
    let here = "https://api.example.com/v1/chat".to_owned();
    assert_eq!(
        sent,
        [
            (here.clone(), headers(&["authorization: Bearer a", "chatgpt-account-id: account-of-a", "x-mine: kept"])),
            (
                "https://eu.example.com/proxy/v1/chat".to_owned(),
                headers(&["x-api-key: k", "x-mine: kept", "x-project: project-of-k"])
            ),
            (here, headers(&["authorization: Token t", "x-mine: kept"])),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_carries_a_secret_is_marked_as_sensitive() {
    let provider = ScriptedProvider::new().always("a", Reply::status(429));
    let stage = Stage::new(pool(&[]).credentials(accounts()), provider);
    stage.post().await;
    for seen in stage.provider.requests() {
        let secret = ["authorization", "x-api-key", "chatgpt-account-id", "x-project"];
        assert!(secret.iter().filter_map(|name| seen.head.headers().get(*name)).all(|value| value.is_sensitive()));
    }
}
