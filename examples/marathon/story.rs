//! Asks through the stack, and prints what happens while it does.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use oauth_marathon::clients::{HttpClient, ResponseBody};
use oauth_marathon::context::Attempt;
use oauth_marathon::events::{Event, EventStream};
use oauth_marathon::verdict::Kind;
use oauth_marathon::{BoxError, Marathon, MarathonBody, Pool, RequestContext};
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt;

use crate::paint::Paint;
use crate::support::Provider;

pub(crate) type Client = Marathon<HttpClient<Full<Bytes>>>;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How fast the provider writes.
const BETWEEN_WORDS: Duration = Duration::from_millis(150);

pub(crate) struct Story {
    pub(crate) provider: Provider,
    pub(crate) pool: Pool,
    pub(crate) client: Client,
    pub(crate) events: EventStream,
    pub(crate) paint: Paint,
    pub(crate) scene: usize,
}

/// What came of one request.
pub(crate) struct Outcome {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<u64>,
    /// How many requests the provider and the OAuth server saw.
    pub(crate) seen: usize,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) events: Vec<&'static str>,
}

impl Story {
    pub(crate) fn scene(&mut self, title: &str, setting: &str) {
        self.scene += 1;
        self.paint.scene(self.scene, title);
        self.paint.setting(setting);
    }

    /// Asks, and prints the whole answer.
    pub(crate) async fn ask(&mut self, prompt: &str) -> Result<Outcome, BoxError> {
        let (response, outcome) = self.send("/v1/chat", prompt).await?;
        let wait = outcome.retry_after.map(|seconds| format!(", retry-after: {seconds}")).unwrap_or_default();
        let body = response.into_body().collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        self.paint.answer(outcome.status.is_success(), format_args!("{}{wait}  {text}", outcome.status.as_u16()));
        Ok(outcome)
    }

    /// Asks for a stream, and prints each part as it arrives. Says how many there were.
    pub(crate) async fn ask_for_stream(&mut self, prompt: &str) -> Result<(Outcome, usize), BoxError> {
        let begin = Instant::now();
        self.provider.send_words(1);
        let (response, outcome) = self.send("/v1/stream", prompt).await?;
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.paint.answer(outcome.status.is_success(), format_args!("{}  {media_type}", outcome.status.as_u16()));
        let mut body = pin!(response.into_body());
        let mut parts = 0;
        while let Some(frame) = timeout(PATIENCE, body.frame()).await? {
            let Ok(data) = frame?.into_data() else { continue };
            parts += 1;
            let text = String::from_utf8_lossy(&data).trim().to_owned();
            self.paint.answer(true, format_args!("     {text:<14}  after {:>4} ms", begin.elapsed().as_millis()));
            sleep(BETWEEN_WORDS).await;
            self.provider.send_words(1);
        }
        Ok((outcome, parts))
    }

    /// Waits until the pool says that a credential has recovered.
    pub(crate) async fn recovery(&mut self) -> Result<String, BoxError> {
        loop {
            let event = timeout(PATIENCE, self.events.recv()).await?.ok_or("the pool is gone")?;
            self.paint.event(&event);
            if let Event::Recovered { credential, .. } = event {
                return Ok(credential.id.to_string());
            }
        }
    }

    async fn send(
        &mut self,
        path: &str,
        prompt: &str,
    ) -> Result<(Response<MarathonBody<ResponseBody>>, Outcome), BoxError> {
        self.paint.ask(format_args!("\"{prompt}\""));
        let request = Request::post(format!("{}{path}", self.provider.origin)).body(Full::from(prompt.to_owned()))?;
        // The context that surrounds the call shows its attempts afterwards.
        let context = RequestContext::new();
        let mut call = pin!(context.clone().scope(timeout(PATIENCE, self.client.clone().oneshot(request))));
        let (mut seen, mut events) = (0, Vec::new());
        let response = loop {
            tokio::select! {
                biased;
                Some(sight) = self.provider.next_seen() => {
                    seen += 1;
                    self.paint.wire(sight.server, &sight.account, &sight.did);
                }
                Some(event) = self.events.recv() => {
                    events.push(event.name());
                    self.paint.event(&event);
                }
                response = &mut call => break response??,
            }
        };
        while let Some(event) = self.events.try_recv() {
            events.push(event.name());
            self.paint.event(&event);
        }
        let attempts = context.attempts();
        self.paint.note("attempts", list(&attempts));
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let outcome = Outcome { status: response.status(), retry_after, seen, attempts, events };
        Ok((response, outcome))
    }

    /// The story has to come out as told, or the program fails.
    pub(crate) fn expect(
        &self,
        outcome: &Outcome,
        status: u16,
        attempts: &[(&str, Kind)],
        events: &[&str],
    ) -> Result<(), BoxError> {
        let went: Vec<_> = outcome.attempts.iter().map(|attempt| (id(attempt), kind(attempt))).collect();
        let planned: Vec<_> = attempts.iter().map(|(id, kind)| (*id, Some(*kind))).collect();
        if outcome.status == status && went == planned && outcome.events == events {
            return Ok(());
        }
        let (scene, went_status) = (self.scene, outcome.status.as_u16());
        let happened = format!("{went_status}, {went:?}, {:?}", outcome.events);
        Err(format!("scene {scene} was to be {status}, {planned:?}, {events:?}; it was {happened}").into())
    }
}

/// The attempt log in one line.
fn list(attempts: &[Attempt]) -> String {
    let attempts: Vec<_> = attempts
        .iter()
        .map(|attempt| match attempt.verdict {
            Some(verdict) => format!("{}: {verdict}", id(attempt)),
            None => format!("{}: cut short", id(attempt)),
        })
        .collect();
    attempts.join(", then ")
}

fn id(attempt: &Attempt) -> &str {
    attempt.credential.as_ref().map_or("the pool", |id| id.as_str())
}

fn kind(attempt: &Attempt) -> Option<Kind> {
    attempt.verdict.map(|verdict| verdict.kind())
}
