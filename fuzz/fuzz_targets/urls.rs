//! Reads origins, base URLs and endpoints, one per line, and the URI of a request. A credential goes nowhere else.
#![no_main]

use http::Uri;
use libfuzzer_sys::fuzz_target;
use oauth_marathon::testing::parsers;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (written, requested) = text.split_once('\n').unwrap_or((text, "/"));
    if let Some(endpoint) = parsers::endpoint(written) {
        assert!(!endpoint.authority().is_some_and(|authority| authority.as_str().contains('@')));
        let again = parsers::endpoint(&endpoint.to_string());
        assert_eq!(again.as_ref(), Some(&endpoint));
    }
    let Ok(uri) = requested.parse::<Uri>() else { return };
    if parsers::leads_to(written, &uri) == Some(true) {
        let authority = uri.authority().expect("a URI without a host leads nowhere");
        let host = authority.host().to_ascii_lowercase();
        assert!(written.to_ascii_lowercase().contains(&host), "{written} {uri}");
    }
    if let Some(rebased) = parsers::rebased(written, &uri) {
        let origin = format!("{}://{}", rebased.scheme_str().expect("absolute"), rebased.authority().expect("absolute"));
        assert_eq!(parsers::leads_to(&origin, &rebased), Some(true), "{written} {uri} {rebased}");
        assert!(written.to_ascii_lowercase().contains(&rebased.host().expect("absolute").to_ascii_lowercase()));
    }
});
