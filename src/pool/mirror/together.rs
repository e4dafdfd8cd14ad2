//! Brings a change in the pool and a stored record together: pure rules over plain data.

use crate::credentials::Credential;
use crate::credentials::Generation;
use crate::pool::state::PoolEntry;
use crate::store::Record;
use crate::tokens::refresh::across::{Newer, StoreRelation, new_start, newer};

/// A credential as the pool holds it, for the comparison with its record.
#[derive(Debug, Clone, Copy)]
pub(in crate::pool) struct Ours<'a> {
    credential: &'a Credential,
    generation: Generation,
    relation: StoreRelation,
}

/// What has to happen so that the pool and the store are alike.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::pool) enum Together {
    /// They are alike.
    Nothing,
    Write(Write),
    /// The pool takes the record over.
    Take(Box<Record>),
    /// The pool removes its credential as well.
    Forget,
}

/// The write that the store needs.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::pool) enum Write {
    Remove,
    /// Stores `next`, which was made of the pool's credential `ours`.
    Put {
        next: Box<Record>,
        ours: Box<Credential>,
    },
}

impl<'a> Ours<'a> {
    pub(in crate::pool) fn of(entry: &'a PoolEntry) -> Self {
        Self { credential: entry.credential(), generation: entry.access().generation, relation: entry.relation() }
    }

    fn put(&self, next: Record) -> Together {
        Together::Write(Write::Put { next: next.into(), ours: self.credential.clone().into() })
    }
}

/// Brings a change in the pool and the stored record together. A new secret from a person wins over the stored one, and
/// gets a later generation, so that all processes take it over. Another label or header is combined with the newer of
/// the two secrets; the generation, the health and the intent of another process stay as they are.
pub(in crate::pool) fn together(ours: Option<Ours<'_>>, held: Option<&Record>) -> Together {
    let (ours, held) = match (ours, held) {
        (None, None) => return Together::Nothing,
        (None, Some(_)) => return Together::Write(Write::Remove),
        (Some(ours), None) if ours.relation.is_stored && !ours.relation.is_put_in() => return Together::Forget,
        (Some(ours), None) => return ours.put(Record::new(ours.credential.clone(), ours.generation)),
        (Some(ours), Some(held)) => (ours, held),
    };
    let mut next = held.clone();
    match newer(&ours.relation, &ours.credential.material, held) {
        Newer::Same if held.credential == *ours.credential => return Together::Nothing,
        Newer::Theirs if ours.relation.is_addition() => return Together::Take(next.into()),
        Newer::Theirs => {
            let material = next.credential.material;
            next.credential = Credential { material, ..ours.credential.clone() };
        }
        Newer::Same => next.credential = ours.credential.clone(),
        Newer::Ours => {
            next.credential = ours.credential.clone();
            next.generation = ours.generation.max(held.generation.next());
            next.intent = None;
            new_start().apply(&mut next.health);
        }
    }
    ours.put(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::TokenSet;
    use crate::store::Intent;
    use crate::verdict::OutReason;

    fn record(generation: u64, token: &str, label: &str) -> Record {
        let tokens = TokenSet::new(token).with_refresh(format!("refresh {token}"));
        let credential = Credential::new("work", tokens).label(label);
        Record::new(credential, Generation::new(generation))
    }

    /// The record with the intent of another process.
    fn begun(record: Record) -> Record {
        let intent = Intent::new(record.generation, std::time::SystemTime::UNIX_EPOCH);
        Record { intent: Some(intent), ..record }
    }

    #[test]
    fn the_table() {
        let stored = StoreRelation::stored(Generation::new(5));
        let put = |next: Record| {
            let ours = record(5, "ours", "new").credential;
            Together::Write(Write::Put { next: next.into(), ours: ours.into() })
        };
        let alike = record(7, "ours", "new");
        let mut out = record(5, "theirs", "old");
        out.health.out = Some(OutReason::RefreshRefused);
        let cases = [
            ("added", StoreRelation::added(), None, put(record(5, "ours", "new"))),
            ("added, and as it is stored", StoreRelation::added(), Some(alike.clone()), Together::Nothing),
            (
                "added, and others were quicker",
                StoreRelation::added(),
                Some(record(2, "theirs", "old")),
                Together::Take(record(2, "theirs", "old").into()),
            ),
            ("stored, under a later generation", stored, Some(alike), Together::Nothing),
            ("another label", stored, Some(record(5, "ours", "old")), put(record(5, "ours", "new"))),
            (
                "another label, while others refresh it",
                stored,
                Some(begun(record(5, "ours", "old"))),
                put(begun(record(5, "ours", "new"))),
            ),
            (
                "another label, and others have refreshed it",
                stored,
                Some(record(6, "theirs", "old")),
                put(record(6, "theirs", "new")),
            ),
            ("another label, and others have removed it", stored, None, Together::Forget),
            (
                "a new secret, while others refresh the old one",
                stored.put_in(),
                Some(begun(record(5, "theirs", "old"))),
                put(record(6, "ours", "new")),
            ),
            ("a new secret, and the old one was refused", stored.put_in(), Some(out), put(record(6, "ours", "new"))),
            (
                "a new secret, and others have refreshed the old one",
                stored.put_in(),
                Some(record(9, "theirs", "old")),
                put(record(10, "ours", "new")),
            ),
            ("a new secret, and others have removed it", stored.put_in(), None, put(record(5, "ours", "new"))),
        ];
        let Record { credential, generation, .. } = record(5, "ours", "new");
        for (case, relation, held, expected) in cases {
            let ours = Ours { credential: &credential, generation, relation };
            assert_eq!(together(Some(ours), held.as_ref()), expected, "{case}");
        }
        assert_eq!(together(None, None), Together::Nothing);
        assert_eq!(together(None, Some(&record(5, "theirs", "old"))), Together::Write(Write::Remove));
    }
}
