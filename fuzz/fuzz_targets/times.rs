//! Reads one text as every form of a time.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use libfuzzer_sys::fuzz_target;
use oauth_marathon::testing::parsers;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for wait in parsers::waits(text, UNIX_EPOCH + Duration::from_secs(1_795_336_380)) {
        assert!(wait <= Duration::from_secs(10 * 365 * 86_400));
        assert_eq!(wait.subsec_nanos() % 1_000_000, 0);
    }
});
