//! Changes one record, which other processes may change at the same time.

use oauth_marathon::store::{CasOutcome, Entry, Record, Store, StoreKey};

use crate::failure::{Code, Failure};

/// How many conflicts in a row are accepted. If there are more, something else is wrong.
const MOST_TRIES: usize = 32;

/// How [`change`] ended.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "it lives for one call")]
pub(super) enum Changed {
    /// The record was changed. This is the new entry.
    Stored(Entry),
    Removed,
    /// There is no record to change.
    Absent,
    /// The record that was found is not to be changed.
    Unwanted,
}

/// What a change makes of the record.
#[allow(clippy::large_enum_variant, reason = "it lives for one call")]
pub(super) enum Next {
    Keep,
    Store(Record),
    Remove,
}

/// Changes a record, and starts again if another process was faster.
pub(super) async fn change<S: Store>(
    store: &S,
    key: &StoreKey,
    mut next: impl FnMut(&Record) -> Next,
) -> Result<Changed, Failure> {
    let mut found = store.load(key).await?;
    for _ in 0..MOST_TRIES {
        let Some(entry) = found else { return Ok(Changed::Absent) };
        let record = match next(&entry.record) {
            Next::Keep => return Ok(Changed::Unwanted),
            Next::Store(record) => Some(record),
            Next::Remove => None,
        };
        match store.compare_and_set(key, Some(entry.revision), record).await? {
            CasOutcome::Stored(entry) => return Ok(Changed::Stored(entry)),
            CasOutcome::Removed => return Ok(Changed::Removed),
            CasOutcome::Conflict(other) => found = other,
            other => return Err(Failure::new(Code::Failed, format!("the store has answered {other:?}"))),
        }
    }
    let message = format!("{key} is changed by others all the time; see what writes to the store, and try again");
    Err(Failure::new(Code::Failed, message))
}
