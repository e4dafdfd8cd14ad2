//! The plain pages that the browser shows when a login ends.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

/// One page. Its text is for people, and holds no secret.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    pub(super) text: String,
}

impl Page {
    pub(super) fn logged_in() -> Self {
        Self::new(StatusCode::OK, "Logged in", "You can close this window and go back to the program.")
    }

    pub(super) fn failed(why: &str) -> Self {
        let text = format!("The login failed: {why}. Go back to the program, which says what to do.");
        Self::new(StatusCode::BAD_REQUEST, "Login failed", text)
    }

    pub(super) fn refused(why: &str) -> Self {
        let text = format!("{why} Nothing was done. If you are logging in, use the link that the program shows.");
        Self::new(StatusCode::BAD_REQUEST, "Refused", text)
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", "There is nothing here.")
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Not allowed", "This address answers GET only.")
    }

    pub(super) fn closed() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Login ended", "The program has given this login up.")
    }

    fn new(status: StatusCode, title: &'static str, text: impl Into<String>) -> Self {
        Self { status, title, text: text.into() }
    }

    pub(super) fn response(&self) -> Response<Full<Bytes>> {
        let (title, text) = (self.title, escaped(&self.text));
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n"
        );
        let mut response = Response::new(Full::from(html));
        *response.status_mut() = self.status;
        // The address of the page holds the code, so it must not be stored, nor sent to another site.
        for (name, value) in [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CACHE_CONTROL, "no-store"),
            (
                CONTENT_SECURITY_POLICY,
                "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ),
            (REFERRER_POLICY, "no-referrer"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        }
        response
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_asks_for_nothing_and_is_kept_nowhere() {
        let response = Page::failed("<script>&").response();
        assert_eq!(response.status(), 400);
        let headers = response.headers();
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        let html = format!("{response:?}");
        assert!(!html.contains("<script>") && !html.contains("http://") && !html.contains("https://"), "{html}");
    }
}
