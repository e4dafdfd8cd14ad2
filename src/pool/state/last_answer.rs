//! The last failed answer, which requests get again while every credential cools.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, DATE, SET_COOKIE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::State;
use crate::credentials::CredentialId;
use crate::credentials::header::state_recovery;

/// A remembered answer: its head and its whole body.
pub(crate) struct Remembered {
    credential: CredentialId,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Remembered {
    /// Keeps an answer whose body was read to its end.
    pub(crate) fn new<B>(credential: CredentialId, answer: &Response<B>, body: Bytes) -> Self {
        let mut headers = answer.headers().clone();
        // These fields belong to the connection, the time and the caller of the original answer.
        for name in [CONNECTION, TRANSFER_ENCODING, DATE, SET_COOKIE] {
            headers.remove(name);
        }
        Self { credential, status: answer.status(), headers, body }
    }

    /// Whether it may answer a request that is pinned to this credential, or to none.
    pub(crate) fn concerns(&self, pin: Option<&CredentialId>) -> bool {
        pin.is_none_or(|pin| *pin == self.credential)
    }

    /// The answer again, with `Retry-After` set to the time that is left now.
    pub(crate) fn answer(&self, recovery: Option<Duration>) -> Response<Bytes> {
        let mut response = Response::new(self.body.clone());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        state_recovery(response.headers_mut(), recovery);
        response
    }
}

impl State {
    /// Keeps a failed answer after which no credential was ready. It is kept for `model` alone while any credential is
    /// ready for other models.
    pub(in crate::pool) fn remember(&mut self, answer: Arc<Remembered>, model: Option<&Arc<str>>) {
        let of_model = model.filter(|_| self.rotation.first().is_some());
        match of_model.and_then(|model| self.models.schedule_mut(model)) {
            Some(schedule) => schedule.remembered = Some(answer),
            None => self.remembered = Some(answer),
        }
    }

    /// The failed answer that is kept for a request for this model.
    pub(in crate::pool) fn remembered(&self, model: Option<&Arc<str>>) -> Option<Arc<Remembered>> {
        let of_model = model.and_then(|model| self.models.schedule(model)?.remembered.as_ref());
        let all_cool = self.rotation.first().is_none();
        let (first, second) =
            if all_cool { (self.remembered.as_ref(), of_model) } else { (of_model, self.remembered.as_ref()) };
        first.or(second).cloned()
    }
}

/// A made-up 429, for when every credential cools and no answer is remembered, as after a restart.
pub(crate) fn invented(provider: &str, recovery: Option<Duration>) -> Response<Bytes> {
    let message = format!("every credential of {provider:?} is cooling down");
    let body = serde_json::json!({ "error": { "type": "all_credentials_cooling", "message": message } }).to_string();
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    state_recovery(response.headers_mut(), recovery);
    response
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").field("status", &self.status).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::header::RETRY_AFTER;

    use super::*;

    #[test]
    fn the_remembered_answer_comes_back_with_the_time_that_is_left() {
        let answer = Response::builder()
            .status(429)
            .header("retry-after", "60")
            .header("retry-after-ms", "60000")
            .header("transfer-encoding", "chunked")
            .header("set-cookie", "session=1")
            .header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
            .header("x-request-id", "r1")
            .body(())
            .unwrap();
        let again = Remembered::new("a".into(), &answer, Bytes::from_static(b"slow down"))
            .answer(Some(Duration::from_millis(1_001)));
        assert_eq!(again.status(), 429);
        assert_eq!(again.headers()[RETRY_AFTER], "2");
        assert_eq!(again.headers()["x-request-id"], "r1");
        assert_eq!(again.headers().len(), 2);
        assert_eq!(again.body(), "slow down");
    }

    #[test]
    fn without_one_the_answer_is_a_plain_429() {
        let answer = invented("openai", None);
        assert_eq!(answer.status(), 429);
        assert!(!answer.headers().contains_key(RETRY_AFTER));
    }
}
