//! Reads and writes one record as a JSON object.

#[cfg(feature = "file-store")]
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use serde_json::{Map, Value};

use super::members::{At, Problem, set, within};
use crate::credentials::{Credential, Generation, Material, Secret, TokenSet};
use crate::serialized::millis_since_1970;
use crate::store::{Cooldown, Health, Intent, LastStatus, Record};
#[cfg(feature = "file-store")]
use crate::store::{Entry, Revision};
use crate::verdict::{Kind, OutReason, Scope};

/// The reason that stands for one that this version does not know, so that the credential stays out.
const UNKNOWN_REASON: OutReason = OutReason::Banned;

/// A record as a store's text holds it, with its revision.
#[cfg(feature = "file-store")]
pub(super) fn read_entry(at: &At<'_>, members: &Map<String, Value>) -> Result<Entry, Problem> {
    Ok(Entry::new(read(at, members)?, Revision::new(at.number(members, "revision")?)))
}

pub(in crate::store) fn read(at: &At<'_>, members: &Map<String, Value>) -> Result<Record, Problem> {
    let mut credential = Credential::new(at.text(members, "id")?, material(at, members)?);
    let text = |key| Ok::<_, Problem>(at.optional_text(members, key)?.map(str::to_owned));
    credential.label = text("label")?.map(Into::into);
    credential.subject = text("subject")?;
    credential.header = text("header")?;
    credential.scheme = text("scheme")?;
    credential.base_url = text("baseUrl")?;
    credential.extra_headers = extra_headers(at, members)?;
    let generation = Generation::new(at.number(members, "generation")?);
    let mut record = Record::new(credential, generation);
    if let Some(members) = at.optional_object(members, "health")? {
        record.health = health(&at.key("health"), members)?;
    }
    if let Some(members) = at.optional_object(members, "intent")? {
        record.intent = Some(intent(&at.key("intent"), members)?);
    }
    Ok(record)
}

fn material(at: &At<'_>, members: &Map<String, Value>) -> Result<Material, Problem> {
    match (at.optional_object(members, "oauth")?, at.optional_text(members, "key")?) {
        (Some(members), None) => tokens(&at.key("oauth"), members).map(Material::OAuth),
        (None, Some(key)) => Ok(Material::Key(Secret::new(key))),
        _ => Err(at.problem("either \"oauth\" or \"key\" was expected")),
    }
}

fn tokens(at: &At<'_>, members: &Map<String, Value>) -> Result<TokenSet, Problem> {
    let mut tokens = TokenSet::new(at.text(members, "access")?);
    if let Some(refresh) = at.optional_text(members, "refresh")? {
        tokens = tokens.with_refresh(refresh);
    }
    if let Some(expiry) = at.optional_time(members, "expiresAt")? {
        tokens = tokens.expires_at(expiry);
    }
    Ok(tokens)
}

fn extra_headers(at: &At<'_>, members: &Map<String, Value>) -> Result<Vec<(String, Secret)>, Problem> {
    let headers = at.optional_array(members, "extraHeaders")?.map_or(&[][..], Vec::as_slice);
    let at = at.key("extraHeaders");
    let header = |(index, value)| {
        let at = at.index(index);
        let members = at.object(value)?;
        Ok((at.text(members, "name")?.to_owned(), Secret::new(at.text(members, "value")?)))
    };
    headers.iter().enumerate().map(header).collect()
}

fn health(at: &At<'_>, members: &Map<String, Value>) -> Result<Health, Problem> {
    let out = at.optional_text(members, "out")?.map(|word| word.parse().unwrap_or(UNKNOWN_REASON));
    let mut health = Health { out, ..Health::default() };
    if let Some(members) = at.optional_object(members, "lastStatus")? {
        health.last_status = Some(last_status(&at.key("lastStatus"), members)?);
    }
    let cooldowns = at.optional_array(members, "cooldowns")?.map_or(&[][..], Vec::as_slice);
    let at = at.key("cooldowns");
    for (index, value) in cooldowns.iter().enumerate() {
        let at = at.index(index);
        health.cooldowns.extend(cooldown(&at, at.object(value)?)?);
    }
    Ok(health)
}

