//! Reads the answer of a token endpoint: two bytes of status, lines of header fields, an empty line and a body.
#![no_main]

mod head;

use std::error::Error as _;
use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;
use libfuzzer_sys::fuzz_target;
use oauth_marathon::TokenSet;
use oauth_marathon::testing::parsers::{self, Sample};

const ACCESS: &str = "previous-access-token-0a1b2c3d";
const REFRESH: &str = "previous-refresh-token-4e5f6071";

fuzz_target!(|data: &[u8]| {
    let [low, high, rest @ ..] = data else { return };
    let status = StatusCode::from_u16(100 + u16::from_le_bytes([*low, *high]) % 900).expect("three digits");
    let now = UNIX_EPOCH + Duration::from_secs(1_795_336_380);
    let (headers, body) = head::split(rest);
    let sample = Sample::new(status, headers, body.to_vec(), now);
    let previous = TokenSet::new(ACCESS).with_refresh(REFRESH);
    match parsers::token_response(&sample, &previous) {
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
