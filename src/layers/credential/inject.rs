//! Injects a credential into the head of a request, as one value.

use http::Request;
use http::header::{HOST, HeaderMap};

use crate::error::Error;
use crate::pool::{Access, Pool};

/// Replaces all fields that carry a credential with those of `access`, and moves the request to its base URL.
#[inline]
pub(super) fn inject<B>(request: &mut Request<B>, pool: &Pool, access: &Access) -> Result<(), Error> {
    if let Some(base) = &access.base {
        *request.uri_mut() = base.rebase(request.uri())?;
        // `Host` still names the old host.
        request.headers_mut().remove(HOST);
    }
    let headers = request.headers_mut();
    // A token never goes out with the account header of another credential, or with one that the caller has set.
    if pool.has_other_headers() {
        for name in pool.header_names().iter().filter(|name| **name != access.name) {
            headers.remove(name);
        }
    }
    headers.insert(access.name.clone(), access.value.clone());
    for (name, value) in &access.extra {
        headers.insert(name.clone(), value.clone());
    }
    Ok(())
}

/// Removes everything that can carry a credential.
pub(super) fn strip(headers: &mut HeaderMap, pool: &Pool) {
    for name in pool.header_names().iter() {
        headers.remove(name);
    }
}
