//! Tells which program has written a file.

use std::fmt;

use serde_json::{Map, Value};

/// A kind of file that credentials can be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `auth.json` of opencode: one object for each provider.
    Opencode,
    /// `auth.json` of opencode with `"version": 2`: several records for each provider.
    OpencodeV2,
    /// `auth.json` of codex: one account, or an API key.
    Codex,
    /// `auth.json` of codex with `"version": 2`: several accounts.
    CodexRotation,
    /// A file of a `FileStore`, or an export by `auth export`.
    Store,
}

impl Form {
    pub(super) fn of(root: &Value) -> Result<Self, String> {
        let unknown = |what: &str| format!("{what}; what can be read is {}", known());
        let Some(members) = root.as_object() else { return Err(unknown("the file is not a JSON object")) };
        if members.contains_key("checksum") && members.contains_key("revision") {
            return Ok(Self::Store);
        }
        let codex = members.contains_key("OPENAI_API_KEY");
        match (members.get("version"), members.get("providers")) {
            (Some(version), Some(providers)) if version.as_u64() == Some(2) => {
                Ok(if codex || has_nested_tokens(providers) { Self::CodexRotation } else { Self::OpencodeV2 })
            }
            (Some(Value::Number(version)), _) => {
                Err(unknown(&format!("the file is of version {version} of an unknown format")))
            }
            _ if codex || members.get("tokens").is_some_and(Value::is_object) => Ok(Self::Codex),
            _ if members.is_empty() || members.values().any(has_type) => Ok(Self::Opencode),
            _ => Err(unknown("the file is of an unknown form")),
        }
    }
}

fn has_type(entry: &Value) -> bool {
    entry.get("type").is_some_and(Value::is_string)
}

/// Whether the records hold their tokens in an object of their own, as those of codex do.
fn has_nested_tokens(providers: &Value) -> bool {
    let nested = |provider: &Value| {
        let list = provider.get("records").and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|record| record.get("tokens").is_some()))
    };
    providers.as_object().is_some_and(|providers: &Map<String, Value>| providers.values().any(nested))
}

fn known() -> String {
    let all = [Form::Opencode, Form::OpencodeV2, Form::Codex, Form::CodexRotation, Form::Store];
    let lines = all.map(|form| format!("{form} ({})", form.mark()));
    lines.join(", ")
}

impl Form {
    /// The mark that the form is recognised by.
    fn mark(self) -> &'static str {
        match self {
            Self::Opencode => "an object with a \"type\" for each provider",
            Self::OpencodeV2 => "\"version\": 2 and \"providers\" with \"records\"",
            Self::Codex => "\"tokens\" or \"OPENAI_API_KEY\"",
            Self::CodexRotation => "\"version\": 2 and \"records\" with \"tokens\"",
            Self::Store => "\"checksum\" and \"revision\"",
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opencode => "opencode's auth.json",
            Self::OpencodeV2 => "opencode's auth.json, version 2",
            Self::Codex => "codex's auth.json",
            Self::CodexRotation => "codex's auth.json with several accounts",
            Self::Store => "a store of this program",
        })
    }
}
