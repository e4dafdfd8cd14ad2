//! Reads opencode's `auth.json`: flat, and its version 2 with several records for each provider.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oauth_marathon::store::{Cooldown, Record};
use oauth_marathon::verdict::Kind;
use oauth_marathon::{Credential, CredentialId, Generation, Secret, TokenSet};
use serde_json::Value;

use super::AuthFile;
use super::reader::{Object, Problem, at};

/// The namespace of records that name none.
const DEFAULT: &str = "default";

/// The stand-in for an access token that opencode has blanked. It counts as expired, so it is never sent.
const BLANKED: &str = "expired";

pub(super) fn flat(root: &Object<'_>, file: &mut AuthFile) -> Result<(), Problem> {
    for provider in root.objects() {
        let (name, provider) = provider?;
        entry(&provider, name, file)?;
    }
    Ok(())
}

pub(super) fn version_2(root: &Object<'_>, file: &mut AuthFile) -> Result<(), Problem> {
    let Some(providers) = root.object("providers")? else { return Ok(()) };
    for provider in providers.objects() {
        let (name, provider) = provider?;
        match records(&provider)? {
            None => entry(&provider, name, file)?,
            Some(records) => {
                for object in records {
                    if let Some(record) = record(&object, file)? {
                        file.add(&object.place, name, record)?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Reads the one credential of a provider.
fn entry(object: &Object<'_>, provider: &str, file: &mut AuthFile) -> Result<(), Problem> {
    match object.text("type")? {
        "oauth" => {
            note_enterprise(object, file)?;
            let record = oauth(object, "default".into())?;
            file.add(&object.place, provider, record)
        }
        "api" => {
            let key = object.filled_text("key")?;
            file.add(&object.place, provider, first(Credential::new("key", Secret::new(key))))
        }
        "wellknown" => {
            let why = "a \"wellknown\" entry names an environment variable, and is no credential to send";
            file.leave_out(&object.place, why);
            Ok(())
        }
        other => {
            file.leave_out(&object.place, format!("entries of the type {other:?} are not known here"));
            Ok(())
        }
    }
}

fn record(object: &Object<'_>, file: &mut AuthFile) -> Result<Option<Record>, Problem> {
    if let Some(namespace) = object.optional_text("namespace")?.filter(|namespace| *namespace != DEFAULT) {
        let why = format!("it is in the namespace {namespace:?}, and only those in {DEFAULT:?} are taken");
        file.leave_out(&object.place, why);
        return Ok(None);
    }
    note_enterprise(object, file)?;
    let mut record = oauth(object, object.filled_text("id")?.into())?;
    if let Some(label) = object.optional_text("label")?.filter(|label| !label.is_empty()) {
        record.credential = record.credential.label(label);
    }
    if let Some(health) = object.object("health")? {
        let cooldown = |until| Cooldown::new(Kind::Throttled, until).with_guessed(true);
        record.health.cooldowns.extend(time(&health, "cooldownUntil")?.map(cooldown));
    }
    Ok(Some(record))
}

fn oauth(object: &Object<'_>, id: CredentialId) -> Result<Record, Problem> {
    let (access, refresh) = (object.text("access")?, object.text("refresh")?);
    let expires = time(object, "expires")?;
    let mut tokens = match (access, refresh) {
        ("", "") => return Err(object.problem("both tokens are empty; log in there, or remove the entry")),
        ("", _) => TokenSet::new(BLANKED).expires_at(UNIX_EPOCH),
        (access, _) => TokenSet::new(access),
    };
    if !refresh.is_empty() {
        tokens = tokens.with_refresh(refresh);
    }
    // A 0 means that the time is unknown.
    if let Some(expires) = expires.filter(|expires| *expires > UNIX_EPOCH && !access.is_empty()) {
        tokens = tokens.expires_at(expires);
    }
    let mut credential = Credential::new(id, tokens);
    if let Some(account) = object.optional_text("accountId")?.filter(|account| !account.is_empty()) {
        credential = credential.subject(account);
    }
    Ok(first(credential))
}

fn note_enterprise(object: &Object<'_>, file: &mut AuthFile) -> Result<(), Problem> {
    if object.optional_text("enterpriseUrl")?.is_some_and(|url| !url.is_empty()) {
        let why = "it is for a server of its own, which is not taken over: name that with the base URL or the origin";
        file.leave_out(&object.place_of("enterpriseUrl"), why);
    }
    Ok(())
}

/// A record of a credential in its first generation.
pub(super) fn first(credential: Credential) -> Record {
    Record::new(credential, Generation::FIRST)
}

/// Reads milliseconds since 1970. JavaScript may have written a fraction.
fn time(object: &Object<'_>, key: &str) -> Result<Option<SystemTime>, Problem> {
    let wrong = || at(&object.place_of(key), "a time in milliseconds since 1970 was expected");
    let Some(value) = object.get(key) else { return Ok(None) };
    let seconds = value.as_f64().ok_or_else(wrong)? / 1000.0;
    let since = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
    UNIX_EPOCH.checked_add(since).map(Some).ok_or_else(wrong)
}

/// The records of a provider: first in the order of `order`, then in the order of the file. `None` if there is no list.
pub(super) fn records<'v>(provider: &Object<'v>) -> Result<Option<Vec<Object<'v>>>, Problem> {
    let Some(mut records) = provider.list("records")? else { return Ok(None) };
    let order = order(provider);
    records.sort_by_key(|record| {
        let id = record.get("id").and_then(Value::as_str);
        order.iter().position(|other| Some(*other) == id).unwrap_or(order.len())
    });
    Ok(Some(records))
}

/// The active record, then the order, each either by itself or for every namespace. Values of another type are ignored.
fn order<'v>(provider: &Object<'v>) -> Vec<&'v str> {
    let of_default = |key: &str| provider.get(key).map(|value| value.get(DEFAULT).unwrap_or(value));
    let active = of_default("active").and_then(Value::as_str);
    let order = of_default("order").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    active.into_iter().chain(order.iter().filter_map(Value::as_str)).collect()
}
