//! HTTP/2: what a server surely did not act on is sent again, also under `resend: "safe"`; what it may have acted on is not.

use bytes::Bytes;
use h2::Reason;
use http::{Request, StatusCode, Version};
use http_body_util::Full;
use oauth_marathon::config::Resend;
use oauth_marathon::verdict::{Kind, Processed};
use oauth_marathon::{BoxError, Marathon, MarathonLayer, Pool, RequestContext};
use tower::{ServiceBuilder, ServiceExt};

use crate::h2_script::{Executions, Fate, OK_ON_STREAM_1, SETTINGS, goaway, serve};
use crate::support::raw::{Peer, RawServer};
use crate::support::server::{HyperClient, client, pool, read, state_of, within};

const BOTH: [Resend; 2] = [Resend::Always, Resend::Safe];

fn stack(pool: &Pool) -> Marathon<HyperClient> {
    ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(client(true))
}

fn post(origin: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::post(format!("{origin}/v1/chat")).body(Full::from(body)).unwrap()
}

/// A server all of whose connections meet these fates.
async fn fated(fates: &'static [Fate], executions: &Executions) -> RawServer {
    let executions = executions.clone();
    RawServer::start(move |_, peer| {
        let executions = executions.clone();
        async move { serve(peer, fates, &executions).await }
    })
    .await
}

