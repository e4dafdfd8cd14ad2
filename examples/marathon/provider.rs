//! The provider: an API that echoes its request, in one piece or word by word.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::mpsc;

use crate::server::{Answer, HangUp, Pieces, json, serve};
use crate::world::{Trouble, World};

const NAME: &str = "provider";

pub(crate) async fn start(world: Arc<World>) -> io::Result<SocketAddr> {
    serve(move |request| answer(world.clone(), request)).await
}

async fn answer(world: Arc<World>, request: Request<Incoming>) -> Result<Answer, HangUp> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| HangUp)?.to_bytes();
    let token = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((account, trouble)) = world.by_access(token.trim_start_matches("Bearer ")) else {
        world.log(NAME, "?", "401: unknown token");
        return Ok(refusal(StatusCode::UNAUTHORIZED, "unknown token"));
    };
    match trouble {
        Trouble::Nothing => Ok(echo(&world, account, &body)),
        Trouble::Breaks(_) => {
            world.log(NAME, account, "closes the connection without an answer");
            Err(HangUp)
        }
        Trouble::Limited(seconds) => {
            world.log(NAME, account, format_args!("429, retry-after: {seconds}"));
            let mut answer = refusal(StatusCode::TOO_MANY_REQUESTS, "too many requests");
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            Ok(answer)
        }
        Trouble::Expired | Trouble::Revoked => {
            world.log(NAME, account, "401");
            Ok(refusal(StatusCode::UNAUTHORIZED, "the token has expired"))
        }
    }
}

fn echo(world: &World, account: &str, body: &Bytes) -> Answer {
    let question: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let prompt = question["prompt"].as_str().unwrap_or_default();
    if question["stream"] == true {
        world.log(NAME, account, "200, an event stream");
        return stream(prompt);
    }
    world.log(NAME, account, "200");
    json(StatusCode::OK, &json!({ "account": account, "echo": prompt }))
}

/// Server-sent events: a word every 150 ms.
fn stream(prompt: &str) -> Answer {
    let (pieces, body) = mpsc::channel(1);
    let words: Vec<_> = prompt.split(' ').map(|word| Bytes::from(format!("data: {word}\n\n"))).collect();
    tokio::spawn(async move {
        for word in words {
            tokio::time::sleep(Duration::from_millis(150)).await;
            if pieces.send(word).await.is_err() {
                break;
            }
        }
    });
    let mut answer = Response::new(Pieces(body).boxed_unsync());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer
}

fn refusal(status: StatusCode, message: &str) -> Answer {
    json(status, &json!({ "error": { "message": message } }))
}
