//! The API: it answers with the name of the account and the prompt, or with the prompt's words one by one.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, post};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use tokio::sync::mpsc;

use super::server::{HangUp, Pieces};
use super::world::{Trouble, World};

const NAME: &str = "provider";

/// An error before the first content, as providers send it.
const LIMITED: &str = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"}}\n\n";

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/v1/chat", post(chat))
        .route("/v1/stream", post(stream))
        .route("/moved", any(moved))
        .route("/open", any(open))
}

async fn chat(State(world): State<Arc<World>>, headers: HeaderMap, prompt: String) -> Response {
    let Some((account, trouble)) = world.sender_of(&headers) else { return unknown(&world) };
    if let Some(refusal) = refuse(&world, &account, trouble) {
        return refusal;
    }
    world.log(NAME, &account, "200");
    format!("{account} says {prompt}").into_response()
}

async fn stream(State(world): State<Arc<World>>, headers: HeaderMap, prompt: String) -> Response {
    let Some((account, trouble)) = world.sender_of(&headers) else { return unknown(&world) };
    if let Some(refusal) = refuse(&world, &account, trouble) {
        return refusal;
    }
    let event_stream = [(CONTENT_TYPE, "text/event-stream")];
    if trouble == Trouble::LimitedInStream {
        world.log(NAME, &account, "200, an error as the first event");
        return (event_stream, LIMITED).into_response();
    }
    world.log(NAME, &account, "200, an event stream");
    let (pieces, body) = mpsc::channel(1);
    tokio::spawn(async move {
        for word in prompt.split(' ') {
            let Ok(permit) = world.words.acquire().await else { break };
            permit.forget();
            if pieces.send(Bytes::from(format!("data: {word}\n\n"))).await.is_err() {
                break;
            }
        }
    });
    (event_stream, Body::new(Pieces(body))).into_response()
}

/// What an account in trouble gets. `None` if it gets its answer.
fn refuse(world: &World, account: &str, trouble: Trouble) -> Option<Response> {
    Some(match trouble {
        Trouble::Nothing | Trouble::LimitedInStream => return None,
        Trouble::Limited(seconds) => {
            world.log(NAME, account, format_args!("429, retry-after: {seconds}"));
            (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds.to_string())], "too many requests").into_response()
        }
        Trouble::Says(status, body) => {
            world.log(NAME, account, status);
            (StatusCode::from_u16(status).unwrap_or_default(), body).into_response()
        }
        Trouble::Breaks(_) => {
            world.log(NAME, account, "closes the connection without an answer");
            HangUp.into_response()
        }
        Trouble::Expired | Trouble::Revoked => {
            world.log(NAME, account, "401");
            (StatusCode::UNAUTHORIZED, "the token has expired").into_response()
        }
    })
}

fn unknown(world: &World) -> Response {
    world.log(NAME, "?", "401, unknown token");
    (StatusCode::UNAUTHORIZED, "unknown token").into_response()
}

async fn moved(Query(fields): Query<HashMap<String, String>>) -> Redirect {
    Redirect::to(fields.get("to").map_or("/", String::as_str))
}

async fn open(headers: HeaderMap) -> &'static str {
    if headers.contains_key("x-api-key") { "saw the key" } else { "saw no key" }
}
