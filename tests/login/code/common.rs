//! Helpers that the tests of this folder share.

use std::time::Duration;

use crate::support::login::value;

pub(crate) const TOKENS: &str = r#"{"access_token":"at","refresh_token":"rt","token_type":"bearer","expires_in":60}"#;

/// Ends a test that hangs. No test depends on how long it takes.
pub(crate) async fn within<F: Future>(test: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(60), test).await.expect("the test hangs")
}

pub(crate) fn address(url: &str) -> String {
    value(url, "redirect_uri").unwrap().trim_start_matches("http://").split('/').next().unwrap().to_owned()
}
