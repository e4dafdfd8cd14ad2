//! Reads what the body of a failure says for machines, in any envelope.
//!
//! It reads a bounded part of a body and gives codes, a message and times to the rules. Serde types would be simpler,
//! but each provider has its own envelope, gateways wrap one in another, and a body may be cut short.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue};

pub(super) use self::codes::Codes;
use self::json::Node;
use crate::verdict::times::{MILLISECOND, SECOND, decimal, epoch, float, go, point};

mod codes;
mod json;
mod names;

/// The most bytes of a body that are read.
const BYTES: usize = 128 * 1024;

/// The most bytes of a message that are searched for known sentences.
const MESSAGE: usize = 4 * 1024;

/// How many header fields of the body are kept.
const FIELDS: usize = 64;

/// How many layers of JSON inside of a message, as a string, are unwrapped.
const WRAPS: u8 = 3;

/// What a body says for machines: codes, a message, times.
#[derive(Debug, Clone, Default)]
pub(super) struct ErrorDocument {
    pub(super) shape: BodyForm,
    /// Whether the body itself calls this an error, apart from the answer's status.
    pub(super) is_error: bool,
    /// All codes, from whatever place in the body.
    pub(super) codes: Codes,
    /// The message for people in small letters, of bounded length. Empty where it quotes a parameter of the request.
    pub(super) message: String,
    quotes_request: bool,
    /// The status that the body states.
    pub(super) status: Option<u16>,
    /// Header fields that the body carries.
    pub(super) fields: HeaderMap,
    /// Whether the answer is that of a provider behind this one.
    pub(super) is_upstream: bool,
    /// Whether the content of the request was refused.
    pub(super) is_flagged: bool,
    /// The names of exceeded quotas.
    pub(super) quotas: Vec<String>,
    /// Whether one of these quotas allows nothing at all.
    pub(super) quota_is_zero: bool,
    pub(super) times: BodyTimes,
}

/// The times that stand in members for machines.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BodyTimes {
    pub(super) resets_at: Option<SystemTime>,
    pub(super) resets_in: Option<Duration>,
    pub(super) retry_info: Option<Duration>,
    pub(super) quota_delay: Option<Duration>,
    pub(super) quota_date: Option<SystemTime>,
    pub(super) availability: Option<Duration>,
    pub(super) retry_after: Option<Duration>,
    pub(super) interval: Option<Duration>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum BodyForm {
    #[default]
    Empty,
    Json,
    Html,
    Text,
}

impl ErrorDocument {
    /// Reads a body, which may be cut short. A body that is not JSON has no codes.
    pub(super) fn read(body: &[u8]) -> Self {
        let body = body.get(..BYTES).unwrap_or(body);
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
        let mut document = Self::default();
        match body.first() {
            None => {}
            Some(b'<') => document.shape = BodyForm::Html,
            Some(b'{' | b'[') => {
                document.shape = BodyForm::Json;
                if let Some(node) = json::parse(body) {
                    document.add(&node, WRAPS);
                }
            }
            Some(_) => {
                document.shape = BodyForm::Text;
                document.say(&String::from_utf8_lossy(body.get(..MESSAGE).unwrap_or(body)));
            }
        }
        document
    }

    /// Adds what a header field says that holds JSON in base64.
    pub(super) fn add_encoded(&mut self, value: &HeaderValue) {
        let value = value.as_bytes().trim_ascii();
        if value.len() > MESSAGE {
            return;
        }
        let json = STANDARD.decode(value).or_else(|_| STANDARD_NO_PAD.decode(value));
        if let Some(node) = json.as_deref().ok().and_then(json::parse) {
            self.add(&node, 0);
        }
    }

    pub(super) fn add_code(&mut self, code: &str) {
        // `namespace#Name` of AWS, and the fragment of a problem type's URI (RFC 9457).
        let code = code.rsplit_once('#').map_or(code, |(_, name)| name).trim();
        self.codes.push(code);
    }

