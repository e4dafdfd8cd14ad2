//! Inner services for the tests of this module.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::sync::{Arc, Mutex};

use http::Request;
use tower::service_fn;
use tower_service::Service;

use crate::context::RequestContext;
use crate::credentials::Generation;

pub(crate) type Seen = Arc<Mutex<Vec<(&'static str, bool)>>>;

/// Notes at each turn whether the context of the call is the current one.
struct Witness {
    mine: RequestContext,
    seen: Seen,
}

impl Witness {
    fn note(&self, turn: &'static str) {
        let same = RequestContext::current().is_some_and(|context| is_same(&context, &self.mine));
        self.seen.lock().unwrap().push((turn, same));
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.note("drop");
    }
}

/// Whether both are the same context: an attempt that is begun in one shows in the other.
fn is_same(a: &RequestContext, b: &RequestContext) -> bool {
    let before = b.call().len();
    a.call().begin(None);
    b.call().len() == before + 1
}

/// A service that begins an attempt in `call`, and whose answer takes two waits.
pub(crate) fn slow(
    seen: Seen,
) -> impl Service<Request<()>, Response = (), Error = Infallible, Future = impl Future + use<>> + Clone {
    service_fn(move |request: Request<()>| {
        let mine = RequestContext::of(request.extensions()).unwrap().clone();
        let witness = Witness { mine, seen: Arc::clone(&seen) };
        witness.note("call");
        async move {
            witness.note("poll");
            tokio::task::yield_now().await;
            witness.note("poll");
            tokio::task::yield_now().await;
            Ok(())
        }
    })
}

/// A service that uses one credential after the other and is then answered.
pub(crate) fn uses(
    credentials: &'static [&'static str],
) -> impl Service<Request<()>, Response = (), Error = Infallible> + Clone {
    service_fn(move |request: Request<()>| {
        let context = RequestContext::of(request.extensions()).unwrap().clone();
        for id in credentials {
            context.call().begin(Some(((*id).into(), Generation::FIRST)));
        }
        ready(Ok(()))
    })
}

pub(crate) fn used(context: &RequestContext) -> Vec<String> {
    context.attempts().iter().map(|attempt| attempt.credential.as_ref().unwrap().to_string()).collect()
}
