//! The provider's OAuth server: the refresh grant of RFC 6749 section 6, with refresh tokens that work once.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;

use crate::server::{Answer, HangUp, json, serve};
use crate::world::World;

pub(crate) const CLIENT_ID: &str = "marathon-demo";
const NAME: &str = "oauth";

pub(crate) async fn start(world: Arc<World>) -> io::Result<SocketAddr> {
    serve(move |request| token(world.clone(), request)).await
}

async fn token(world: Arc<World>, request: Request<Incoming>) -> Result<Answer, HangUp> {
    let body = request.into_body().collect().await.map_err(|_| HangUp)?.to_bytes();
    let form: HashMap<_, _> = form_urlencoded::parse(&body).into_owned().collect();
    let field = |name| form.get(name).map(String::as_str).unwrap_or_default();
    if field("grant_type") != "refresh_token" || field("client_id") != CLIENT_ID {
        world.log(NAME, "?", "400, invalid_request");
        return Ok(json(StatusCode::BAD_REQUEST, &json!({ "error": "invalid_request" })));
    }
    Ok(match world.exchange(field("refresh_token")) {
        Some((account, Some((access, refresh)))) => {
            world.log(NAME, account, "200, a new token");
            let tokens =
                json!({ "access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600 });
            json(StatusCode::OK, &tokens)
        }
        refused => {
            world.log(NAME, refused.map_or("?", |(account, _)| account), "400, invalid_grant");
            json(StatusCode::BAD_REQUEST, &json!({ "error": "invalid_grant" }))
        }
    })
}