fn last_status(at: &At<'_>, members: &Map<String, Value>) -> Result<LastStatus, Problem> {
    let number = u16::try_from(at.number(members, "status")?).ok();
    let status = number.and_then(|number| StatusCode::from_u16(number).ok());
    let status = status.ok_or_else(|| at.key("status").problem("a status from 100 to 999 was expected"))?;
    Ok(LastStatus::new(status, at.time(members, "at")?))
}

/// Reads a cooldown. `None` if this version does not know its cause or its scope.
fn cooldown(at: &At<'_>, members: &Map<String, Value>) -> Result<Option<Cooldown>, Problem> {
    let (cause, scope) = (at.text(members, "cause")?.parse::<Kind>(), at.text(members, "scope")?.parse::<Scope>());
    let mut cooldown = match (cause, scope) {
        (Ok(cause), Ok(scope)) => Cooldown::new(cause, at.time(members, "until")?).with_scope(scope),
        _ => return Ok(None),
    };
    cooldown.model = at.optional_text(members, "model")?.map(str::to_owned);
    cooldown.guessed = at.optional_flag(members, "guessed")?.unwrap_or(false);
    Ok(Some(cooldown))
}

fn intent(at: &At<'_>, members: &Map<String, Value>) -> Result<Intent, Problem> {
    let mut intent = Intent::new(Generation::new(at.number(members, "generation")?), at.time(members, "began")?);
    intent.process = at.text(members, "process")?.to_owned();
    intent.ended = at.optional_flag(members, "ended")?.unwrap_or(false);
    Ok(intent)
}

/// The object for `entry`. It is made from the object that `old` has for the same credential, which is taken out.
#[cfg(feature = "file-store")]
pub(super) fn updated(old: &mut Vec<Value>, entry: &Entry) -> Value {
    let id = entry.record.credential.id.as_str();
    let before = old.iter().position(|value| value.get("id").and_then(Value::as_str) == Some(id));
    let mut members = match before.map(|position| old.remove(position)) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    if members.get("revision").and_then(Value::as_u64) != Some(entry.revision.get()) {
        set(&mut members, "revision", Some(entry.revision.get()));
        write(&mut members, &entry.record);
    }
    Value::Object(members)
}

/// Writes a record into its members, and leaves those that it does not know.
pub(in crate::store) fn write(members: &mut Map<String, Value>, record: &Record) {
    let credential = &record.credential;
    set(members, "id", Some(credential.id.as_str()));
    set(members, "generation", Some(record.generation.get()));
    set(members, "label", credential.label.as_deref());
    set(members, "subject", credential.subject.as_deref());
    set(members, "header", credential.header.as_deref());
    set(members, "scheme", credential.scheme.as_deref());
    set(members, "baseUrl", credential.base_url.as_deref());
    match &credential.material {
        Material::OAuth(tokens) => {
            set(members, "key", None::<Value>);
            within(members, "oauth", |members| write_tokens(members, tokens));
        }
        Material::Key(key) => {
            set(members, "oauth", None::<Value>);
            set(members, "key", Some(key.expose()));
        }
    }
    write_list(members, "extraHeaders", &credential.extra_headers, is_header, |members, (name, value)| {
        set(members, "name", Some(name.as_str()));
        set(members, "value", Some(value.expose()));
    });
    within(members, "health", |members| write_health(members, &record.health));
    match &record.intent {
        None => set(members, "intent", None::<Value>),
        Some(intent) => within(members, "intent", |members| {
            set(members, "generation", Some(intent.generation.get()));
            set(members, "began", Some(millis_since_1970(intent.began)));
            set(members, "process", Some(intent.process.as_str()));
            set(members, "ended", intent.ended.then_some(true));
        }),
    }
}

fn write_tokens(members: &mut Map<String, Value>, tokens: &TokenSet) {
    set(members, "access", Some(tokens.access().expose()));
    set(members, "refresh", tokens.refresh().map(Secret::expose));
    set(members, "expiresAt", tokens.expiry().map(millis_since_1970));
}

