//! A failure as the rules see it.

use std::cell::OnceCell;
use std::time::SystemTime;

use http::{HeaderMap, HeaderName};

use super::document::ErrorDocument;
use crate::providers::quota::Quota;
use crate::verdict::Answer;

static ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
static ERROR_JSON: HeaderName = HeaderName::from_static("x-error-json");

/// What is known about a failure, in one place.
#[derive(Debug)]
pub(super) struct Failure<'a> {
    /// The status of the answer; for an error inside a stream the status that the error states, if any.
    pub(super) status: Option<u16>,
    /// The header fields of the answer.
    pub(super) headers: &'a HeaderMap,
    pub(super) document: ErrorDocument,
    pub(super) now: SystemTime,
    quota: OnceCell<Quota>,
}

impl<'a> Failure<'a> {
    /// An answer that failed by its status.
    pub(super) fn of_answer(answer: &Answer<'a>) -> Self {
        let mut document = ErrorDocument::read(answer.body().unwrap_or_default());
        document.add_headers(answer.headers());
        let status = Some(answer.status().as_u16());
        Self { status, headers: answer.headers(), document, now: answer.now(), quota: OnceCell::new() }
    }

    /// An error inside an answer that began well; `None` if `data` is no error.
    pub(super) fn inside(head: &Answer<'a>, event: Option<&str>, data: &[u8]) -> Option<Self> {
        let mut document = ErrorDocument::read(data);
        let named = event.is_some_and(is_error_event);
        if !(document.is_error || named) {
            return None;
        }
        if let Some(exception) = event.filter(|event| event.ends_with("xception")) {
            document.add_code(exception);
        }
        let status = document.status;
        Some(Self { status, headers: head.headers(), document, now: head.now(), quota: OnceCell::new() })
    }

    /// The value of a header field of the answer, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
    }

    /// All header fields: the answer's first, then the fields inside the body.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.headers.iter().chain(&self.document.fields);
        all.filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?.trim())))
    }

    /// The windows that the header fields show. Fields inside the body go first, because they come with the error
    /// itself.
    pub(super) fn quota(&self) -> &Quota {
        self.quota.get_or_init(|| {
            if self.document.fields.is_empty() {
                return Quota::read(self.headers, self.now);
            }
            let mut fields = self.document.fields.clone();
            for (name, value) in self.headers {
                if !self.document.fields.contains_key(name) {
                    fields.append(name, value.clone());
                }
            }
            Quota::read(&fields, self.now)
        })
    }

    pub(super) fn is(&self, statuses: &[u16]) -> bool {
        self.status.is_some_and(|status| statuses.contains(&status))
    }
}

fn is_error_event(event: &str) -> bool {
    event == "error" || event == "response.failed" || event.ends_with("xception")
}

impl ErrorDocument {
    /// Whether the failure has this code, or the code with a suffix behind a colon; letters of either case.
    pub(super) fn has_code(&self, code: &str) -> bool {
        self.codes.have(code)
    }

    /// Adds the codes that some providers put into header fields.
    fn add_headers(&mut self, headers: &HeaderMap) {
        if let Some(value) = headers.get(&ERROR_TYPE).and_then(|value| value.to_str().ok()) {
            // `ThrottlingException:http://…`
            self.add_code(value.split_once(':').map_or(value, |(name, _)| name));
        }
        if let Some(value) = headers.get(&ERROR_JSON) {
            self.add_encoded(value);
        }
    }
}
