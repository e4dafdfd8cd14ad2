//! Reads quotas from lines of header fields, and after an empty line from the data of an event.
#![no_main]

mod head;

use std::time::{Duration, UNIX_EPOCH};

use libfuzzer_sys::fuzz_target;
use oauth_marathon::providers::quota::Quota;

/// Checks what must hold for every quota.
fn check(quota: &Quota) {
    assert!(quota.windows().len() <= Quota::MOST_WINDOWS);
    for window in quota.windows() {
        assert!(window.used.is_none_or(|used| used.is_finite() && used >= 0.0), "{window:?}");
        assert!(window.left().is_none_or(|left| (0.0..=1.0).contains(&left)), "{window:?}");
        let longest = Duration::from_secs(10 * 366 * 86_400);
        assert!(window.resets_after.is_none_or(|reset| reset <= longest), "{window:?}");
        // Windows have different names.
        assert_eq!(quota.window(&window.name), Some(window));
    }
    assert!(quota.exhausted().is_none_or(|window| window.exhausted));
}

fuzz_target!(|data: &[u8]| {
    let now = UNIX_EPOCH + Duration::from_secs(1_795_336_380);
    let (headers, event) = head::split(data);
    for quota in [Some(Quota::read(&headers, now)), Quota::read_event(event, now)].into_iter().flatten() {
        check(&quota);
        for later in [0, 1, 3_600, 1 << 40] {
            let later = quota.at(now + Duration::from_secs(later));
            check(&later);
            assert!(later.windows().len() <= quota.windows().len());
        }
    }
});
