//! A policy for the redirects that reqwest follows by itself.

use ::reqwest::Url;
use ::reqwest::redirect::{Attempt, Policy};

use crate::context::RequestContext;
use crate::pool::Pool;

/// A redirect policy for reqwest clients that send credentials of `pool`. It follows up to ten redirects, like
/// reqwest's own, but none to a place that the request's credential must not be sent to.
///
/// It follows within one origin, and from one of the pool's origins to another; for a credential with a
/// [base URL](crate::Credential::base_url), within that URL's origin alone. A redirect to anywhere else is not followed:
/// the caller gets the 3xx answer, and the other place gets no request.
///
/// reqwest on its own removes `authorization` when it leaves an origin, and sends every other header along, such as
/// `x-api-key`.
///
/// ```
/// use oauth_marathon::{Credential, Pool, Secret};
///
/// # fn main() -> Result<(), oauth_marathon::BoxError> {
/// let pool = Pool::builder("openai")
///     .origin("https://api.example.com")
///     .credential(Credential::new("key", Secret::new("sk-1")).header("x-api-key"))
///     .build()?;
/// let client = reqwest::Client::builder().redirect(oauth_marathon::clients::reqwest::redirect_policy(&pool)).build()?;
/// # let _ = client;
/// # Ok(()) }
/// ```
#[must_use]
pub fn redirect_policy(pool: &Pool) -> Policy {
    let pool = pool.clone();
    Policy::custom(
        move |attempt| {
            if may_follow(&pool, &attempt) { Policy::default().redirect(attempt) } else { attempt.stop() }
        },
    )
}

fn may_follow(pool: &Pool, attempt: &Attempt<'_>) -> bool {
    let next = attempt.url();
    // Asked at every redirect, so one step back is enough.
    if attempt.previous().last().is_some_and(|previous| same_origin(previous, next)) {
        return true;
    }
    // If reqwest runs in another task there is no context, and the request's credential is not known.
    let credential = RequestContext::current()
        .and_then(|context| context.call().last().and_then(|attempt| attempt.credential.clone()));
    let Ok(next) = next.as_str().parse() else { return false };
    credential.is_some_and(|credential| pool.may_receive(Some(&credential), &next))
}

fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}
