//! opencode's `auth.json`: flat, and its version 2 with several records for each provider.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::{Import, Record};
use crate::credentials::Secret;
use crate::credentials::{Credential, CredentialId};
use crate::credentials::{Generation, TokenSet};
use crate::store::Cooldown;
use crate::store::format::members::{At, Problem};
use crate::verdict::Kind;

/// The namespace that records are in by default.
const DEFAULT: &str = "default";

/// The stand-in for an access token that opencode has blanked. It counts as expired, so it is never sent.
const BLANKED: &str = "expired";

pub(super) fn flat(providers: &Map<String, Value>, import: &mut Import) -> Result<(), Problem> {
    let root = At::root();
    for (provider, value) in providers {
        let at = root.key(provider);
        entry(&at, provider, at.object(value)?, import)?;
    }
    Ok(())
}

pub(super) fn version_2(root: &Map<String, Value>, import: &mut Import) -> Result<(), Problem> {
    let at = At::root();
    let Some(providers) = at.optional_object(root, "providers")? else { return Ok(()) };
    let at = at.key("providers");
    for (provider, value) in providers {
        let at = at.key(provider);
        let members = at.object(value)?;
        match records(&at, members)? {
            None => entry(&at, provider, members, import)?,
            Some(records) => {
                let list = at.key("records");
                for (index, members) in records {
                    let at = list.index(index);
                    if let Some(record) = record(&at, members, import)? {
                        import.add(&at, provider, record)?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// The one credential of a provider.
fn entry(at: &At<'_>, provider: &str, members: &Map<String, Value>, import: &mut Import) -> Result<(), Problem> {
    match at.text(members, "type")? {
        "oauth" => {
            note_enterprise(at, members, import)?;
            let record = oauth(at, members, "default".into())?;
            import.add(at, provider, record)
        }
        "api" => {
            let key = text(at, members, "key")?;
            import.add(at, provider, first(Credential::new("key", Secret::new(key))))
        }
        "wellknown" => {
            import.leave_out(at, "a \"wellknown\" entry names an environment variable, and is no credential to send");
            Ok(())
        }
        other => {
            import.leave_out(at, format!("entries of the type {other:?} are not known here"));
            Ok(())
        }
    }
}

fn record(at: &At<'_>, members: &Map<String, Value>, import: &mut Import) -> Result<Option<Record>, Problem> {
    if let Some(namespace) = at.optional_text(members, "namespace")?.filter(|namespace| *namespace != DEFAULT) {
        import.leave_out(at, format!("it is in the namespace {namespace:?}, and only those in {DEFAULT:?} are taken"));
        return Ok(None);
    }
    note_enterprise(at, members, import)?;
    let mut record = oauth(at, members, text(at, members, "id")?.into())?;
    let label = at.optional_text(members, "label")?.filter(|label| !label.is_empty());
    record.credential.label = label.map(Into::into);
    if let Some(health) = at.optional_object(members, "health")? {
        let until = time(&at.key("health"), health, "cooldownUntil")?;
        let cooldown = |until| Cooldown::new(Kind::Throttled, until).with_guessed(true);
        record.health.cooldowns.extend(until.map(cooldown));
    }
    Ok(Some(record))
}

fn oauth(at: &At<'_>, members: &Map<String, Value>, id: CredentialId) -> Result<Record, Problem> {
    let (access, refresh) = (at.text(members, "access")?, at.text(members, "refresh")?);
    let expires = time(at, members, "expires")?;
    let mut tokens = match (access, refresh) {
        ("", "") => return Err(at.problem("both tokens are empty; log in there, or remove the entry")),
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
    credential.subject = at.optional_text(members, "accountId")?.filter(|id| !id.is_empty()).map(str::to_owned);
    Ok(first(credential))
}

fn note_enterprise(at: &At<'_>, members: &Map<String, Value>, import: &mut Import) -> Result<(), Problem> {
    if at.optional_text(members, "enterpriseUrl")?.is_some_and(|url| !url.is_empty()) {
        let why = "it is for a server of its own, which is not taken over: name that with the base URL or the origin";
        import.leave_out(&at.key("enterpriseUrl"), why);
    }
    Ok(())
}

pub(super) fn first(credential: Credential) -> Record {
    Record::new(credential, Generation::FIRST)
}

/// A text that is not empty.
pub(super) fn text<'v>(at: &At<'_>, members: &'v Map<String, Value>, key: &str) -> Result<&'v str, Problem> {
    match at.text(members, key)? {
        "" => Err(at.key(key).problem("it is empty")),
        text => Ok(text),
    }
}

/// Milliseconds since 1970. JavaScript may have written a fraction.
fn time(at: &At<'_>, members: &Map<String, Value>, key: &str) -> Result<Option<SystemTime>, Problem> {
    let wrong = || at.key(key).problem("a time in milliseconds since 1970 was expected");
    let seconds = match members.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value.as_f64().ok_or_else(wrong)? / 1000.0,
    };
    let since = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
    UNIX_EPOCH.checked_add(since).map(Some).ok_or_else(wrong)
}

/// A record, and where it stood in its list.
type Placed<'v> = (usize, &'v Map<String, Value>);

/// The records of a provider: first in the order of `order`, then as they stand. `None` if there is no list.
pub(super) fn records<'v>(at: &At<'_>, provider: &'v Map<String, Value>) -> Result<Option<Vec<Placed<'v>>>, Problem> {
    let Some(list) = at.optional_array(provider, "records")? else { return Ok(None) };
    let order = order(provider);
    let at = at.key("records");
    let placed = |(index, value)| Ok((index, at.index(index).object(value)?));
    let mut records: Vec<Placed<'v>> = list.iter().enumerate().map(placed).collect::<Result<_, Problem>>()?;
    let rank = |(_, record): &Placed<'v>| {
        let id = record.get("id").and_then(Value::as_str);
        order.iter().position(|other| Some(*other) == id).unwrap_or(order.len())
    };
    records.sort_by_key(rank);
    Ok(Some(records))
}

/// The active record, then the order, each either by itself or for every namespace. Values of another type are ignored.
fn order(provider: &Map<String, Value>) -> Vec<&str> {
    let of_default = |key: &str| provider.get(key).map(|value| value.get(DEFAULT).unwrap_or(value));
    let active = of_default("active").and_then(Value::as_str);
    let order = of_default("order").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    active.into_iter().chain(order.iter().filter_map(Value::as_str)).collect()
}