/// Sends one POST, and says how it ended and what the first attempt came to.
async fn send(
    pool: &Pool,
    request: Request<Full<Bytes>>,
) -> (Result<StatusCode, BoxError>, Vec<(String, Kind, Processed)>) {
    let context = RequestContext::new();
    let answer = context.clone().scope(stack(pool).oneshot(request)).await;
    let result = match answer {
        Ok(answer) => {
            assert_eq!(answer.version(), Version::HTTP_2);
            read(answer).await.map(|(status, _)| status)
        }
        Err(error) => Err(error),
    };
    let attempts = context.attempts().into_iter().map(|attempt| {
        let verdict = attempt.verdict.unwrap();
        (attempt.credential.unwrap().to_string(), verdict.kind(), verdict.processed())
    });
    (result, attempts.collect())
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_on_the_same_connection() {
    within(async {
        for resend in BOTH {
            let executions = Executions::default();
            let server = fated(&[Fate::Refuse(Reason::REFUSED_STREAM), Fate::Answer(200)], &executions).await;
            let pool = pool(&server.origin(), &["a", "b"], resend);
            let (result, attempts) = send(&pool, post(&server.origin(), "work")).await;
            assert_eq!(result.unwrap(), 200, "{resend:?}");
            assert_eq!(attempts[0], ("a".to_owned(), Kind::Network, Processed::No));
            assert_eq!((attempts.len(), attempts[1].0.as_str()), (2, "a"));
            assert_eq!((executions.bodies(), server.log.connections()), (vec!["work".to_owned()], 1));
            assert_eq!((state_of(&pool, "a").failures, state_of(&pool, "a").in_flight), (1, 0));
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_always_refused_moves_to_the_next_credential_and_ends() {
    within(async {
        let executions = Executions::default();
        let server = fated(&[Fate::Refuse(Reason::REFUSED_STREAM)], &executions).await;
        let pool = pool(&server.origin(), &["a", "b"], Resend::Safe);
        let (result, attempts) = send(&pool, post(&server.origin(), "work")).await;
        result.unwrap_err();
        assert_eq!(attempts.iter().map(|attempt| attempt.0.as_str()).collect::<Vec<_>>(), ["a", "a", "b", "b"]);
        assert_eq!(executions.bodies(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_reset_after_the_body_was_read_is_sent_again_only_where_twice_is_asked_for_or_harmless() {
    within(async {
        for reason in [Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::ENHANCE_YOUR_CALM] {
            let fates: &'static [Fate] = match reason {
                Reason::INTERNAL_ERROR => &[Fate::Break(Reason::INTERNAL_ERROR), Fate::Answer(200)],
                Reason::CANCEL => &[Fate::Break(Reason::CANCEL), Fate::Answer(200)],
                _ => &[Fate::Break(Reason::ENHANCE_YOUR_CALM), Fate::Answer(200)],
            };
            for (resend, key) in [(Resend::Safe, false), (Resend::Safe, true), (Resend::Always, false)] {
                let executions = Executions::default();
                let server = fated(fates, &executions).await;
                let pool = pool(&server.origin(), &["a", "b"], resend);
                let mut request = post(&server.origin(), "work");
                if key {
                    request.headers_mut().insert("idempotency-key", "k1".parse().unwrap());
                }
                let (result, attempts) = send(&pool, request).await;
                assert_eq!(attempts[0], ("a".to_owned(), Kind::Network, Processed::Maybe), "{reason:?}");
                let again = key || resend == Resend::Always;
                assert_eq!((result.is_ok(), executions.bodies().len()), (again, 1 + usize::from(again)), "{reason:?}");
                assert_eq!(state_of(&pool, "a").failures, 1);
            }
        }
    })
    .await;
}

/// A first connection by `script`, and later ones that answer with 200.
async fn first_connection<F, Fut>(executions: &Executions, script: F) -> RawServer
where
    F: Fn(Peer, Executions) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let executions = executions.clone();
    RawServer::start(move |number, peer| {
        let (script, executions) = (script.clone(), executions.clone());
        async move {
            match number {
                1 => script(peer, executions).await,
                _ => serve(peer, &[Fate::Answer(200)], &executions).await,
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_stream_above_the_last_id_of_a_goaway_is_sent_again_on_a_new_connection() {
    within(async {
        for resend in BOTH {
            let executions = Executions::default();
            let server = first_connection(&executions, |mut peer, _| async move {
                peer.write(SETTINGS).await;
                peer.until(b"work").await.unwrap();
                peer.write(goaway(0)).await;
                peer.gone().await;
            })
            .await;
            let pool = pool(&server.origin(), &["a", "b"], resend);
            let (result, attempts) = send(&pool, post(&server.origin(), "work")).await;
            assert_eq!(result.unwrap(), 200, "{resend:?}");
            assert_eq!(attempts[0], ("a".to_owned(), Kind::Network, Processed::No));
            assert_eq!((executions.bodies(), server.log.connections()), (vec!["work".to_owned()], 2));
        }
    })
    .await;
}

#[tokio::test]
async fn of_two_streams_the_one_above_the_last_id_moves_while_the_other_is_answered() {
    within(async {
        let executions = Executions::default();
        let server = first_connection(&executions, |mut peer, executions| async move {
            peer.write(SETTINGS).await;
            peer.until(b"first").await.unwrap();
            executions.note("first");
            peer.until(b"second").await.unwrap();
            peer.write(goaway(1)).await;
            peer.write(OK_ON_STREAM_1).await;
            peer.gone().await;
        })
        .await;
        let pool = pool(&server.origin(), &["a", "b"], Resend::Safe);
        let stack = stack(&pool);
        let (first, second) = tokio::join!(
            stack.clone().oneshot(post(&server.origin(), "first")),
            stack.clone().oneshot(post(&server.origin(), "second"))
        );
        assert_eq!((first.unwrap().status(), second.unwrap().status()), (StatusCode::OK, StatusCode::OK));
        assert_eq!(executions.bodies(), ["first", "second"]);
        assert_eq!(server.log.connections(), 2);
        assert_eq!(state_of(&pool, "a").failures, 1);
    })
    .await;
}

#[tokio::test]
async fn a_stream_at_the_last_id_whose_connection_breaks_may_have_been_acted_on() {
    within(async {
        for (resend, reset) in BOTH.into_iter().flat_map(|resend| [false, true].map(|reset| (resend, reset))) {
            let executions = Executions::default();
            let server = first_connection(&executions, move |mut peer, executions| async move {
                peer.write(SETTINGS).await;
                peer.until(b"work").await.unwrap();
                executions.note("work");
                peer.write(goaway(1)).await;
                if reset {
                    peer.reset();
                }
            })
            .await;
            let pool = pool(&server.origin(), &["a", "b"], resend);
            let (result, attempts) = send(&pool, post(&server.origin(), "work")).await;
            assert_eq!(attempts[0], ("a".to_owned(), Kind::Network, Processed::Maybe), "{resend:?}, {reset}");
            let again = resend == Resend::Always;
            assert_eq!((result.is_ok(), executions.bodies().len()), (again, 1 + usize::from(again)), "{reset}");
        }
    })
    .await;
}

#[tokio::test]
async fn twenty_429s_share_one_connection_with_the_answers_that_follow() {
    within(async {
        let executions = Executions::default();
        let server = fated(&[Fate::Answer(429)], &executions).await;
        let names: Vec<_> = (0..20).map(|number| format!("account-{number}")).collect();
        let pool = pool(&server.origin(), &names.iter().map(String::as_str).collect::<Vec<_>>(), Resend::Safe);
        let (result, attempts) = send(&pool, post(&server.origin(), "work")).await;
        assert_eq!((result.unwrap().as_u16(), attempts.len(), server.log.connections()), (429, 20, 1));
    })
    .await;
}
