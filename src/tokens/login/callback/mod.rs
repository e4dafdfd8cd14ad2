//! Decides about a request to the callback: pure, and before anything is sent anywhere (RFC 6749 section 10.12, RFC
//! 8252 section 8, RFC 9207).

use std::collections::HashMap;

use http::Method;
use http::header::{HOST, ORIGIN};
use http::request::Parts;
use subtle::ConstantTimeEq;

use super::progress::CallbackRefusal;
use crate::credentials::Secret;

/// What the answer to a login must look like.
pub(super) struct Expected {
    /// Host and port, as the redirect URI spells them.
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) state: Secret,
    pub(super) issuer: Option<String>,
    /// Whether an answer without `iss` must be refused.
    pub(super) names_issuer: bool,
}

/// The one answer to a login.
#[derive(Debug)]
pub(super) enum Callback {
    Code(Secret),
    /// The server's error code.
    Error(String),
    /// The state is right and the issuer is not: the login was at another server.
    OtherIssuer,
}

#[derive(Debug)]
pub(super) enum Ruling {
    Accepted(Callback),
    Refused(CallbackRefusal),
    /// Another path than the callback's, such as a favicon.
    NotFound,
    MethodNotAllowed,
}

/// Judges a request by its head.
pub(super) fn judge(head: &Parts, expected: &Expected) -> Ruling {
    if !is_ours(head, expected) {
        return Ruling::Refused(CallbackRefusal::ForeignHost);
    }
    let own_origin = format!("http://{}", expected.authority);
    if head.headers.get_all(ORIGIN).iter().any(|origin| !origin.as_bytes().eq_ignore_ascii_case(own_origin.as_bytes()))
    {
        return Ruling::Refused(CallbackRefusal::ForeignOrigin);
    }
    if head.uri.path() != expected.path {
        return Ruling::NotFound;
    }
    if head.method != Method::GET {
        return Ruling::MethodNotAllowed;
    }
    match answer(head.uri.query().unwrap_or_default(), expected) {
        Ok(callback) => Ruling::Accepted(callback),
        Err(refusal) => Ruling::Refused(refusal),
    }
}

/// Whether the request names the host and port of the redirect URI, and no other.
fn is_ours(head: &Parts, expected: &Expected) -> bool {
    let mut hosts = head.headers.get_all(HOST).iter();
    let host_is_ours = |host: &[u8]| host.eq_ignore_ascii_case(expected.authority.as_bytes());
    hosts.next().is_some_and(|host| host_is_ours(host.as_bytes()))
        && hosts.next().is_none()
        && head.uri.authority().is_none_or(|authority| host_is_ours(authority.as_str().as_bytes()))
}

fn answer(query: &str, expected: &Expected) -> Result<Callback, CallbackRefusal> {
    let mut parameters = HashMap::new();
    let mut doubled = false;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if matches!(&*name, "state" | "code" | "error" | "iss") {
            doubled |= parameters.insert(name.into_owned(), Secret::new(value)).is_some();
        }
    }
    if doubled {
        return Err(CallbackRefusal::Malformed);
    }
    let mut take = |name: &str| parameters.remove(name).filter(|value| !value.is_empty());
    let state = take("state").ok_or(CallbackRefusal::MissingState)?;
    if !same(&state, &expected.state) {
        return Err(CallbackRefusal::WrongState);
    }
    let issuer_is_right = match (take("iss"), &expected.issuer) {
        (Some(found), Some(issuer)) => found.expose() == issuer,
        (None, _) => !expected.names_issuer,
        // Without an issuer in the settings there is none to compare it with.
        (Some(_), None) => true,
    };
    if !issuer_is_right {
        return Ok(Callback::OtherIssuer);
    }
    match (take("code"), take("error")) {
        (Some(code), None) => Ok(Callback::Code(code)),
        (None, Some(error)) => Ok(Callback::Error(error.expose().to_owned())),
        _ => Err(CallbackRefusal::Malformed),
    }
}

/// Compares in constant time, so that the time does not tell where the difference is.
pub(super) fn same(one: &Secret, other: &Secret) -> bool {
    one.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
}

#[cfg(test)]
mod tests;
