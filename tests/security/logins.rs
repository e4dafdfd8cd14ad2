//! Known secrets go through logins that succeed and fail in every way; none shows in values, errors, steps, pages or logs.

use std::sync::{Arc, Mutex};

use oauth_marathon::tokens::login::{LoggedIn, Login, LoginError};
use oauth_marathon_test::Reply;

use crate::canary::{CANARY, Shown};
use crate::support::browser::Browser;
use crate::support::login::{Script, callback, says, value};
use crate::support::recorder::Recorder;

const GOOD: &str = r#"{"access_token":"c4n4ry-at","refresh_token":"c4n4ry-rt","expires_in":5,"account_id":"a",
    "id_token":"e30.eyJhdWQiOiJteS1jbGllbnQiLCJzdWIiOiIxIn0.c4n4ry"}"#;

/// Answers that succeed, fail, repeat secrets, or hold them where none should be.
const ANSWERS: &[(u16, &str)] = &[
    (200, GOOD),
    (200, r#"{"access_token":"c4n4ry\nat"}"#),
    (200, r#"{"access_token":"c4n4ry-at","id_token":"c4n4ry"}"#),
    (200, r#"{"access_token":"c4n4ry-at","id_token":"e30.eyJhdWQiOiJvdGhlciJ9.c4n4ry"}"#),
    (200, "c4n4ry is no JSON"),
    (400, r#"{"error":"invalid_grant","error_description":"c4n4ry-code is spent","code":"c4n4ry-code"}"#),
    (400, r#"{"error":"c4n4ry is no code"}"#),
    (401, r#"{"error":"invalid_client","client_secret":"c4n4ry"}"#),
    (500, "<html>c4n4ry"),
];

fn add(shown: &mut Shown, outcome: Result<LoggedIn, LoginError>) {
    match outcome {
        Ok(logged_in) => {
            shown.add(&logged_in);
            shown.add(&logged_in.into_credential("a"));
        }
        Err(error) => shown.add_error(&error.into()),
    }
}

/// A login whose steps are printed.
fn watched(script: &Script, steps: &Arc<Mutex<Vec<String>>>) -> Login {
    let steps = steps.clone();
    script.login().client_secret("c4n4ry-client").on_progress(move |step| {
        steps.lock().unwrap().push(format!("{step} {step:?}"));
    })
}

async fn by_code(answer: &(u16, &str), shown: &mut Shown, steps: &Arc<Mutex<Vec<String>>>) {
    let script = Script::new([says(answer.0, answer.1)]);
    let settings = watched(&script, steps);
    shown.add(&settings);
    let login = settings.by_code().await.unwrap();
    shown.add(&login);
    let (url, browser) = (login.url().to_owned(), Browser::new());
    let state = value(&url, "state").unwrap();
    let stray = callback(&url, "code=c4n4ry-code").replace(&state, "c4n4ry-state");
    let right = callback(&url, "code=c4n4ry-code&error_description=c4n4ry");
    let visits = async { (browser.visit(&stray).await, browser.visit(&right).await) };
    let (outcome, pages) = tokio::join!(login.finish(), visits);
    add(shown, outcome);
    shown.0.extend([pages.0.html, pages.1.html]);
    shown.add(&(pages.0.headers, pages.1.headers));

    let body = &script.asked()[0].body;
    assert_eq!(value(body, "code").as_deref(), Some("c4n4ry-code"), "the canary was at stake");
    let verifier = value(body, "code_verifier").unwrap();
    for text in shown.0.iter().chain(steps.lock().unwrap().iter()) {
        assert!(!text.contains(&state) && !text.contains(&verifier), "state or verifier shows:\n{text}");
    }
}

async fn by_device(answer: &(u16, &str), shown: &mut Shown, steps: &Arc<Mutex<Vec<String>>>) {
    const DEVICE: &str = r#"{"device_code":"c4n4ry-code","user_code":"c4n4ry-user","expires_in":60,
        "verification_uri":"https://auth.example.com/c","verification_uri_complete":"https://auth.example.com/c4n4ry"}"#;
    const PENDING: &str = r#"{"error":"authorization_pending","device_code":"c4n4ry-code"}"#;
    let again = vec![says(answer.0, answer.1); 10];
    let script =
        Script::new([says(200, DEVICE), says(400, PENDING), Reply::connection_error()].into_iter().chain(again));
    let login = watched(&script, steps).by_device().await.unwrap();
    shown.add(&login);
    add(shown, login.finish().await);
    assert!(script.asked()[1].body.contains("c4n4ry-code"));
    // The same answers in place of a device code.
    if let Err(error) = watched(&Script::new([says(answer.0, answer.1)]), steps).by_device().await {
        shown.add_error(&error.into());
    }
}

#[test]
fn nothing_shows_whatever_becomes_of_a_login_also_not_in_logs() {
    let (recorder, mut shown) = (Recorder::default(), Shown::default());
    let steps = Arc::new(Mutex::new(Vec::new()));
    recorder.record(|| {
        let real = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let paused = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        for answer in ANSWERS {
            real.block_on(by_code(answer, &mut shown, &steps));
            paused.block_on(by_device(answer, &mut shown, &steps));
        }
    });
    let logged = recorder.lines();
    let ours = logged.iter().filter(|line| line.starts_with("oauth_marathon")).count();
    assert!(ours > 30 && shown.0.len() > 100, "{ours} lines logged, {} values shown", shown.0.len());
    assert!(shown.0.iter().any(|text| text.contains("<h1>Logged in</h1>")));
    assert!(CANARY == "c4n4ry", "the texts above hold it");
    shown.0.extend(logged);
    shown.0.extend(steps.lock().unwrap().clone());
    shown.check();
}
