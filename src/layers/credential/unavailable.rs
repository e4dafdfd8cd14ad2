//! What a request gets if there is no credential for it.

use http::Response;
use http_body::Body;

use super::attempt::model_of;
use super::body::LeaseBody;
use crate::clock;
use crate::config::WhenAllCooling;
use crate::context::{Next, RequestContext};
use crate::error::{BoxError, Error, ErrorKind};
use crate::pool::{Pool, Unavailable, invented};
use crate::tokens::refresh::RefreshError;
use crate::verdict::{Kind, Verdict};

/// Answers a request for which there is no credential: with the remembered answer while every credential cools, else
/// with an error. `refresh` is the failed refresh of a credential that was picked for the request, if there was one.
pub(super) fn refuse_or_answer<B: Body>(
    pool: &Pool,
    context: &RequestContext,
    why: Unavailable,
    refresh: Option<RefreshError>,
) -> Result<Response<LeaseBody<B>>, BoxError> {
    let recovery = match why {
        Unavailable::Error(error) => return Err(with_refresh(error, refresh).into()),
        Unavailable::Cooling(recovery) => recovery,
    };
    let remembered =
        pool.remembered(model_of(pool, context).as_ref()).filter(|remembered| remembered.concerns(context.pin()));
    let mode = pool.settings().when_all_cooling;
    // The retry layer will wait for it; this answer only tells it until when.
    let waits = mode == WhenAllCooling::Wait && recovery <= pool.settings().max_wait;
    if mode == WhenAllCooling::Error || (remembered.is_none() && refresh.is_some() && !waits) {
        let message = format!(
            "every credential of {:?} is cooling down; the first one recovers in {} s",
            pool.provider(),
            seconds(recovery)
        );
        let error = Error::new(ErrorKind::AllCooling, message).with_retry_after(Some(recovery));
        return Err(with_refresh(error, refresh).into());
    }
    let response = match remembered {
        Some(remembered) => remembered.answer(Some(recovery)),
        None => invented(pool.provider(), Some(recovery)),
    };
    let verdict = Verdict::new(Kind::Throttled).with_status(response.status()).with_retry_after(recovery);
    let mut call = context.call();
    call.begin(None);
    call.judge(verdict);
    if let Some(attempt) = call.last_mut() {
        attempt.next = clock::now().checked_add(recovery).map(Next::At);
    }
    drop(call);
    Ok(response.map(LeaseBody::memory))
}

fn with_refresh(error: Error, refresh: Option<RefreshError>) -> Error {
    let Some(refresh) = refresh else { return error };
    let retry_after = error.retry_after().or(refresh.retry_after());
    let message = format!("{error}: the token could not be refreshed: {refresh}");
    refresh.into_error(message).with_retry_after(retry_after)
}

fn seconds(time: std::time::Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
