//! Which answers are streams, and how those are cut into frames.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;

/// How a stream is cut into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::layers::classify) enum Format {
    /// `text/event-stream` (WHATWG HTML, section 9.2).
    EventStream,
    /// One JSON value per line: `application/x-ndjson`, `application/jsonl` and similar types.
    Lines,
    /// The elements of one JSON array, which `:streamGenerateContent` sends as `application/json`.
    Array,
}

/// What the request tells about the body of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Any,
    /// The method is HEAD: the answer has no body.
    Nothing,
    /// The answer may be a stream in the form of one JSON array.
    Array,
}

impl Asked {
    #[inline]
    pub(crate) fn by<B>(request: &Request<B>) -> Self {
        if *request.method() == Method::HEAD {
            Self::Nothing
        } else if request.uri().path().ends_with(":streamGenerateContent") {
            Self::Array
        } else {
            Self::Any
        }
    }

    /// The format of a good answer, if it is a stream that can be read.
    #[inline]
    pub(in crate::layers::classify) fn format<B: Body>(self, answer: &Response<B>) -> Option<Format> {
        let format = self.format_of(answer.status(), answer.headers())?;
        (!answer.body().is_end_stream()).then_some(format)
    }

    /// Whether an answer with this head is a stream that the layer reads.
    #[cfg(feature = "reqwest")]
    pub(crate) fn is_stream(self, status: StatusCode, headers: &HeaderMap) -> bool {
        self.format_of(status, headers).is_some()
    }

    #[inline]
    fn format_of(self, status: StatusCode, headers: &HeaderMap) -> Option<Format> {
        let has_body = status.is_success() && status != StatusCode::NO_CONTENT && self != Self::Nothing;
        Format::of(headers, self == Self::Array).filter(|_| has_body)
    }
}

impl Format {
    /// The format that these headers name. `None` if the answer is no stream, or is compressed.
    pub(super) fn of(headers: &HeaderMap, array: bool) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE)?.as_bytes();
        // Nearly every other answer is this.
        if !array && content_type == b"application/json" {
            return None;
        }
        let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
        let format = match essence.len() {
            // The length alone rules out most other types.
            17 if is("text/event-stream") => Self::EventStream,
            17 if is("application/jsonl") => Self::Lines,
            18 if is("application/ndjson") => Self::Lines,
            19 if is("application/x-jsonl") => Self::Lines,
            20 if is("application/x-ndjson") => Self::Lines,
            16 if array && is("application/json") => Self::Array,
            _ => return None,
        };
        let mut codings = headers.get_all(CONTENT_ENCODING).iter();
        codings.all(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity")).then_some(format)
    }
}
