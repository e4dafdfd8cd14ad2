//! Credentials from the files of other programs.

mod claims;
mod codex;
mod form;
mod opencode;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::{Map, Value};

pub use self::form::Form;
use super::format;
use super::format::Document;
use super::format::members::{At, Problem};
use super::record::Record;
use crate::error::{Error, ErrorKind};

/// Larger files than this are refused unread: they hold something else.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The content of another program's file: the `auth.json` of opencode, flat or of its version 2, or the one of codex, with one
/// account or with several. A file of [`FileStore`](super::FileStore) is read too.
///
/// All of it is read, or nothing: a member that is missing or of another type is an error that names its place, and never
/// shows its value. Members that mean nothing here are left out.
///
/// | of the file | becomes |
/// |---|---|
/// | access token, refresh token, `expires` | the tokens. An access token that was blanked counts as expired. Codex states no expiry: it is read from the access token, if that is a JWT |
/// | `accountId`, `account_id`, else the `sub` of the id token | the subject |
/// | `label`, else the e-mail address in the id token | the label |
/// | `account_id` of codex | also the header `chatgpt-account-id`, which goes out with the token |
/// | an API key | a static key |
/// | `order`, `active` | the order of the credentials |
/// | `cooldownUntil` | a cooldown whose time is a guess; cooldowns of codex are left out |
/// | `requires_relogin` | out until a person logs in |
///
/// The signature of an id token is not checked: a program that can write the file can write all of it.
///
/// ```
/// use oauth_marathon::store::{Form, Import};
///
/// let text = r#"{ "openai": { "type": "oauth", "refresh": "rt", "access": "at", "expires": 1900000000000, "accountId": "acct_1" },
///                 "other": { "type": "api", "key": "sk-1" } }"#;
/// let import = Import::read(text.as_bytes())?;
/// assert_eq!(import.form, Form::Opencode);
/// assert_eq!(import.credentials[1].provider, "other");
///
/// let error = Import::read(br#"{ "openai": { "type": "oauth", "access": 5 } }"#).unwrap_err();
/// assert_eq!(error.to_string(), "opencode's auth.json: at /openai/access: a text was expected");
/// # Ok::<_, oauth_marathon::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Import {
    /// What kind of file it is.
    pub form: Form,
    /// The credentials; those of one provider in their order of use, each with an id that no other has there.
    pub credentials: Vec<Imported>,
    /// What could be a credential, and cannot be taken over.
    pub left_out: Vec<LeftOut>,
}

/// A credential out of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// The id of its provider.
    pub provider: String,
    /// The credential in its first generation, and what keeps it from being used.
    pub record: Record,
}

/// Something that cannot be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// Where it stands in the file, as a JSON pointer.
    pub place: String,
    /// Why.
    pub why: String,
}

impl Import {
    /// Reads the text of a file; which kind it is shows in its members.
    ///
    /// # Errors
    ///
    /// Of kind [`ImportRefused`](ErrorKind::ImportRefused), with the place and what would be right there.
    pub fn read(text: &[u8]) -> Result<Self, Error> {
        if text.len() > MOST_BYTES {
            return Err(refused("the file is larger than 16 MiB; files of credentials are small: name another one"));
        }
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut root = serde_json::from_slice(text)
            .map_err(|error| refused(format!("the file: {}", Problem::syntax(text, &error))))?;
        let read = Self::of(&root, text);
        format::wipe(&mut root);
        read
    }

    fn of(root: &Value, text: &[u8]) -> Result<Self, Error> {
        let form = Form::of(root).map_err(refused)?;
        let mut import = Self { form, credentials: Vec::new(), left_out: Vec::new() };
        let nothing = Map::new();
        let members = root.as_object().unwrap_or(&nothing);
        let read = match form {
            Form::Opencode => opencode::flat(members, &mut import),
            Form::OpencodeV2 => opencode::version_2(members, &mut import),
            Form::Codex => codex::one_account(members, &mut import),
            Form::CodexRotation => codex::rotation(members, &mut import),
            Form::Store => import.fill_from_store(text),
        };
        match read {
            Ok(()) => Ok(import),
            Err(problem) => Err(refused(format!("{form}: {problem}"))),
        }
    }

    fn fill_from_store(&mut self, text: &[u8]) -> Result<(), Problem> {
        let book = Document::parse(text)?.records()?;
        for (provider, shelf) in book.providers {
            let of_provider = |entry: super::Entry| Imported { provider: provider.clone(), record: entry.record };
            self.credentials.extend(shelf.entries.into_iter().map(of_provider));
        }
        Ok(())
    }

    fn add(&mut self, at: &At<'_>, provider: &str, record: Record) -> Result<(), Problem> {
        let id = &record.credential.id;
        let same = |other: &Imported| other.provider == provider && other.record.credential.id == *id;
        if id.as_str().is_empty() {
            return Err(at.problem("the id is empty"));
        }
        if self.credentials.iter().any(same) {
            return Err(at.problem(format!("the id {id:?} comes twice")));
        }
        self.credentials.push(Imported { provider: provider.to_owned(), record });
        Ok(())
    }

    fn leave_out(&mut self, at: &At<'_>, why: impl Into<String>) {
        self.left_out.push(LeftOut { place: at.to_string(), why: why.into() });
    }
}

fn refused(message: impl fmt::Display) -> Error {
    Error::new(ErrorKind::ImportRefused, message.to_string())
}
