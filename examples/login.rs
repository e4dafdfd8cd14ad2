//! Three logins: through the browser, on another device, and the first person once more. Each comes to where it belongs.
//!
//! The OAuth server is a small one on a free port of this machine, the browser is a function, and the people are quick. For
//! a real server only the settings change, and people do the rest.
//!
//! ```text
//! cargo run --example login
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use oauth_marathon::clients::HttpClient;
use oauth_marathon::config::OAuthServer;
use oauth_marathon::tokens::login::{LoggedIn, Login, Merge, Progress, merge};
use oauth_marathon::{BoxError, Pool};
use serde_json::{Value, json};
use tower::ServiceExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let issuer = oauth_server().await?;
    let http = HttpClient::<Full<Bytes>>::new()?;
    let mut server = OAuthServer::default();
    server.issuer = Some(issuer.clone());
    server.client_id = Some("my-client-id".to_owned());
    server.scopes = vec!["openid".to_owned(), "offline_access".to_owned()];
    let login = Login::new(server, http.clone()).on_progress(|step: &Progress| println!("   {step}"));
    let pool = Pool::builder("example").origin("https://api.example.com").build()?;

    println!("1. Through the browser");
    let started = login.by_code().await?;
    println!("   Open {}...", started.url().split('?').next().unwrap_or_default());
    let url = format!("{}&login=alice", started.url());
    let (logged_in, page) = tokio::join!(started.finish(), browse(&http, &url));
    println!("   The browser shows: {}", page?);
    keep(&pool, logged_in?)?;

    println!("2. With a code on another device");
    let started = login.by_device().await?;
    println!("   Open {} and type {}", started.verification_uri(), started.user_code());
    let url = format!("{}?user_code={}&login=bob", started.verification_uri(), started.user_code());
    let (logged_in, page) = tokio::join!(started.finish(), browse(&http, &url));
    println!("   The other device shows: {}", page?);
    keep(&pool, logged_in?)?;

    println!("3. The first one again");
    let started = login.by_code().await?;
    let url = format!("{}&login=alice", started.url());
    let (logged_in, page) = tokio::join!(started.finish(), browse(&http, &url));
    println!("   The browser shows: {}", page?);
    keep(&pool, logged_in?)?;

    let accounts: Vec<_> = pool.snapshot().credentials.iter().map(|account| account.id.to_string()).collect();
    println!("The pool holds {}.", accounts.join(" and "));
    if accounts != ["alice", "bob"] {
        return Err("two people have logged in".into());
    }
    Ok(())
}

/// Adds a login to the pool, or updates the credential of the same account.
fn keep(pool: &Pool, logged_in: LoggedIn) -> Result<(), BoxError> {
    let snapshot = pool.snapshot();
    let known = snapshot.credentials.iter().map(|account| (&account.id, account.subject.as_deref()));
    match merge(known, &logged_in) {
        Merge::Update(id) => {
            pool.update(id.as_str(), logged_in.tokens)?;
            println!("   {id} is known, and has new tokens.");
        }
        Merge::Add(id) => {
            println!("   {id} is new here.");
            pool.add(logged_in.into_credential(id))?;
        }
        other => return Err(format!("not expected: {other:?}").into()),
    }
    Ok(())
}

/// A browser: goes where it is sent, and says what the last page is called.
async fn browse(http: &HttpClient<Full<Bytes>>, url: &str) -> Result<String, BoxError> {
    let mut url = url.to_owned();
    loop {
        let answer = http.clone().oneshot(http::Request::get(&url).body(Full::default())?).await?;
        if let Some(location) = answer.headers().get("location") {
            url = location.to_str()?.to_owned();
            continue;
        }
        let html = answer.into_body().collect().await?.to_bytes();
        let html = String::from_utf8_lossy(&html).into_owned();
        return Ok(html.split(['<', '>']).skip_while(|part| *part != "h1").nth(1).unwrap_or(&html).to_owned());
    }
}

/// What the OAuth server has handed out: codes, and who each is for once that is known.
#[derive(Clone, Default)]
struct Codes(Arc<Mutex<HashMap<String, Option<String>>>>);

/// An OAuth server that takes any name without a password. A real one also holds the verifier of PKCE against its
/// challenge. Says where it is.
async fn oauth_server() -> Result<String, BoxError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let issuer = format!("http://{}", listener.local_addr()?);
    let metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "device_authorization_endpoint": format!("{issuer}/device"),
        "userinfo_endpoint": format!("{issuer}/me"),
    });
    let verification_uri = format!("{issuer}/confirm");
    let app = Router::new()
        .route("/.well-known/oauth-authorization-server", get(async move || Json(metadata)))
        .route("/authorize", get(authorize))
        .route("/device", post(async move |codes| device(codes, verification_uri)))
        .route("/confirm", get(confirm))
        .route("/token", post(token))
        .route(
            "/me",
            get(async |headers: axum::http::HeaderMap| {
                let bearer = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
                let name = bearer.trim_start_matches("Bearer token-of-").to_owned();
                Json(json!({ "sub": format!("id-of-{name}"), "preferred_username": name }))
            }),
        )
        .with_state(Codes::default());
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(issuer)
}

type Fields = HashMap<String, String>;

fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

async fn authorize(State(codes): State<Codes>, Query(fields): Query<Fields>) -> Redirect {
    let mut codes = codes.0.lock().unwrap();
    let code = format!("code-{}", codes.len());
    codes.insert(code.clone(), Some(field(&fields, "login").to_owned()));
    Redirect::to(&format!("{}?code={code}&state={}", field(&fields, "redirect_uri"), field(&fields, "state")))
}

fn device(State(codes): State<Codes>, verification_uri: String) -> Json<Value> {
    codes.0.lock().unwrap().insert("WDJB-MJHT".to_owned(), None);
    Json(json!({
        "device_code": "WDJB-MJHT", "user_code": "WDJB-MJHT", "verification_uri": verification_uri, "expires_in": 60,
        "interval": 1,
    }))
}

async fn confirm(State(codes): State<Codes>, Query(fields): Query<Fields>) -> &'static str {
    codes.0.lock().unwrap().insert(field(&fields, "user_code").to_owned(), Some(field(&fields, "login").to_owned()));
    "<h1>Confirmed</h1>"
}

async fn token(State(codes): State<Codes>, Form(fields): Form<Fields>) -> Response {
    let mut codes = codes.0.lock().unwrap();
    let code = if fields.contains_key("device_code") { field(&fields, "device_code") } else { field(&fields, "code") };
    let refused = |error| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    match codes.get(code).cloned() {
        None => refused("invalid_grant"),
        Some(None) => refused("authorization_pending"),
        Some(Some(person)) => {
            codes.remove(code);
            let (access, refresh) = (format!("token-of-{person}"), format!("refresh-of-{person}"));
            Json(
                json!({ "access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600 }),
            )
            .into_response()
        }
    }
}
