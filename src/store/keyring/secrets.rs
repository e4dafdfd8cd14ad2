//! Takes the secrets out of a record, and puts them in again.

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::credentials::{Material, Secret, TokenSet};
use crate::store::{Record, StoreKey};

/// The beginning of the text that a record holds in place of its token. The name of the keyring entry follows.
const MARK: &str = "keyring:";

/// All secrets of one record, as one text.
pub(super) type Secrets = Zeroizing<String>;

/// A name for a new entry. No entry has had it, because each is written once: so a reader of a record finds the secrets
/// of that record. The name has the family of `before`, if that has one.
pub(super) fn new_name(key: &StoreKey, before: Option<&str>) -> String {
    let family = before.and_then(|before| family_of(key, before));
    let family = family.map_or_else(|| format!("{}{:016x}-", prefix(key), fastrand::u64(..)), str::to_owned);
    format!("{family}{:016x}", fastrand::u64(..))
}

/// The family of an entry: the part of its name that all entries of one record share since it was added. Another store
/// in the same keyring may have a record of the same key, but none of the same family. Names of earlier versions have
/// no family.
pub(super) fn family_of<'a>(key: &StoreKey, name: &'a str) -> Option<&'a str> {
    let number = name.strip_prefix(&prefix(key))?.rsplit_once('-')?.0;
    let is_family = number.len() == 16 && number.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_family.then(|| &name[..prefix(key).len() + number.len() + 1])
}

/// The beginning that the names of all entries of one key share.
pub(super) fn prefix(key: &StoreKey) -> String {
    format!("{key}#")
}

/// The secrets of a record.
pub(super) fn of(record: &Record) -> Secrets {
    let headers: Vec<_> = record.credential.extra_headers.iter().map(|(_, value)| json!(value.expose())).collect();
    let mut members = Map::new();
    members.insert("token".to_owned(), json!(record.credential.material.token().expose()));
    if let Some(refresh) = record.credential.material.refresh_token() {
        members.insert("refresh".to_owned(), json!(refresh.expose()));
    }
    members.insert("headers".to_owned(), Value::Array(headers));
    Zeroizing::new(Value::Object(members).to_string())
}

/// The record without its secrets, which are in the keyring's entry of this name.
pub(super) fn taken_out(mut record: Record, name: &str) -> Record {
    let mark = format!("{MARK}{name}");
    record.credential.material = match record.credential.material {
        Material::Key(_) => Material::Key(mark.into()),
        Material::OAuth(tokens) => {
            let taken = tokens.expiry().into_iter().fold(TokenSet::new(mark), TokenSet::expires_at);
            // Whether there is a refresh token is no secret, so the record shows it.
            tokens.refresh().into_iter().fold(taken, |taken, _| taken.with_refresh(MARK)).into()
        }
    };
    for (_, value) in &mut record.credential.extra_headers {
        *value = Secret::new(MARK);
    }
    record
}

/// The name of the entry that holds the secrets of a record; `None` if the record holds them itself.
pub(super) fn name_of(record: &Record) -> Option<&str> {
    record.credential.material.token().expose().strip_prefix(MARK)
}

/// The record with its secrets; `None` if the text does not fit it.
pub(super) fn put_in(mut record: Record, secrets: &str) -> Option<Record> {
    let members: Value = serde_json::from_str(secrets).ok()?;
    let token = members.get("token")?.as_str()?;
    record.credential.material = match &record.credential.material {
        Material::Key(_) => Secret::new(token).into(),
        Material::OAuth(tokens) => {
            let whole = tokens.expiry().into_iter().fold(TokenSet::new(token), TokenSet::expires_at);
            match (tokens.refresh(), members.get("refresh")) {
                (Some(_), Some(refresh)) => whole.with_refresh(refresh.as_str()?).into(),
                (None, None) => whole.into(),
                _ => return None,
            }
        }
    };
    let values = members.get("headers")?.as_array()?;
    if values.len() != record.credential.extra_headers.len() {
        return None;
    }
    for ((_, held), value) in record.credential.extra_headers.iter_mut().zip(values) {
        *held = Secret::new(value.as_str()?);
    }
    Some(record)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::credentials::{Credential, Generation};

    #[test]
    fn what_is_taken_out_is_put_in_again_and_nothing_secret_stays() {
        let tokens = TokenSet::new("s3cret-a").expires_at(UNIX_EPOCH + Duration::from_secs(9));
        for material in
            [Material::from(tokens.clone()), tokens.with_refresh("s3cret-r").into(), Secret::new("s3cret-k").into()]
        {
            let credential = Credential::new("work", material).label("Work").extra_header("x-id", "s3cret-h");
            let record = Record::new(credential, Generation::new(3));
            let secrets = of(&record);
            let taken = taken_out(record.clone(), "name");
            let shown = format!(
                "{} {:?}",
                taken.credential.material.token().expose(),
                taken.credential.extra_headers.iter().map(|(_, value)| value.expose()).collect::<Vec<_>>()
            );
            assert!(
                !shown.contains("s3cret")
                    && !taken
                        .credential
                        .material
                        .refresh_token()
                        .is_some_and(|refresh| refresh.expose().contains("s3cret"))
            );
            assert_eq!(name_of(&taken), Some("name"));
            assert_eq!(name_of(&record), None);
            assert_eq!(put_in(taken, &secrets), Some(record));
        }
    }

    #[test]
    fn the_names_of_one_record_are_of_one_family() {
        let key = StoreKey::new("open-ai", "a#b-1");
        let first = new_name(&key, None);
        let second = new_name(&key, Some(&first));
        let family = family_of(&key, &first).unwrap();
        assert!(second.starts_with(family) && family.ends_with('-') && first != second, "{first} {second}");
        assert_ne!(family_of(&key, &new_name(&key, None)), Some(family), "of another store");
        assert_eq!(family_of(&StoreKey::new("open-ai", "a"), &first), None, "of another record");
        for earlier in ["open-ai/a#b-1#0123456789abcdef", "open-ai/a#b-1#", "open-ai/a#b-1#-1", ""] {
            assert_eq!(family_of(&key, earlier), None, "{earlier}");
            assert!(family_of(&key, &new_name(&key, Some(earlier))).is_some());
        }
    }

    #[test]
    fn a_text_that_does_not_fit_its_record_is_refused() {
        let record = taken_out(Record::new(Credential::new("work", Secret::new("k")), Generation::new(1)), "name");
        for text in ["", "{}", "[]", r#"{"token":1,"headers":[]}"#, r#"{"token":"k","headers":["one too many"]}"#] {
            assert_eq!(put_in(record.clone(), text), None, "{text}");
        }
    }
}
