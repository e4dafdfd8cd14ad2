//! Rules for the attempts of one request.

use std::collections::HashSet;

use oauth_marathon::config::Settings;
use oauth_marathon::context::{Attempt, Next};
use oauth_marathon::verdict::{Kind, Lost};

use super::violation::{Rule, Violation};

/// Checks the attempts of one request against the settings of its pool: in a round no credential is returned to, none
/// is used more often than its retries allow, and no more credentials are used than `maxAttempts`.
///
/// ```
/// # use http_body_util::Full;
/// use oauth_marathon_test::invariants::check_attempts;
/// use oauth_marathon_test::{Reply, ScriptedProvider};
/// use oauth_marathon::{Credential, MarathonLayer, Pool, RequestContext, Secret};
/// use tower::{Layer, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
/// let pool = Pool::builder("openai")
///     .origin("https://api.example.com")
///     .credential(Credential::new("work", Secret::new("t-work")))
///     .credential(Credential::new("home", Secret::new("t-home")))
///     .build()?;
/// let provider = ScriptedProvider::new().on("t-work", [Reply::connection_error(), Reply::status(429)]);
/// let client = MarathonLayer::new(pool.clone()).layer(provider);
/// let context = RequestContext::new();
/// let request = http::Request::post("https://api.example.com/").extension(context.clone()).body(Full::<bytes::Bytes>::from("{}"))?;
/// client.oneshot(request).await?;
/// assert_eq!(context.attempts().len(), 3);
/// check_attempts(&context.attempts(), pool.settings())?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// The first rule that the attempts break.
pub fn check_attempts(attempts: &[Attempt], settings: &Settings) -> Result<(), Violation> {
    let first_break = attempts.iter().find(|attempt| broke(attempt)).map(|attempt| attempt.number);
    let rounds = &mut attempts.chunk_by(|one, next| one.round == next.round);
    rounds.try_for_each(|round| check_round(round, first_break, settings))
}

/// Whether the connection broke before an answer. The attempt after the first such break is no network retry.
fn broke(attempt: &Attempt) -> bool {
    attempt.verdict.is_some_and(|verdict| verdict.lost() == Some(Lost::BeforeAnswer))
}

fn check_round(round: &[Attempt], first_break: Option<u32>, settings: &Settings) -> Result<(), Violation> {
    let mut used = HashSet::new();
    let mut server_errors_repeated = 0;
    for uses in round.chunk_by(|one, next| one.credential == next.credential) {
        // If nothing was sent, no credential was used.
        let Some(id) = uses.first().and_then(|attempt| attempt.credential.clone()) else { continue };
        let broken = |rule, what: &str| Err(Violation::new(rule, format!("{id} {what}: {}", shown(round))));
        if !used.insert(id.clone()) {
            return broken(Rule::DoubleSpend, "was returned to");
        }
        let mut networks = 0;
        let mut refreshes = 0;
        let repeated = uses.len().saturating_sub(1);
        for failed in uses.iter().take(repeated) {
            match failed.verdict.map(|verdict| verdict.kind()) {
                Some(Kind::Network) => networks += usize::from(Some(failed.number) != first_break),
                Some(Kind::Overloaded | Kind::ServerError) => server_errors_repeated += 1,
                _ if failed.next == Some(Next::Same) => refreshes += 1,
                _ => return broken(Rule::DoubleSpend, "was used again without a reason"),
            }
        }
        if networks > settings.network_retry_attempts as usize * (1 + refreshes + server_errors_repeated) {
            return broken(Rule::DoubleSpend, "was used more often than networkRetryAttempts allows");
        }
        if refreshes > 1 {
            return broken(Rule::DoubleSpend, "was used more than once after a new token");
        }
    }
    if server_errors_repeated > 1 {
        return Err(Violation::new(Rule::DoubleSpend, format!("a second repeat of a server error: {}", shown(round))));
    }
    let most = settings.most_attempts();
    if used.len() > most {
        let detail = format!("{} credentials, where {most} are allowed: {}", used.len(), shown(round));
        return Err(Violation::new(Rule::CapBroken, detail));
    }
    Ok(())
}

fn shown(round: &[Attempt]) -> String {
    let attempt = |attempt: &Attempt| {
        let id = attempt.credential.as_ref().map_or("none", |id| id.as_str());
        let verdict = attempt.verdict.map_or_else(|| "no verdict".to_owned(), |verdict| verdict.to_string());
        format!("{id} {verdict}")
    };
    round.iter().map(attempt).collect::<Vec<_>>().join(", ")
}
