//! Events as `tracing` events. They carry ids and no labels: a label may be a person's address.

use super::event::Event;
use crate::credentials::CredentialId;
use crate::sync::shielded;

const TARGET: &str = "oauth_marathon";

/// Whether `tracing` could record any event. A subscriber is foreign code, here and below.
pub(super) fn enabled() -> bool {
    shielded(|| tracing::enabled!(target: TARGET, tracing::Level::ERROR)).unwrap_or(false)
}

/// Records an event: a failover as INFO, a needed login and a time limit as WARN, an exhausted pool as ERROR, all else
/// as DEBUG. Times are in seconds.
pub(super) fn record(event: &Event) {
    let _ = shielded(|| write(event));
}

/// Records that a notifier lost `count` events.
pub(super) fn notifier_lagged(count: u64) {
    let write = || tracing::warn!(target: TARGET, { oauth_marathon.notify.dropped = count }, "a notifier lost events");
    let _ = shielded(write);
}

/// Records that a notifier panicked over an event.
pub(super) fn notifier_panicked(event: &Event) {
    let write = || tracing::warn!(target: TARGET, { oauth_marathon.event = event.name() }, "a notifier panicked");
    let _ = shielded(write);
}

fn write(event: &Event) {
    let name = event.name();
    match event {
        Event::FailedOver { provider, from, to, status, kind, .. } => tracing::info!(
            target: TARGET,
            {
                oauth_marathon.event = name,
                oauth_marathon.pool = &**provider,
                oauth_marathon.credential.id = from.id.as_str(),
                oauth_marathon.credential.next = to.id.as_str(),
                oauth_marathon.cause = ?kind,
                http.response.status_code = status.map(|status| status.as_u16())
            },
            "failing over to another credential"
        ),
        Event::CoolingDown { provider, credential, kind, cooldown, model } => tracing::debug!(
            target: TARGET,
            {
                oauth_marathon.event = name,
                oauth_marathon.pool = &**provider,
                oauth_marathon.credential.id = credential.id.as_str(),
                oauth_marathon.credential.cooldown = cooldown.as_secs_f64(),
                oauth_marathon.cause = ?kind,
                oauth_marathon.model = model.as_deref()
            },
            "a credential is cooling"
        ),
        Event::Recovered { provider, credential, model } => tracing::debug!(
            target: TARGET,
            {
                oauth_marathon.event = name,
                oauth_marathon.pool = &**provider,
                oauth_marathon.credential.id = credential.id.as_str(),
                oauth_marathon.model = model.as_deref()
            },
            "a credential is ready again"
        ),
        Event::Out { provider, credential, reason } => tracing::warn!(
            target: TARGET,
            {
                oauth_marathon.event = name,
                oauth_marathon.pool = &**provider,
                oauth_marathon.credential.id = credential.id.as_str(),
                oauth_marathon.cause = ?reason
            },
            "a credential is out until a person acts"
        ),
        Event::Exhausted { provider, retry_after, model } => tracing::error!(
            target: TARGET,
            {
                oauth_marathon.event = name,
                oauth_marathon.pool = &**provider,
                oauth_marathon.retry_after = retry_after.map(|wait| wait.as_secs_f64()),
                oauth_marathon.model = model.as_deref()
            },
            "no credential can be used"
        ),
        Event::AttemptsUsedUp { provider, tried, status } => tracing::warn!(
            target: TARGET,
            {
                oauth_marathon.event = name,
                oauth_marathon.pool = &**provider,
                oauth_marathon.tried = tried,
                http.response.status_code = status.map(|status| status.as_u16())
            },
            "a request has used as many credentials as it may"
        ),
        Event::Refreshed { provider, credential, generation } => tracing::debug!(
            target: TARGET,
            {
                oauth_marathon.event = name,
                oauth_marathon.pool = &**provider,
                oauth_marathon.credential.id = credential.id.as_str(),
                oauth_marathon.credential.generation = generation.get()
            },
            "a token was refreshed"
        ),
        Event::RefreshFailed { provider, credential, message } => tracing::debug!(
            target: TARGET,
            {
                oauth_marathon.event = name,
                oauth_marathon.pool = &**provider,
                oauth_marathon.credential.id = credential.id.as_str(),
                error.message = &**message
            },
            "a token could not be refreshed"
        ),
        Event::StoreFailed { provider, credential, message } => tracing::warn!(
            target: TARGET,
            {
                oauth_marathon.event = name,
                oauth_marathon.pool = &**provider,
                oauth_marathon.credential.id = credential.as_ref().map(|credential| credential.id.as_str()),
                error.message = &**message
            },
            "the store of the credentials failed"
        ),
        Event::TimedOut { provider, credential, timed_out } => tracing::warn!(
            target: TARGET,
            {
                oauth_marathon.event = name,
                oauth_marathon.pool = &**provider,
                oauth_marathon.credential.id = credential.id.as_str(),
                oauth_marathon.limit = timed_out.limit.key(),
                oauth_marathon.limit.after = timed_out.after.as_secs_f64()
            },
            "a time limit cut an attempt or its answer short"
        ),
        Event::Canceled { attempts, credential } => tracing::debug!(
            target: TARGET,
            {
                oauth_marathon.event = name,
                oauth_marathon.attempts = attempts,
                oauth_marathon.credential.id = credential.as_ref().map(CredentialId::as_str)
            },
            "the caller went away"
        ),
    }
}

#[cfg(test)]
pub(crate) mod capture;
#[cfg(test)]
mod tests;