fn write_health(members: &mut Map<String, Value>, health: &Health) {
    let word = members.get("out").and_then(Value::as_str);
    let unknown = word.is_some_and(|word| word.parse::<OutReason>().is_err());
    if !(unknown && health.out == Some(UNKNOWN_REASON)) {
        set(members, "out", health.out.map(OutReason::as_str));
    }
    match health.last_status {
        None => set(members, "lastStatus", None::<Value>),
        Some(last) => within(members, "lastStatus", |members| {
            set(members, "status", Some(last.status.as_u16()));
            set(members, "at", Some(millis_since_1970(last.at)));
        }),
    }
    // This version must not end cooldowns that it does not know.
    let strange = |members: &Map<String, Value>| {
        let known = |key: &str, known: fn(&str) -> bool| members.get(key).and_then(Value::as_str).is_some_and(known);
        !known("cause", |word| word.parse::<Kind>().is_ok()) || !known("scope", |word| word.parse::<Scope>().is_ok())
    };
    let mut kept = match members.get("cooldowns") {
        Some(Value::Array(old)) => old.clone(),
        _ => Vec::new(),
    };
    kept.retain(|value| value.as_object().is_some_and(strange));
    write_list(members, "cooldowns", &health.cooldowns, is_cooldown, |members, cooldown| {
        set(members, "cause", Some(cooldown.cause.as_str()));
        set(members, "scope", Some(cooldown.scope.as_str()));
        set(members, "model", cooldown.model.as_deref());
        set(members, "until", Some(millis_since_1970(cooldown.until)));
        set(members, "guessed", Some(cooldown.guessed));
    });
    if !kept.is_empty() {
        match members.get_mut("cooldowns") {
            Some(Value::Array(cooldowns)) => cooldowns.extend(kept),
            _ => set(members, "cooldowns", Some(kept)),
        }
    }
}

/// Writes a list of objects, each made from the old object for the same item. An empty list is left out.
fn write_list<T>(
    members: &mut Map<String, Value>,
    key: &str,
    list: &[T],
    same: fn(&Map<String, Value>, &T) -> bool,
    write: impl Fn(&mut Map<String, Value>, &T),
) {
    let mut old = match members.remove(key) {
        Some(Value::Array(old)) => old,
        _ => Vec::new(),
    };
    let written = list.iter().map(|item| {
        let before = old.iter().position(|value| value.as_object().is_some_and(|members| same(members, item)));
        let mut members = match before.map(|position| old.remove(position)) {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        };
        write(&mut members, item);
        Value::Object(members)
    });
    let written: Vec<_> = written.collect();
    old.iter_mut().for_each(super::wipe);
    set(members, key, (!written.is_empty()).then_some(written));
}

fn is_header(members: &Map<String, Value>, (name, _): &(String, Secret)) -> bool {
    members.get("name").and_then(Value::as_str) == Some(name)
}

fn is_cooldown(members: &Map<String, Value>, cooldown: &Cooldown) -> bool {
    let is = |key: &str, word: Option<&str>| members.get(key).and_then(Value::as_str) == word;
    is("cause", Some(cooldown.cause.as_str()))
        && is("scope", Some(cooldown.scope.as_str()))
        && is("model", cooldown.model.as_deref())
}

/// The record as the text can hold it: with its times in whole milliseconds.
#[cfg(feature = "file-store")]
pub(in crate::store) fn cut(mut record: Record) -> Record {
    let cut =
        |time: SystemTime| UNIX_EPOCH.checked_add(Duration::from_millis(millis_since_1970(time))).unwrap_or(UNIX_EPOCH);
    if let Material::OAuth(tokens) = &record.credential.material
        && let Some(expiry) = tokens.expiry()
    {
        record.credential.material = Material::OAuth(tokens.clone().expires_at(cut(expiry)));
    }
    for cooldown in &mut record.health.cooldowns {
        cooldown.until = cut(cooldown.until);
    }
    if let Some(last) = &mut record.health.last_status {
        last.at = cut(last.at);
    }
    if let Some(intent) = &mut record.intent {
        intent.began = cut(intent.began);
    }
    record
}
