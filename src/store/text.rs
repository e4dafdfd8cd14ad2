//! The text of one record, for stores of one's own.

use serde_json::{Map, Value};

use super::format::{self, At, Problem};
use super::record::Record;
use crate::credentials::Secret;
use crate::error::{Error, ErrorKind};

impl Record {
    /// The record as a line of JSON: what a store that keeps texts keeps of it. In the file of a
    #[cfg_attr(feature = "file-store", doc = "[`FileStore`](super::FileStore)")]
    #[cfg_attr(not(feature = "file-store"), doc = "`FileStore`")]
    /// each record stands in the same form, beside its revision. Times are cut to milliseconds.
    ///
    /// ```
    /// use oauth_marathon::store::Record;
    /// use oauth_marathon::{Credential, Generation, TokenSet};
    ///
    /// let credential = Credential::new("work", TokenSet::new("access").with_refresh("refresh")).label("work account");
    /// let record = Record::new(credential, Generation::new(1));
    /// let text = record.to_text();
    /// assert_eq!(Record::from_text(text.expose())?, record);
    ///
    /// let error = Record::from_text(r#"{ "id": "work", "oauth": { "access": 5 } }"#).unwrap_err();
    /// assert!(error.to_string().contains("at /oauth/access: a text was expected"));
    /// # Ok::<_, oauth_marathon::Error>(())
    /// ```
    #[must_use]
    pub fn to_text(&self) -> Secret {
        let mut members = Map::new();
        format::write(&mut members, self);
        let mut value = Value::Object(members);
        let text = format::text_of(&value);
        format::wipe(&mut value);
        text
    }

    /// Reads what [`Record::to_text`] has written. Members that this version does not know are left out.
    ///
    /// # Errors
    ///
    /// Of kind [`StoreCorrupt`](ErrorKind::StoreCorrupt), with the place and what would be right there. It shows no value.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let unreadable = |problem: Problem| {
            let message = format!(
                "the text of a record cannot be understood: {problem}; repair it, or remove it and log the account in again"
            );
            Error::new(ErrorKind::StoreCorrupt, message)
        };
        let parsed = serde_json::from_str(text).map_err(|error| Problem::syntax(text.as_bytes(), &error));
        let mut value: Value = parsed.map_err(unreadable)?;
        let at = At::root();
        let record = at.object(&value).and_then(|members| format::read(&at, members));
        format::wipe(&mut value);
        record.map_err(unreadable)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::credentials::{Credential, Generation, TokenSet};
    use crate::store::{Cooldown, Intent, LastStatus};
    use crate::verdict::{Kind, OutReason};

    fn record() -> Record {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let tokens = TokenSet::new("c4n4ry-access").with_refresh("c4n4ry-refresh").expires_at(at(1_900_000_000));
        let credential = Credential::new("work", tokens).label("L\u{f6}we").subject("1").header("x-api-key").scheme("");
        let credential = credential.extra_header("x-org", "c4n4ry-org").base_url("https://eu.example.com/v1");
        let mut record = Record::new(credential, Generation::new(3));
        record.health.cooldowns = vec![Cooldown::new(Kind::QuotaExhausted, at(1_900_000_002)).with_model("large")];
        record.health.out = Some(OutReason::Revoked);
        record.health.last_status = Some(LastStatus::new(http::StatusCode::TOO_MANY_REQUESTS, at(1_800_000_001)));
        record.intent = Some(Intent::new(Generation::new(3), at(1_800_000_000)));
        record
    }

    #[test]
    fn all_of_a_record_comes_back_from_its_text() {
        let text = record().to_text();
        assert_eq!(Record::from_text(text.expose()).unwrap(), record());
        assert_eq!(text.expose().lines().count(), 1);
    }

    #[test]
    fn members_of_a_later_version_are_no_mistake() {
        let text = record().to_text().expose().replacen('{', "{\"later\":{\"x\":1},", 1);
        assert_eq!(Record::from_text(&text).unwrap(), record());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_a_remedy_and_without_a_value() {
        let good = record().to_text();
        for (text, expected) in [
            ("", "it is empty"),
            ("{ \"id\": \"c4n4ry", "it is no valid JSON at line 1, column 15, where it ends too early"),
            ("[\"c4n4ry\"]", ": an object was expected"),
            ("{ \"id\": \"c4n4ry\" }", ": either \"oauth\" or \"key\" was expected"),
            (&good.expose().replace("\"c4n4ry-refresh\"", "5417"), "at /oauth/refresh: a text was expected"),
            (&good.expose().replace("\"generation\":3", "\"generation\":\"c4n4ry\""), "/generation: a whole number"),
        ] {
            let error = Record::from_text(text).unwrap_err();
            let shown = error.to_string();
            assert_eq!(error.kind(), ErrorKind::StoreCorrupt);
            assert!(shown.contains(expected) && shown.contains("log the account in again"), "{shown}");
            assert!(!shown.contains("c4n4ry") && !shown.contains("5417"), "{shown}");
        }
    }
}
