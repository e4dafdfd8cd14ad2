//! A provider with habits of its own: its quota comes as a 400, and only the body says so.
//!
//! The standard classifier takes a 400 for the request's own fault and returns it at once. A few lines refine it. A
//! strategy of our own and the stream of events come along.
//!
//! ```text
//! cargo run --example custom_classifier
//! ```

mod support;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::pool::{Candidate, Choice, Strategy};
use oauth_marathon::verdict::{Answer, Kind, Verdict, classify_fn};
use oauth_marathon::{BoxError, Credential, Marathon, MarathonLayer, Pool, Secret};
use tower::{ServiceBuilder, ServiceExt};

use self::support::{Provider, Trouble};

/// `{"code": "quota", "resets_in": 90}` under any status. `None` leaves the answer to the standard classifier.
fn quota(answer: &Answer<'_>) -> Option<Verdict> {
    let body: serde_json::Value = serde_json::from_slice(answer.body()?).ok()?;
    let seconds = body["resets_in"].as_u64().filter(|_| body["code"] == "quota")?;
    Some(Verdict::new(Kind::QuotaExhausted).with_retry_after(Duration::from_secs(seconds)))
}

/// Spares the account that answered most.
struct LeastUsed;

impl Strategy for LeastUsed {
    fn select(&self, _: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
        (0..ready.len()).min_by_key(|&at| ready[at].successes)
    }
}

type Client = Marathon<HttpClient<Full<Bytes>>>;

fn client(origin: &str) -> Result<(Client, Pool), BoxError> {
    let pool = Pool::builder("habits")
        .origin(origin)
        .credential(Credential::new("one", Secret::new("one-key")).header("x-api-key"))
        .credential(Credential::new("two", Secret::new("two-key")).header("x-api-key"))
        .credential(Credential::new("three", Secret::new("three-key")).header("x-api-key"))
        .strategy(LeastUsed)
        .build()?;
    let layer = MarathonLayer::new(pool.clone()).classifier(classify_fn(quota));
    Ok((ServiceBuilder::new().layer(layer).service(HttpClient::new()?), pool))
}

/// The check: `one` has no quota left, `two` has answered once then, and another 400 is still the request's own fault.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut provider = Provider::start(["one", "two", "three"]).await?;
    let url = format!("{}/v1/chat", provider.origin);
    let (client, pool) = client(&provider.origin)?;
    let mut events = pool.events();
    let mut ask = async || {
        let request = http::Request::post(&url).body(Full::default())?;
        let status = client.clone().oneshot(request).await?.status();
        println!("POST /v1/chat: {status}");
        while let Some(event) = events.try_recv() {
            println!("  event  {event}");
        }
        Ok::<_, BoxError>(status)
    };

    provider.trouble("one", Trouble::Says(400, r#"{"code": "quota", "resets_in": 90}"#));
    assert_eq!(ask().await?, 200);
    assert_eq!(provider.seen(), ["one: 400", "two: 200"]);
    assert_eq!(ask().await?, 200);
    assert_eq!(provider.seen(), ["three: 200"]);
    provider.trouble("two", Trouble::Says(400, r#"{"code": "typo"}"#));
    assert_eq!(ask().await?, 400);
    assert_eq!(provider.seen(), ["two: 400"]);
    Ok(())
}
