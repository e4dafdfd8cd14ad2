//! Judges the body of a failure, and the same object inside a stream.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, StatusCode};
use libfuzzer_sys::fuzz_target;
use oauth_marathon::providers::failures::ProviderRules;
use oauth_marathon::testing::parsers::{self, Sample};

fuzz_target!(|data: &[u8]| {
    let now = UNIX_EPOCH + Duration::from_secs(1_795_336_380);
    assert!(parsers::kept(data) <= 64 * 1024);
    let rules = ProviderRules::default();
    let head = Sample::new(StatusCode::OK, HeaderMap::new(), "", now);
    for event in [None, Some("error"), Some("throttlingException")] {
        if let Some(verdict) = parsers::error_object(&rules, &head, event, data) {
            assert!(!verdict.is_success());
        }
    }
});
