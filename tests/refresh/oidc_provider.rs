//! Logins, refreshes and a restart against a real OAuth server that rotates refresh tokens and revokes the family of one
//! that comes twice. Where it is not installed these tests say so and pass; `.ci/run` installs it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::config::OAuthServer;
use oauth_marathon::tokens::login::{CallbackRefusal, LoggedIn, Login, LoginErrorKind, Progress};
use oauth_marathon::tokens::refresh::{OAuth2, RefreshErrorKind, RefreshRequest, TokenSource};
use oauth_marathon::{Secret, TokenSet};

use crate::servers::oidc::{CLIENT, Peer};
use crate::support::browser::Browser;

fn http() -> HttpClient<Full<Bytes>> {
    HttpClient::new().unwrap()
}

fn login(peer: &Peer) -> Login {
    let mut server = OAuthServer::default();
    server.issuer = Some(peer.issuer.clone());
    server.client_id = Some(CLIENT.to_owned());
    server.scopes = ["openid", "offline_access", "email"].map(Into::into).into();
    // Without it this server gives no refresh token.
    Login::new(server, http()).parameter("prompt", "consent")
}

async fn by_code(peer: &Peer, browser: &Browser, user: &str) -> LoggedIn {
    let login = login(peer).by_code().await.unwrap();
    let callback = browser.log_in(login.url(), user).await.unwrap();
    assert!(callback.starts_with(login.redirect_uri()), "{callback}");
    let (logged_in, shown) = tokio::join!(login.finish(), browser.visit(&callback));
    assert_eq!(shown.status, 200);
    assert!(shown.html.contains("<h1>Logged in</h1>"), "{}", shown.html);
    logged_in.unwrap()
}

/// Refreshes with a new token source, like a process that has just started.
async fn refresh(peer: &Peer, tokens: &TokenSet) -> Result<TokenSet, RefreshErrorKind> {
    let server = login(peer).discover().await.unwrap();
    let source: OAuth2<_, Full<Bytes>> = OAuth2::for_server(&server, http()).unwrap();
    let request = RefreshRequest::new("test", "alice", tokens.clone());
    source.refresh(request).await.map_err(|error| error.kind())
}

fn refresh_token(tokens: &TokenSet) -> &Secret {
    tokens.refresh().expect("a refresh token")
}

async fn within<F: Future>(test: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(120), test).await.expect("the test hangs")
}

