//! Reads `Retry-After` and its relatives from three header fields, one per line.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use oauth_marathon::verdict::retry_after;

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for (name, value) in ["retry-after", "retry-after-ms", "date"].into_iter().zip(data.split(|byte| *byte == b'\n')) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    if let Some(wait) = retry_after(&headers, UNIX_EPOCH + Duration::from_secs(1_795_336_380)) {
        assert!(wait <= Duration::from_secs(10 * 365 * 86_400));
        assert_eq!(wait.subsec_nanos() % 1_000_000, 0);
    }
});
