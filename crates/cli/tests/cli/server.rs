//! An OAuth server on this machine that believes everybody, rotates refresh tokens, and takes each one once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::run::CANARY;

type Fields = HashMap<String, String>;

pub(crate) struct OAuthServer {
    pub(crate) url: String,
    shared: Shared,
    _task: JoinSet<()>,
}

#[derive(Clone)]
struct Shared {
    url: String,
    people: Arc<Mutex<People>>,
    /// How many requests have come to the token endpoint.
    asked: watch::Sender<usize>,
    /// A token response needs a permit.
    gate: Arc<Semaphore>,
}

/// Who each code and each token is for; `None` while nobody has confirmed.
#[derive(Default)]
struct People {
    of: HashMap<String, Option<String>>,
    given: usize,
    refuses: Option<&'static str>,
}

impl OAuthServer {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Shared {
            url: url.clone(),
            people: Arc::default(),
            asked: watch::Sender::new(0),
            gate: Arc::new(Semaphore::new(1000)),
        };
        let app = Router::new()
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/authorize", get(authorize))
            .route("/device", post(device))
            .route("/token", post(token))
            .route("/me", get(me))
            .with_state(shared.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, shared, _task: task }
    }

    /// The arguments that name this server.
    pub(crate) fn args(&self) -> [&str; 4] {
        ["--issuer", &self.url, "--client-id", "mine"]
    }

    /// Makes a refresh token that is good for one refresh.
    pub(crate) fn knows(&self, refresh_token: &str, person: &str) {
        self.shared.people.lock().unwrap().of.insert(refresh_token.to_owned(), Some(person.to_owned()));
    }

    /// The token endpoint answers with this error from now on.
    pub(crate) fn refuses(&self, code: &'static str) {
        self.shared.people.lock().unwrap().refuses = Some(code);
    }

    /// Token responses wait for [`release`](Self::release).
    pub(crate) fn hold(&self) {
        self.shared.gate.forget_permits(1000);
    }

    pub(crate) fn release(&self) {
        self.shared.gate.add_permits(1000);
    }

    pub(crate) fn asked(&self) -> usize {
        *self.shared.asked.borrow()
    }

    /// Waits until the token endpoint has been asked.
    pub(crate) async fn was_asked(&self) {
        self.shared.asked.subscribe().wait_for(|count| *count > 0).await.unwrap();
    }
}

fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

async fn metadata(State(shared): State<Shared>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", shared.url);
    Json(json!({
        "issuer": shared.url, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        "device_authorization_endpoint": at("/device"), "userinfo_endpoint": at("/me"),
    }))
}

/// Says no to `nobody`.
async fn authorize(State(shared): State<Shared>, Query(fields): Query<Fields>) -> Redirect {
    let answer = match field(&fields, "login") {
        "nobody" => "error=access_denied".to_owned(),
        person => {
            let mut people = shared.people.lock().unwrap();
            let code = format!("{CANARY}-code-{}", people.of.len());
            people.of.insert(code.clone(), Some(person.to_owned()));
            format!("code={code}")
        }
    };
    Redirect::to(&format!("{}?{answer}&state={}", field(&fields, "redirect_uri"), field(&fields, "state")))
}

/// Confirmed by bob at once.
async fn device(State(shared): State<Shared>) -> Json<Value> {
    let code = format!("{CANARY}-device");
    shared.people.lock().unwrap().of.insert(code.clone(), Some("bob".to_owned()));
    Json(json!({
        "device_code": code, "user_code": "WDJB-MJHT", "verification_uri": format!("{}/confirm", shared.url),
        "expires_in": 60, "interval": 1,
    }))
}

async fn token(State(shared): State<Shared>, Form(fields): Form<Fields>) -> Response {
    shared.asked.send_modify(|count| *count += 1);
    let _permit = shared.gate.acquire().await.unwrap();
    let mut people = shared.people.lock().unwrap();
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    if let Some(code) = people.refuses {
        return refused(code);
    }
    let grant = ["code", "device_code", "refresh_token"].into_iter().find_map(|name| fields.get(name));
    let Some(Some(person)) = grant.and_then(|grant| people.of.remove(grant)) else { return refused("invalid_grant") };
    people.given += 1;
    let name = |kind: &str| format!("{CANARY}-{kind}-{person}-{}", people.given);
    let (access, refresh) = (name("access"), name("refresh"));
    people.of.insert(access.clone(), Some(person.clone()));
    people.of.insert(refresh.clone(), Some(person));
    Json(json!({ "access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600 }))
        .into_response()
}

async fn me(State(shared): State<Shared>, headers: HeaderMap) -> Json<Value> {
    let bearer = headers["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
    let person = shared.people.lock().unwrap().of[&bearer].clone().unwrap();
    Json(json!({ "sub": format!("id-of-{person}"), "email": format!("{person}@example.com") }))
}