#[tokio::test]
async fn a_login_by_code_is_refreshed_again_and_again_also_after_a_restart() {
    within(async {
        let Some(peer) = Peer::start("login by code").await else { return };
        let logged_in = by_code(&peer, &Browser::new(), "alice").await;
        assert_eq!(
            (logged_in.subject.as_deref(), logged_in.label.as_deref()),
            (Some("alice"), Some("alice@example.com"))
        );
        assert!(logged_in.tokens.expiry().is_some());

        let second = refresh(&peer, &logged_in.tokens).await.unwrap();
        assert_ne!(refresh_token(&second), refresh_token(&logged_in.tokens), "it rotates");
        // All that a restart leaves is what has been stored.
        let stored = TokenSet::new("lost").with_refresh(refresh_token(&second).expose());
        let third = refresh(&peer, &stored).await.unwrap();
        assert_ne!(refresh_token(&third), refresh_token(&second));

        let events = peer.events().await;
        assert_eq!(events.count("grant.success authorization_code"), 1);
        assert_eq!(events.count("grant.success refresh_token"), 2);
        assert_eq!((events.count("grant.revoked"), events.count("grant.error invalid_grant")), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn the_server_can_fail_us_an_old_refresh_token_revokes_the_whole_family() {
    within(async {
        let Some(peer) = Peer::start("reuse of a refresh token").await else { return };
        let first = by_code(&peer, &Browser::new(), "alice").await.tokens;
        let second = refresh(&peer, &first).await.unwrap();
        assert_eq!(refresh(&peer, &first).await, Err(RefreshErrorKind::LoginNeeded));
        assert_eq!(refresh(&peer, &second).await, Err(RefreshErrorKind::LoginNeeded), "it was never used");
        let events = peer.events().await;
        assert_eq!((events.count("grant.revoked"), events.count("grant.error invalid_grant")), (1, 2));
    })
    .await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_login_by_device_waits_until_a_person_has_confirmed_it() {
    within(async {
        let Some(peer) = Peer::start("login by device").await else { return };
        let steps = Arc::new(Mutex::new(Vec::new()));
        let seen = steps.clone();
        let login = login(&peer).on_progress(move |step| seen.lock().unwrap().push(step.clone()));
        let login = login.by_device().await.unwrap();
        assert!(login.time_left() > Duration::from_secs(500));
        let complete = login.verification_uri_complete().unwrap().to_owned();
        assert!(complete.contains(login.user_code()) && complete.starts_with(login.verification_uri()));
        let finish = tokio::spawn(login.finish());
        let pending = || steps.lock().unwrap().iter().filter(|step| matches!(step, Progress::Pending { .. })).count();

        // The server's interval of five seconds is not slept through.
        skip(Duration::from_secs(5)).await;
        while pending() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(Browser::new().log_in(&complete, "bob").await, None, "it ends on the server's own page");
        skip(Duration::from_secs(5)).await;
        let logged_in = finish.await.unwrap().unwrap();
        assert_eq!(logged_in.subject.as_deref(), Some("bob"));
        refresh(&peer, &logged_in.tokens).await.unwrap();

        let events = peer.events().await;
        assert_eq!(events.count("grant.success urn:ietf:params:oauth:grant-type:device_code"), 1);
        assert_eq!((events.count("grant.error authorization_pending"), events.count("grant.revoked")), (1, 0));
    })
    .await;
}

/// Lets this much time pass at once, after which real time runs on.
async fn skip(time: Duration) {
    tokio::task::yield_now().await;
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// `LOGINS` sets how many.
#[tokio::test]
async fn two_parallel_callbacks_of_one_login_cause_one_exchange() {
    within(async {
        let Some(peer) = Peer::start("parallel callbacks").await else { return };
        let count = std::env::var("LOGINS").map_or(200, |count| count.parse().unwrap());
        let browser = Browser::new();
        for _ in 0..count {
            let login = login(&peer).by_code().await.unwrap();
            let callback = browser.log_in(login.url(), "alice").await.unwrap();
            let both = tokio::join!(login.finish(), browser.visit(&callback), browser.visit(&callback));
            both.0.unwrap();
            for shown in [both.1, both.2] {
                assert!(shown.status == 200 && shown.html.contains("Logged in"), "{shown:?}");
            }
        }
        let events = peer.events().await;
        assert_eq!(events.count("grant.success authorization_code"), count);
        assert_eq!((events.count("grant.revoked"), events.count("grant.error invalid_grant")), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn changed_callbacks_cause_no_token_request_and_the_login_goes_on() {
    within(async {
        let Some(peer) = Peer::start("changed callbacks").await else { return };
        let steps = Arc::new(Mutex::new(Vec::new()));
        let seen = steps.clone();
        let login = login(&peer).on_progress(move |step| seen.lock().unwrap().push(step.clone()));
        let login = login.by_code().await.unwrap();
        let browser = Browser::new();
        let callback = browser.log_in(login.url(), "alice").await.unwrap();
        let (base, query) = callback.split_once('?').unwrap();
        let pairs: Vec<_> = query.split('&').collect();
        let state = pairs.iter().position(|pair| pair.starts_with("state=")).unwrap();

        let script = async {
            let mut sent = 0;
            for at in 0..pairs[state].len() {
                // Another letter in one place, one letter less, and another name.
                for change in [Some("_"), None] {
                    let mut pairs: Vec<_> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
                    let old = pairs[state].clone();
                    pairs[state].replace_range(at..=at, change.unwrap_or_default());
                    if pairs[state] == old {
                        continue;
                    }
                    let shown = browser.visit(&format!("{base}?{}", pairs.join("&"))).await;
                    assert_eq!(shown.status, 400, "{shown:?}");
                    sent += 1;
                }
            }
            let shown = browser.visit(&callback).await;
            assert_eq!(shown.status, 200);
            sent
        };
        let (logged_in, sent) = tokio::join!(login.finish(), script);
        assert_eq!(logged_in.unwrap().subject.as_deref(), Some("alice"));
        let refused = |step: &&Progress| {
            matches!(step, Progress::CallbackRefused(CallbackRefusal::WrongState | CallbackRefusal::MissingState))
        };
        assert_eq!((sent > 50, steps.lock().unwrap().iter().filter(refused).count()), (true, sent));
        let events = peer.events().await;
        assert_eq!(
            (events.count("grant.success authorization_code"), events.count("grant.error invalid_grant")),
            (1, 0)
        );
    })
    .await;
}

#[tokio::test]
async fn an_error_of_the_server_ends_the_login_with_its_code() {
    within(async {
        let Some(peer) = Peer::start("an error of the server").await else { return };
        let mut server = OAuthServer::default();
        server.issuer = Some(peer.issuer.clone());
        server.client_id = Some(CLIENT.to_owned());
        server.scopes = vec!["openid".to_owned()];
        // The browser is not logged in, and the server may not ask.
        let login = Login::new(server, http()).parameter("prompt", "none").by_code().await.unwrap();
        let browser = Browser::new();
        let callback = browser.log_in(login.url(), "alice").await.unwrap();
        let (outcome, shown) = tokio::join!(login.finish(), browser.visit(&callback));
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.code()), (LoginErrorKind::Refused, Some("login_required")));
        assert!(shown.status == 400 && shown.html.contains("login_required"), "{shown:?}");
    })
    .await;
}
