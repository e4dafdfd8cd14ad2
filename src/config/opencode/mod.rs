//! The reader of `opencode.json` and `opencode.jsonc`.
//!
//! It reads a file, and the environment variables and files that the file names. It parses a document first and not the
//! types at once, because the rest of the file is not ours to judge, and an error has to name its place.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use super::substitute::Sources;
use super::{ProviderOAuth, keys, provider};
use crate::error::Error;

mod document;

/// The `provider.<id>.oauth` objects of one opencode configuration.
///
/// JSON with comments and trailing commas. All else in the file is ignored; inside `oauth` an unknown
/// key, a wrong type or an impossible value is an error. In the strings there, `{env:NAME}` stands for an environment
/// variable, and `{file:PATH}` for the text of a file, where `~/` is the home folder and a relative path starts from
/// the folder of the configuration.
///
/// ```
/// use oauth_marathon::config::OpencodeConfig;
///
/// let text = r#"{ "provider": { "openai": { "oauth": { "maxAttempts": 2, /* of my three */ } } } }"#;
/// let config = OpencodeConfig::parse(text, "opencode.jsonc")?;
/// let openai = config.provider("openai").unwrap();
/// assert_eq!(openai.settings.max_attempts.unwrap().get(), 2);
/// # Ok::<_, oauth_marathon::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpencodeConfig {
    providers: BTreeMap<String, ProviderOAuth>,
}

impl OpencodeConfig {
    /// Reads a configuration from a file. Blocks the thread.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](crate::ErrorKind::Config), with the file, the place in it and what would be right.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::config(format!("{name}: cannot be read: {error}")).with_source(error))?;
        Self::parse_in(&text, &name, path)
    }

    /// Reads a configuration from a text. `name` stands for the file in errors, and its folder is where relative paths
    /// start.
    ///
    /// # Errors
    ///
    /// The errors of [`read`](Self::read).
    pub fn parse(text: &str, name: &str) -> Result<Self, Error> {
        Self::parse_in(text, name, Path::new(name))
    }

    fn parse_in(text: &str, name: &str, path: &Path) -> Result<Self, Error> {
        let sources = Sources {
            env: &|name| std::env::var(name).ok(),
            folder: path.parent().unwrap_or(Path::new("")),
            home: std::env::home_dir(),
        };
        Self::parse_with(text, &sources).map_err(|problem| Error::config(format!("{name}: {problem}")))
    }

    fn parse_with(text: &str, sources: &Sources<'_>) -> Result<Self, String> {
        let oauths = document::oauths(text, sources)?;
        let providers = oauths.into_iter().map(|(id, object)| {
            let oauth = provider_oauth(object).map_err(|problem| format!("provider.{id}.oauth.{problem}"))?;
            Ok((id, oauth))
        });
        Ok(Self { providers: providers.collect::<Result<_, String>>()? })
    }

    /// The `oauth` object of a provider; `None` if the file has none.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<&ProviderOAuth> {
        self.providers.get(id)
    }

    /// All providers that have an `oauth`, by id.
    pub fn providers(&self) -> impl Iterator<Item = (&str, &ProviderOAuth)> {
        self.providers.iter().map(|(id, oauth)| (id.as_str(), oauth))
    }
}

/// Reads one `oauth` object. An error begins with the path inside the object.
fn provider_oauth(object: serde_json::Map<String, Value>) -> Result<ProviderOAuth, String> {
    let (settings, server) = provider::split(object).map_err(|key| format!("{key}: {}", keys::unknown(&key)))?;
    let oauth = ProviderOAuth { settings: typed(settings)?, server: typed(server)? };
    match oauth.settings.problem().or_else(|| oauth.server.problem()) {
        Some((key, problem)) => Err(format!("{key}: {problem}")),
        None => Ok(oauth),
    }
}

/// Reads a type out of an object. serde's own message is left out: it repeats the value, which may have come from
/// `{env:...}`.
fn typed<T: DeserializeOwned>(object: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(object).map_err(|error| {
        let path = error.path().to_string();
        let key = error.path().iter().find_map(|segment| match segment {
            Segment::Map { key } => keys::find(key),
            _ => None,
        });
        match key {
            Some(key) if key.name == path => format!("{path}: must be {}", key.expected),
            Some(key) => format!("{path}: {} must be {}", key.name, key.expected),
            None => format!("{path}: has the wrong type"),
        }
    })
}

#[cfg(test)]
mod tests;
