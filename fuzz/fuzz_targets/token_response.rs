//! Reads the answer of a token endpoint through the token source: two bytes of status, lines of header fields, an empty
//! line and a body.
#![no_main]

mod head;

use std::error::Error as _;
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use oauth_marathon::TokenSet;
use oauth_marathon::tokens::refresh::{OAuth2, RefreshRequest, TokenSource};
use oauth_marathon_test::{ManualClock, Reply, ScriptedProvider};
use tokio::runtime::{Builder, Runtime};

const ACCESS: &str = "previous-access-token-0a1b2c3d";
const REFRESH: &str = "previous-refresh-token-4e5f6071";

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

fuzz_target!(|data: &[u8]| {
    let [low, high, rest @ ..] = data else { return };
    let status = StatusCode::from_u16(100 + u16::from_le_bytes([*low, *high]) % 900).expect("three digits");
    let now = UNIX_EPOCH + Duration::from_secs(1_795_336_380);
    let (headers, body) = head::split(rest);
    let reply = headers.iter().fold(Reply::status(status.as_u16()), |reply, (name, value)| {
        reply.header(name.as_str(), value.as_bytes())
    });
    let server = ScriptedProvider::new().then(reply.body(body.to_vec()));
    let source: OAuth2<_, Full<Bytes>> =
        OAuth2::new("https://auth.example.com/token", "client", server.clone()).clock(ManualClock::new(now));
    let previous = TokenSet::new(ACCESS).with_refresh(REFRESH);
    let refreshed = RUNTIME.block_on(source.refresh(RefreshRequest::new("openai", "work", previous)));
    assert_eq!(server.requests().len(), 1, "a refresh token is sent once");
    match refreshed {
        Ok(tokens) => {
            assert!(status.is_success());
            assert!(tokens.access().expose().bytes().all(|byte| byte.is_ascii_graphic()));
            assert!(!tokens.access().expose().is_empty());
            assert!(tokens.refresh().is_some(), "the previous one stays");
            assert!(tokens.expiry().is_none_or(|end| end > now && end <= now + Duration::from_secs(11 * 366 * 86_400)));
        }
        Err(error) => {
            let mut said = format!("{error} {error:?}");
            let mut source = error.source();
            while let Some(cause) = source {
                said += &format!(" {cause} {cause:?}");
                source = cause.source();
            }
            assert!(!said.contains(ACCESS) && !said.contains(REFRESH), "{said}");
        }
    }
});