    /// Reads an envelope: the outermost object, or one that a gateway has wrapped.
    fn add(&mut self, node: &Node<'_>, wraps: u8) {
        // Google puts the object into a list.
        let node = node.elements().iter().find(|element| element.is_object()).unwrap_or(node);
        for name in ["status_code", "statusCode", "status"] {
            self.state(node.get(name));
        }
        self.carry(node.get("headers"));
        let response = node.get("response");
        let choice = || node.get("choices")?.elements().first();
        let details = || response?.get("status_details");
        let inner =
            [node.get("error"), response.and_then(|it| it.get("error")), details().and_then(|it| it.get("error"))];
        let inner = inner.into_iter().chain([choice().and_then(|it| it.get("error"))]).flatten();
        for inner in inner {
            self.add_inner(inner, wraps);
        }
        match node.get("detail") {
            Some(Node::Text(detail)) => self.say(detail),
            Some(detail @ Node::Object(_)) => self.add_object(detail, wraps),
            _ => {}
        }
        let is = |name: &'static str, values: &[&str]| {
            node.get(name).and_then(Node::text).is_some_and(|it| values.contains(&it))
        };
        let named =
            is("type", &["error", "response.failed"]) || is("event_type", &["error"]) || is("object", &["error"]);
        self.is_error |= named;
        self.add_object(node, wraps);
    }

    /// Reads the member `error`: an object, a sentence or a code.
    fn add_inner(&mut self, node: &Node<'_>, wraps: u8) {
        match node {
            Node::Object(_) => {
                self.is_error = true;
                self.add_object(node, wraps);
            }
            Node::Text(text) if !text.is_empty() => {
                self.is_error = true;
                if !text.contains(char::is_whitespace) {
                    self.add_code(text);
                }
                self.say_or_unwrap(text, wraps);
            }
            _ => {}
        }
    }

    /// Reads what one object says: message, codes, status, details and times. `wraps` is how many more errors may be
    /// unwrapped that stand as JSON in a message.
    fn add_object(&mut self, node: &Node<'_>, wraps: u8) {
        if let Some(message) = ["message", "msg"].iter().find_map(|name| node.get(name)?.text()) {
            self.say_or_unwrap(message, wraps);
        } else if let Some(description) = node.get("error_description").and_then(Node::text) {
            self.say(description);
        }
        for name in
            ["code", "error_code", "reason", "type", "error_type", "status", "__type", "exceptionName", "error_subtype"]
        {
            self.code(node.get(name));
        }
        self.code(node.get("innererror").and_then(|it| it.get("code")));
        self.code(node.get("error_details").and_then(|it| it.get("notification_id")));
        for name in ["code", "status", "http_status", "status_code"] {
            self.state(node.get(name));
        }
        if let Some(Node::Text(_) | Node::Number(_)) = node.get("param") {
            self.quote();
        }
        if let Some(availability) = node.get("availability") {
            self.code(availability.get("code"));
            self.times.availability = seconds(availability.get("retry_after")).or(self.times.availability);
        }
        if let Some(metadata) = node.get("metadata") {
            self.add_metadata(metadata);
        }
        match node.get("details") {
            Some(Node::List(details)) => details.iter().for_each(|detail| self.add_detail(detail)),
            Some(details) => self.code(details.get("error_code")),
            None => {}
        }
        for error in node.get("errors").map(Node::elements).unwrap_or_default() {
            self.code(error.get("reason"));
        }
        self.add_times(node);
    }

    fn add_times(&mut self, node: &Node<'_>) {
        let times = &mut self.times;
        let resets_at = ["resets_at", "resetsAt"].iter().find_map(|name| moment(node.get(name)));
        times.resets_at = resets_at.or(times.resets_at);
        times.resets_in = seconds(node.get("resets_in_seconds")).or(times.resets_in);
        let wait = milliseconds(node.get("retry_after_ms"));
        let wait =
            wait.or_else(|| ["retry_after", "retry_after_seconds"].iter().find_map(|name| seconds(node.get(name))));
        times.retry_after = wait.or(times.retry_after);
        times.interval = seconds(node.get("interval")).or(times.interval);
    }

    /// Reads `error.metadata` of OpenRouter.
    fn add_metadata(&mut self, metadata: &Node<'_>) {
        self.code(metadata.get("error_type"));
        self.code(metadata.get("limit_source"));
        self.carry(metadata.get("headers"));
        self.is_upstream |= metadata.get("raw").is_some() || metadata.get("provider_name").is_some();
        self.is_flagged |= metadata.get("reasons").is_some() || metadata.get("patterns").is_some();
        self.times.resets_at = moment(metadata.get("resets_at")).or(self.times.resets_at);
    }

    /// Reads an element of Google's `details`.
    fn add_detail(&mut self, detail: &Node<'_>) {
        self.code(detail.get("reason"));
        self.times.retry_info = delay(detail.get("retryDelay")).or(self.times.retry_info);
        for violation in detail.get("violations").map(Node::elements).unwrap_or_default() {
            self.quota(violation.get("quotaId"));
            self.quota_is_zero |= violation.get("quotaValue").and_then(Node::text) == Some("0");
        }
        let Some(metadata) = detail.get("metadata") else { return };
        self.quota(metadata.get("quota_limit"));
        self.quota_is_zero |= metadata.get("quota_limit_value").and_then(Node::text) == Some("0");
        self.times.quota_delay = delay(metadata.get("quotaResetDelay")).or(self.times.quota_delay);
        self.times.quota_date = moment(metadata.get("quotaResetTimeStamp")).or(self.times.quota_date);
    }

    fn code(&mut self, node: Option<&Node<'_>>) {
        match node {
            Some(Node::Text(code)) => self.add_code(code),
            Some(Node::Number(code)) if (0.0..1e9).contains(code) && code.fract() == 0.0 => {
                self.add_code(&code.to_string())
            }
            _ => {}
        }
    }

    fn quota(&mut self, node: Option<&Node<'_>>) {
        if let Some(name) =
            node.and_then(Node::text).filter(|name| name.len() <= Codes::LONGEST && self.quotas.len() < Codes::MOST)
        {
            self.quotas.push(name.to_owned());
        }
    }

    fn state(&mut self, node: Option<&Node<'_>>) {
        let number = match node {
            Some(Node::Number(number)) => Some(*number),
            Some(Node::Text(text)) if text.len() == 3 => text.parse().ok(),
            _ => None,
        };
        // Casts of floats saturate, and the range is checked before.
        let status = number.filter(|number| (400.0..600.0).contains(number)).map(|number| number as u16);
        self.status = self.status.or(status);
    }

    fn carry(&mut self, node: Option<&Node<'_>>) {
        let Some(Node::Fields(fields)) = node else { return };
        for (name, value) in fields.iter().take(FIELDS.saturating_sub(self.fields.len())) {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                self.fields.append(name, value);
            }
        }
    }

    /// Takes a message, or unwraps an error that stands in its place as JSON.
    fn say_or_unwrap(&mut self, message: &str, wraps: u8) {
        if wraps > 0
            && message.trim_start().starts_with(['{', '['])
            && let Some(node) = json::parse(message.as_bytes())
        {
            return self.add(&node, wraps - 1);
        }
        self.say(message);
    }

    /// Keeps the first message; later ones are ignored.
    fn say(&mut self, message: &str) {
        if self.message.is_empty() && !self.quotes_request {
            let most = message.len().min(MESSAGE);
            let end = (0..=most).rev().find(|end| message.is_char_boundary(*end)).unwrap_or_default();
            self.message = message.get(..end).unwrap_or_default().trim().to_ascii_lowercase();
        }
    }

    /// Forgets the message, because it speaks about a parameter of the request and may quote what the user wrote.
    fn quote(&mut self) {
        self.quotes_request = true;
        self.message.clear();
    }
}

fn seconds(node: Option<&Node<'_>>) -> Option<Duration> {
    number(node, SECOND).or_else(|| go(node?.text()?.trim()))
}

fn milliseconds(node: Option<&Node<'_>>) -> Option<Duration> {
    number(node, MILLISECOND)
}

fn number(node: Option<&Node<'_>>, unit: u64) -> Option<Duration> {
    match node? {
        Node::Number(number) => float(*number, unit),
        Node::Text(text) => decimal(text.trim(), unit),
        _ => None,
    }
}

/// A duration from a text with units, or from an object of seconds and nanoseconds.
fn delay(node: Option<&Node<'_>>) -> Option<Duration> {
    match node? {
        Node::Text(text) => go(text.trim()),
        object @ Node::Object(_) => {
            let nanoseconds = number(object.get("nanos"), 1).unwrap_or_default();
            seconds(object.get("seconds")).map(|seconds| seconds.saturating_add(nanoseconds))
        }
        _ => None,
    }
}

fn moment(node: Option<&Node<'_>>) -> Option<SystemTime> {
    match node? {
        Node::Number(number) => epoch(*number),
        Node::Text(text) => point(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
