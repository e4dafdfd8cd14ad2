//! A provider that says in headers what a failure means: `x-kind` and `x-scope`.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use oauth_marathon::pool::PoolBuilder;
use oauth_marathon::verdict::{Answer, Classifier, classify_fn};
use oauth_marathon::verdict::{Kind, Scope, Verdict};
use oauth_marathon_test::{Reply, ScriptedProvider};

use crate::support::stage::{Stage, seconds};

fn classifier() -> impl Classifier {
    classify_fn(|answer: &Answer<'_>| {
        let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let kind = match text("x-kind")? {
            "throttled" => Kind::Throttled,
            "quota" => Kind::QuotaExhausted,
            "billing" => Kind::Billing,
            "banned" => Kind::Banned,
            other => panic!("unknown kind {other}"),
        };
        let verdict = Verdict::new(kind);
        let verdict = if text("x-scope") == Some("model") { verdict.with_scope(Scope::Model) } else { verdict };
        let wait = text("retry-after").map(|wait| seconds(wait.parse().expect("seconds")));
        Some(wait.map_or(verdict, |wait| verdict.with_retry_after(wait)))
    })
}

/// A stage whose classifier reads those headers.
pub(crate) fn stage(pool: PoolBuilder, provider: ScriptedProvider) -> Stage {
    Stage::with(pool, provider, |layer| layer.classifier(classifier()))
}

/// 429, for the model of the request alone.
pub(crate) fn model_limited(wait: u64) -> Reply {
    Reply::limited(wait).header("x-kind", "throttled").header("x-scope", "model")
}

/// 429: the quota is used up for so many seconds.
pub(crate) fn used_up(wait: u64) -> Reply {
    Reply::limited(wait).header("x-kind", "quota")
}

/// The same, for the model of the request alone.
pub(crate) fn model_used_up(wait: u64) -> Reply {
    used_up(wait).header("x-scope", "model")
}

pub(crate) fn banned() -> Reply {
    Reply::status(403).header("x-kind", "banned").body("verify yourself")
}

/// A request for this model.
pub(crate) fn chat(model: &str) -> Request<Full<Bytes>> {
    let body = format!(r#"{{"messages":[{{"content":"hello"}}],"model":"{model}"}}"#);
    Request::post("https://api.example.com/v1/chat").body(Full::from(body)).expect("well-formed")
}

/// The models that a credential cools for, and for how many seconds still.
pub(crate) fn cooling_models(stage: &Stage, id: &str) -> Vec<(String, u64)> {
    stage.of(id).models.into_iter().map(|model| (model.model, model.cooldown.as_secs())).collect()
}
