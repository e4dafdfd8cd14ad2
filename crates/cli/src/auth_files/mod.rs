//! Reads credentials from files: opencode's `auth.json`, flat or of version 2; codex's `auth.json`, with one account or
//! several; and a store or an export of our own.
//!
//! This room turns a text into records, and touches no file and no store. All of a text is read, or nothing: a member that is
//! missing or of another type is an error that names its place, and never shows its value. It is not a `serde` derive, because
//! the messages of `serde` show values, which could be tokens. Members that mean nothing here are left out.
//!
//! | of the file | becomes |
//! |---|---|
//! | access token, refresh token, `expires` | the tokens. An access token that was blanked counts as expired. Codex states no expiry: it is read from the access token, if that is a JWT |
//! | `accountId`, `account_id`, else the `sub` of the id token | the subject |
//! | `label`, else the e-mail address in the id token | the label |
//! | `account_id` of codex | also the header `chatgpt-account-id`, which goes out with the token |
//! | an API key | a static key |
//! | `order`, `active` | the order of the credentials |
//! | `cooldownUntil` | a cooldown whose time is a guess; cooldowns of codex are left out |
//! | `requires_relogin` | out until a person logs in |
//!
//! The signature of an id token is not checked: a program that can write the file can write all of it.

mod claims;
mod codex;
mod form;
mod opencode;
mod reader;
#[cfg(test)]
mod tests;

use oauth_marathon::store::{Record, StoreContent};
use serde_json::{Map, Value};
use zeroize::Zeroize;

use self::form::Form;
use self::reader::{Object, Problem, at};

/// The most bytes of a file that is read; a larger one holds something else.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The content of a file.
#[derive(Debug)]
pub(super) struct AuthFile {
    /// What kind of file it is.
    pub(super) form: Form,
    /// The credentials; those of one provider in their order of use, each with an id that no other has there.
    pub(super) credentials: Vec<Imported>,
    /// Parts that could be credentials and cannot be imported.
    pub(super) left_out: Vec<LeftOut>,
}

/// A credential from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Imported {
    /// The id of its provider.
    pub(super) provider: String,
    /// The credential, and what keeps it from being used.
    pub(super) record: Record,
}

/// A part of a file that cannot be imported.
#[derive(Debug)]
pub(super) struct LeftOut {
    /// Where the part stands in the file, as a JSON pointer.
    pub(super) place: String,
    /// Why it cannot be imported.
    pub(super) why: String,
}

impl AuthFile {
    /// Reads the text of a file. Its members show which kind it is. An error names the place and what would be right
    /// there.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        if text.len() > MOST_BYTES {
            return Err("the file is larger than 16 MiB; files of credentials are small: name another one".to_owned());
        }
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut root =
            serde_json::from_slice(text).map_err(|error| format!("the file: {}", Problem::syntax(text, &error)))?;
        let read = Self::of(&root, text);
        wipe(&mut root);
        read
    }

    fn of(root: &Value, text: &[u8]) -> Result<Self, String> {
        let form = Form::of(root)?;
        let mut file = Self { form, credentials: Vec::new(), left_out: Vec::new() };
        let nothing = Map::new();
        let members = Object::root(root.as_object().unwrap_or(&nothing));
        let read = match form {
            Form::Opencode => opencode::flat(&members, &mut file),
            Form::OpencodeV2 => opencode::version_2(&members, &mut file),
            Form::Codex => codex::one_account(&members, &mut file),
            Form::CodexRotation => codex::rotation(&members, &mut file),
            Form::Store => file.fill_from_store(text),
        };
        read.map(|()| file).map_err(|problem| format!("{form}: {problem}"))
    }

    fn fill_from_store(&mut self, text: &[u8]) -> Result<(), Problem> {
        let content = StoreContent::from_text(text).map_err(|error| Problem::new(error.to_string()))?;
        for (provider, entries) in content.providers {
            let imported = |record| Imported { provider: provider.clone(), record };
            self.credentials.extend(entries.into_iter().map(|entry| imported(entry.record)));
        }
        Ok(())
    }

    fn add(&mut self, place: &str, provider: &str, record: Record) -> Result<(), Problem> {
        let id = record.credential.id();
        let same = |other: &Imported| other.provider == provider && other.record.credential.id() == id;
        if id.as_str().is_empty() {
            return Err(at(place, "the id is empty"));
        }
        if self.credentials.iter().any(same) {
            return Err(at(place, format!("the id {id:?} comes twice")));
        }
        self.credentials.push(Imported { provider: provider.to_owned(), record });
        Ok(())
    }

    fn leave_out(&mut self, place: &str, why: impl Into<String>) {
        self.left_out.push(LeftOut { place: place.to_owned(), why: why.into() });
    }
}

/// Overwrites all texts in memory, as some of them are tokens.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
