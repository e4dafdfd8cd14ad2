//! `ConcurrencyLimit`, `Buffer`, `LoadShed`, and erased services.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use oauth_marathon::{BoxError, MarathonBody, MarathonLayer};
use oauth_marathon_test::{ProbeLayer, Reply, ScriptedBody, ScriptedProvider};
use tower::buffer::BufferLayer;
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::load_shed::error::Overloaded;
use tower::util::{BoxCloneService, BoxCloneSyncService};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

use super::requests::{limited, pool, request};

type Answer = Response<MarathonBody<ScriptedBody>>;

async fn sent(
    client: impl Service<Request<Full<Bytes>>, Response = Answer, Error = BoxError>,
) -> Result<u16, BoxError> {
    client.oneshot(request()).await.map(|answer| answer.status().as_u16())
}

fn slow() -> Reply {
    Reply::ok().after(Duration::from_secs(1))
}

fn one_limited() -> ScriptedProvider {
    ScriptedProvider::new().on("t-work", [limited().after(Duration::from_secs(1))]).otherwise(slow())
}

#[tokio::test(start_paused = true)]
async fn above_a_limit_holds_its_place_for_all_attempts_and_below_for_each() {
    let (above, below) = (ProbeLayer::new(), ProbeLayer::new());
    let client = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(1))
        .layer(above.clone())
        .layer(MarathonLayer::new(pool()))
        .service(one_limited());
    let (first, second) = tokio::join!(sent(client.clone()), sent(client));
    assert_eq!((first.unwrap(), second.unwrap(), above.counts().most_in_flight), (200, 200, 1));

    let client = ServiceBuilder::new()
        .layer(above.clone())
        .layer(MarathonLayer::new(pool()))
        .layer(ConcurrencyLimitLayer::new(1))
        .layer(below.clone())
        .service(one_limited());
    let (first, second) = tokio::join!(sent(client.clone()), sent(client));
    // Both requests were under way, and only one attempt at a time was: an attempt gives its place back before the next.
    assert_eq!((first.unwrap(), second.unwrap()), (200, 200));
    assert_eq!((above.counts().most_in_flight, below.counts().most_in_flight), (2, 1));
    assert_eq!(below.counts().calls, 3);
}

#[tokio::test(start_paused = true)]
async fn a_buffer_hands_the_stack_on_and_changes_no_attempt() {
    for above in [true, false] {
        let (probe, provider) = (ProbeLayer::new(), one_limited());
        let inner = probe.layer(provider.clone());
        let answers = if above {
            let client =
                ServiceBuilder::new().layer(BufferLayer::new(4)).layer(MarathonLayer::new(pool())).service(inner);
            tokio::join!(sent(client.clone()), sent(client))
        } else {
            let client =
                ServiceBuilder::new().layer(MarathonLayer::new(pool())).layer(BufferLayer::new(4)).service(inner);
            tokio::join!(sent(client.clone()), sent(client))
        };
        assert_eq!((answers.0.unwrap(), answers.1.unwrap()), (200, 200), "above: {above}");
        assert_eq!(probe.counts().calls, 3, "above: {above}");
    }
}

#[tokio::test(start_paused = true)]
async fn above_a_shed_request_is_never_begun() {
    let provider = ScriptedProvider::new().otherwise(slow());
    let client = ServiceBuilder::new()
        .layer(LoadShedLayer::new())
        .layer(ConcurrencyLimitLayer::new(1))
        .layer(MarathonLayer::new(pool()))
        .service(provider.clone());
    let (first, second) = tokio::join!(sent(client.clone()), sent(client));
    assert_eq!(first.unwrap(), 200);
    assert!(second.unwrap_err().is::<Overloaded>());
    assert_eq!(provider.tokens().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn below_a_shed_attempt_counts_as_a_broken_connection_of_the_credential() {
    // Longer than the pauses before all tries together.
    let slow = Reply::ok().after(Duration::from_secs(10));
    let (pool, provider) = (pool(), ScriptedProvider::new().otherwise(slow));
    let client = ServiceBuilder::new()
        .layer(MarathonLayer::new(pool.clone()))
        .layer(LoadShedLayer::new())
        .layer(ConcurrencyLimitLayer::new(1))
        .service(provider.clone());
    let (first, second) = tokio::join!(sent(client.clone()), sent(client));
    assert_eq!(first.unwrap(), 200);
    assert!(second.unwrap_err().is::<Overloaded>());
    assert_eq!(provider.tokens().len(), 1);
    // Two tries with each of the two credentials were shed.
    let failures: u64 = pool.snapshot().credentials.iter().map(|credential| credential.failures).sum();
    assert_eq!(failures, 4);
}

#[tokio::test(start_paused = true)]
async fn erased_services_above_and_below_run_the_same_stack() {
    let provider = one_limited();
    let below = BoxCloneService::new(ProbeLayer::new().layer(provider.clone()));
    let client = BoxCloneService::new(MarathonLayer::new(pool()).layer(below));
    assert_eq!(sent(client).await.unwrap(), 200);
    assert_eq!(provider.tokens(), ["t-work", "t-home"]);
    let client = BoxCloneSyncService::new(MarathonLayer::new(pool()).layer(one_limited()));
    assert_eq!(sent(client.clone()).await.unwrap(), 200);
}
