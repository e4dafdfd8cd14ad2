//! The parts of an OAuth server's refusal that may be shown: its status, and an error code that looks like one.

use std::fmt;

use http::StatusCode;

/// The code, if it looks like one. A server could put anything in its place, even a token.
pub(crate) fn plain(code: &str) -> Option<&str> {
    let is_plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    (is_plain && (1..=64).contains(&code.len())).then_some(code)
}

/// Writes a message, followed by the status and the code that the server answered with.
pub(crate) fn write(
    f: &mut fmt::Formatter<'_>,
    message: &str,
    status: Option<StatusCode>,
    code: Option<&str>,
) -> fmt::Result {
    f.write_str(message)?;
    match (status, code) {
        (Some(status), Some(code)) => write!(f, " ({}, {code})", status.as_u16()),
        (Some(status), None) => write!(f, " ({})", status.as_u16()),
        (None, Some(code)) => write!(f, " ({code})"),
        (None, None) => Ok(()),
    }
}
