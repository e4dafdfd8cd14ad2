//! Judges the body of a failure, and the same object inside a stream.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, StatusCode};
use libfuzzer_sys::fuzz_target;
use oauth_marathon::providers::failures::ProviderRules;
use oauth_marathon::verdict::{Answer, Classifier};

fuzz_target!(|data: &[u8]| {
    let (rules, headers) = (ProviderRules::default(), HeaderMap::new());
    let now = UNIX_EPOCH + Duration::from_secs(1_795_336_380);
    let failed = Answer::new(StatusCode::BAD_REQUEST, &headers, now);
    for is_complete in [true, false] {
        let verdict = rules.answer(&failed.with_body(data, is_complete)).expect("it is a failure by its status");
        assert!(!verdict.is_success());
    }
    let head = Answer::new(StatusCode::OK, &headers, now);
    for event in [None, Some("error"), Some("throttlingException")] {
        if let Some(verdict) = rules.error_object(&head, event, data) {
            assert!(!verdict.is_success());
        }
    }
});
