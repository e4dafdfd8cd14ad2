//! The OAuth server: refresh tokens that work once (RFC 6749 section 6), and logins by code and by device (RFC 8628).
//!
//! It takes any name without a password. A real one also holds the verifier of PKCE against its challenge.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::world::World;

const CLIENT_ID: &str = "my-client-id";
const NAME: &str = "oauth";
const USER_CODE: &str = "WDJB-MJHT";

type Fields = HashMap<String, String>;

pub(crate) fn routes(issuer: &str) -> Router<Arc<World>> {
    let metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "device_authorization_endpoint": format!("{issuer}/oauth/device"),
        "userinfo_endpoint": format!("{issuer}/oauth/me"),
    });
    let confirm_at = format!("{issuer}/oauth/confirm");
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(async move || Json(metadata)))
        .route("/oauth/authorize", get(authorize))
        .route("/oauth/device", post(async move |world| device(world, confirm_at)))
        .route("/oauth/confirm", get(confirm))
        .route("/oauth/token", post(token))
        .route("/oauth/me", get(me))
}

async fn authorize(State(world): State<Arc<World>>, Query(fields): Query<Fields>) -> Redirect {
    let mut codes = codes(&world);
    let code = format!("code-{}", codes.len());
    codes.insert(code.clone(), Some(field(&fields, "login").to_owned()));
    Redirect::to(&format!("{}?code={code}&state={}", field(&fields, "redirect_uri"), field(&fields, "state")))
}

fn device(State(world): State<Arc<World>>, confirm_at: String) -> Json<Value> {
    codes(&world).insert(USER_CODE.to_owned(), None);
    Json(json!({
        "device_code": USER_CODE, "user_code": USER_CODE, "verification_uri": confirm_at, "expires_in": 60, "interval": 1,
    }))
}

async fn confirm(State(world): State<Arc<World>>, Query(fields): Query<Fields>) -> &'static str {
    codes(&world).insert(field(&fields, "user_code").to_owned(), Some(field(&fields, "login").to_owned()));
    "<h1>Confirmed</h1>"
}

async fn token(State(world): State<Arc<World>>, Form(fields): Form<Fields>) -> Response {
    if field(&fields, "client_id") != CLIENT_ID {
        return refuse(&world, "?", "invalid_client");
    }
    match field(&fields, "grant_type") {
        "refresh_token" => match world.exchange(field(&fields, "refresh_token")) {
            Some((account, Some(tokens))) => grant(&world, &account, tokens),
            Some((account, None)) => refuse(&world, &account, "invalid_grant"),
            None => refuse(&world, "?", "invalid_grant"),
        },
        "authorization_code" => log_in(&world, field(&fields, "code")),
        "urn:ietf:params:oauth:grant-type:device_code" => log_in(&world, field(&fields, "device_code")),
        _ => refuse(&world, "?", "unsupported_grant_type"),
    }
}

/// Redeems the code of a login, which works once.
fn log_in(world: &World, code: &str) -> Response {
    let mut codes = codes(world);
    match codes.get(code).cloned() {
        None => refuse(world, "?", "invalid_grant"),
        Some(None) => refuse(world, "?", "authorization_pending"),
        Some(Some(person)) => {
            codes.remove(code);
            grant(world, &person, world.issue(&person))
        }
    }
}

fn grant(world: &World, account: &str, (access, refresh): (String, String)) -> Response {
    world.log(NAME, account, "200, a new token");
    Json(json!({ "access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600 }))
        .into_response()
}

fn refuse(world: &World, account: &str, error: &str) -> Response {
    world.log(NAME, account, format_args!("400, {error}"));
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
}

async fn me(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    match world.sender_of(&headers) {
        Some((name, _)) => Json(json!({ "sub": format!("id-of-{name}"), "preferred_username": name })).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

fn codes(world: &World) -> MutexGuard<'_, HashMap<String, Option<String>>> {
    world.codes.lock().unwrap_or_else(PoisonError::into_inner)
}
