//! The object `provider.<id>.oauth`: the settings and the server, side by side.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::keys::{self, Part};
use super::{OAuthServer, Settings};
use crate::error::Error;

/// The settings and the OAuth server of one provider.
///
/// As JSON it is one flat object; a key that belongs to neither is an error.
///
/// ```
/// use oauth_marathon::config::ProviderOAuth;
/// use std::time::Duration;
///
/// let oauth: ProviderOAuth = serde_json::from_str(r#"{ "maxWaitMs": 5000, "clientId": "mine" }"#)?;
/// assert_eq!(oauth.settings.max_wait, Duration::from_secs(5));
/// assert_eq!(oauth.server.client_id.as_deref(), Some("mine"));
///
/// let error = serde_json::from_str::<ProviderOAuth>(r#"{ "maxWait": 5000 }"#).unwrap_err();
/// assert!(error.to_string().contains(r#"did you mean "maxWaitMs"?"#));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProviderOAuth {
    /// How the pool and its stack behave.
    #[serde(flatten)]
    pub settings: Settings,
    /// The OAuth server for logins and refreshes.
    #[serde(flatten)]
    pub server: OAuthServer,
}

impl ProviderOAuth {
    /// Checks that the values of both parts are possible.
    ///
    /// # Errors
    ///
    /// The errors of [`Settings::validate`] and [`OAuthServer::validate`].
    pub fn validate(&self) -> Result<(), Error> {
        self.settings.validate()?;
        self.server.validate()
    }
}

/// Split by hand, because serde's derive cannot both flatten and refuse unknown keys.
impl<'de> Deserialize<'de> for ProviderOAuth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Map::deserialize(deserializer)?;
        let (settings, server) = split(object)
            .map_err(|unknown| serde::de::Error::custom(format!("{unknown} {}", keys::unknown(&unknown))))?;
        Ok(Self {
            settings: Settings::deserialize(settings).map_err(serde::de::Error::custom)?,
            server: OAuthServer::deserialize(server).map_err(serde::de::Error::custom)?,
        })
    }
}

/// Splits an object into those of the settings and of the server. The error names the first unknown key.
pub(super) fn split(object: Map<String, Value>) -> Result<(Value, Value), String> {
    let (mut settings, mut server) = (Map::new(), Map::new());
    for (name, value) in object {
        let part = match keys::find(&name).map(|key| key.part) {
            Some(Part::Settings) => &mut settings,
            Some(Part::Server) => &mut server,
            None => return Err(name),
        };
        part.insert(name, value);
    }
    Ok((Value::Object(settings), Value::Object(server)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_of_keys_is_that_of_the_types() {
        let Value::Object(object) = serde_json::to_value(ProviderOAuth::default()).unwrap() else { panic!() };
        let mut written: BTreeSet<_> = object.keys().map(String::as_str).collect();
        written.insert("extraHeaders");
        assert_eq!(written, keys::KEYS.iter().map(|key| key.name).collect());

        let (settings, server) = split(object).unwrap();
        Settings::deserialize(settings).unwrap();
        OAuthServer::deserialize(server).unwrap();
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut oauth = ProviderOAuth::default();
        oauth.settings.network_retry_attempts = 5;
        oauth.server.scopes = vec!["openid".to_owned()];
        let text = serde_json::to_string(&oauth).unwrap();
        assert_eq!(serde_json::from_str::<ProviderOAuth>(&text).unwrap(), oauth);
    }

    #[test]
    fn both_parts_are_validated() {
        for wrong in [r#"{ "attemptTimeoutMs": 0 }"#, r#"{ "tokenUrl": "nowhere" }"#] {
            assert!(serde_json::from_str::<ProviderOAuth>(wrong).unwrap().validate().is_err(), "{wrong}");
        }
    }
}
