//! Finds the record that a login or an imported credential belongs to, and stores it there.

use oauth_marathon::store::{CasOutcome, Entry, Record, Store, StoreKey};
use oauth_marathon::tokens::login::{LoggedIn, Merge, merge};
use oauth_marathon::verdict::Kind;
use oauth_marathon::{BoxError, Material};

use crate::failure::{Code, Failure};
use crate::terminal::text::line;

/// Says which record a login belongs to. An id from the arguments has to fit the account.
pub(super) fn place(known: &[Entry], id: Option<&str>, logged_in: &LoggedIn) -> Result<Merge, Failure> {
    let pairs = known.iter().map(|entry| &entry.record.credential);
    let found = merge(pairs.map(|credential| (credential.id(), credential.subject_ref())), logged_in);
    let Some(id) = id else { return Ok(found) };
    let refused = |message: String| Err(Failure::new(Code::Failed, message));
    if id.is_empty() {
        return Err(Failure::new(Code::Usage, "--id is empty; leave it out for an id after the account"));
    }
    if let Merge::Update(other) = &found
        && *other != *id
    {
        let other = line(other.as_str());
        return refused(format!("this account is there already, as {other:?}; leave --id out, or name that one"));
    }
    let Some(entry) = known.iter().find(|entry| *entry.record.credential.id() == *id) else {
        return Ok(Merge::Add(id.into()));
    };
    match (entry.record.credential.subject_ref(), logged_in.subject.as_deref()) {
        (Some(there), Some(here)) if there != here => refused(format!(
            "{id:?} is the account {:?}, and the login is of {:?}; take another --id",
            line(there),
            line(here)
        )),
        _ => Ok(Merge::Update(id.into())),
    }
}

/// The record with a new secret. Refusals of the old secret no longer count; everything else stays.
pub(super) fn refreshed(record: &Record, material: Material) -> Record {
    let mut next = record.clone();
    next.credential = next.credential.with_material(material);
    next.generation = record.generation.next();
    next.intent = None;
    next.health.out = None;
    next.health.cooldowns.retain(|cooldown| !matches!(cooldown.cause, Kind::Unauthorized | Kind::Forbidden));
    next
}

/// Adds a record under its id, or under the next free one.
pub(super) async fn add<S: Store>(
    store: &S,
    provider: &str,
    mut record: Record,
    exact: bool,
) -> Result<Option<Entry>, BoxError> {
    let wanted = record.credential.id().clone();
    for number in 2.. {
        let key = StoreKey::new(provider, record.credential.id());
        match store.compare_and_set(&key, None, Some(record.clone())).await? {
            CasOutcome::Stored(entry) => return Ok(Some(entry)),
            _ if exact => return Ok(None),
            _ => record.credential = record.credential.with_id(format!("{wanted}-{number}")),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use oauth_marathon::store::{Cooldown, Intent, MemoryStore, Revision};
    use oauth_marathon::verdict::OutReason;
    use oauth_marathon::{Credential, Generation, TokenSet};

    use super::*;

    fn entry(id: &str, subject: Option<&str>) -> Entry {
        let credential = Credential::new(id, TokenSet::new("old"));
        let credential = subject.into_iter().fold(credential, |credential, subject| credential.subject(subject));
        Entry::new(Record::new(credential, Generation::FIRST), Revision::new(1))
    }

    #[test]
    fn an_id_that_was_asked_for_has_to_fit() {
        let known = [entry("work", Some("1")), entry("home", None)];
        let place = |id, subject: Option<&str>| {
            let mut logged_in = LoggedIn::new(TokenSet::new("new"));
            logged_in.subject = subject.map(Into::into);
            place(&known, id, &logged_in).map_err(|error| error.to_string())
        };
        assert_eq!(place(None, Some("1")), Ok(Merge::Update("work".into())));
        assert_eq!(place(Some("work"), Some("1")), Ok(Merge::Update("work".into())));
        assert_eq!(place(Some("work"), None), Ok(Merge::Update("work".into())));
        assert_eq!(place(Some("home"), Some("2")), Ok(Merge::Update("home".into())));
        assert_eq!(place(Some("new"), Some("2")), Ok(Merge::Add("new".into())));
        assert!(place(Some("home"), Some("1")).unwrap_err().contains("there already, as \"work\""));
        assert!(place(Some("work"), Some("2")).unwrap_err().contains("\"work\" is the account \"1\""));
        assert!(place(Some(""), Some("2")).unwrap_err().contains("--id is empty"));
    }

    #[test]
    fn a_new_secret_leaves_behind_what_the_old_one_met() {
        let mut old = entry("work", Some("1")).record;
        old.health.out = Some(OutReason::RefreshRefused);
        let until = std::time::UNIX_EPOCH;
        let throttled = Cooldown::new(Kind::Throttled, until);
        old.health.cooldowns = vec![throttled.clone(), Cooldown::new(Kind::Unauthorized, until)];
        old.intent = Some(Intent::new(Generation::FIRST, until));
        let next = refreshed(&old, TokenSet::new("new").into());
        let mut expected = Record::new(Credential::new("work", TokenSet::new("new")).subject("1"), Generation::new(2));
        expected.health.cooldowns = vec![throttled];
        assert_eq!(next, expected);
    }

    #[tokio::test]
    async fn a_record_gets_the_next_free_id_unless_it_is_to_be_that_one() {
        let store = MemoryStore::new();
        let record = entry("work", None).record;
        let mut ids = Vec::new();
        for _ in 0..3 {
            let added = add(&store, "x", record.clone(), false).await.unwrap().unwrap();
            ids.push(added.record.credential.id().to_string());
        }
        assert_eq!(ids, ["work", "work-2", "work-3"]);
        assert_eq!(add(&store, "x", record, true).await.unwrap(), None);
    }
}
