//! Tells which secret is newer, the pool's or the store's. One rule decides what is exchanged, written and taken over.

use std::time::Duration;

use crate::credentials::{Generation, Material};
use crate::store::Record;

/// How a secret in memory relates to the records that the store has held of its credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoreRelation {
    /// Whether the store has held a record of the credential.
    pub(crate) is_stored: bool,
    /// The generation from which on a stored record with another secret is newer than ours. `None` if a person has put
    /// ours in: then it replaces every stored one.
    replaced_from: Option<Generation>,
}

/// Which secret is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Newer {
    Same,
    Ours,
    Theirs,
}

impl StoreRelation {
    /// For a secret that code gave to a pool which does not follow its store. A stored secret of a later generation is
    /// newer.
    pub(crate) const fn given(generation: Generation) -> Self {
        Self { is_stored: false, replaced_from: Some(generation.next()) }
    }

    /// For a secret that was added to a pool which follows its store. If the store holds the credential nevertheless,
    /// another process was quicker, and may have exchanged the same refresh token already.
    pub(crate) fn added() -> Self {
        Self { is_stored: false, replaced_from: Some(Generation::default()) }
    }

    /// For a secret that was read from the store or written to it.
    pub(crate) const fn stored(generation: Generation) -> Self {
        Self { is_stored: true, replaced_from: Some(generation) }
    }

    /// For the secret that a person has put in, in place of this one.
    pub(crate) const fn put_in(self) -> Self {
        Self { replaced_from: None, ..self }
    }

    /// Whether it replaces every secret in the store.
    pub(crate) fn is_put_in(&self) -> bool {
        self.replaced_from.is_none()
    }

    /// Whether the store is not known to have held the secret or one before it.
    pub(crate) fn is_addition(&self) -> bool {
        self.replaced_from == Some(Generation::default())
    }

    /// Notes that the store holds or held this record.
    pub(crate) fn has_held(&mut self, record: &Record, ours: &Material) {
        self.is_stored = true;
        if is_same(&record.credential.material, ours) {
            self.replaced_from = Some(record.generation);
        }
    }
}

/// Compares our secret with the one that the store holds.
pub(crate) fn newer(relation: &StoreRelation, ours: &Material, theirs: &Record) -> Newer {
    if is_same(&theirs.credential.material, ours) {
        return Newer::Same;
    }
    match relation.replaced_from {
        Some(from) if theirs.generation >= from => Newer::Theirs,
        _ => Newer::Ours,
    }
}

/// The largest difference between equal expiries: stores cut them to milliseconds, or to seconds.
const CUT: Duration = Duration::from_secs(1);

/// Whether both are the same secret, with the same expiry.
pub(crate) fn is_same(one: &Material, other: &Material) -> bool {
    let (Some(one), Some(other)) = (one.tokens(), other.tokens()) else { return one == other };
    let as_long = match (one.expiry(), other.expiry()) {
        (Some(one), Some(other)) => {
            let apart = one.duration_since(other).unwrap_or_else(|earlier| earlier.duration());
            apart < CUT
        }
        (one, other) => one == other,
    };
    as_long && one.access() == other.access() && one.refresh() == other.refresh()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::credentials::{Credential, Secret, TokenSet};

    fn record(generation: u64, token: &str) -> Record {
        let tokens = TokenSet::new(token).with_refresh(format!("refresh {token}"));
        Record::new(Credential::new("work", tokens), Generation::new(generation))
    }

    #[test]
    fn the_table() {
        let stored = |generation| StoreRelation::stored(Generation::new(generation));
        let given = StoreRelation::given(Generation::FIRST);
        let cases = [
            ("the same", stored(5), (5, "ours"), Newer::Same),
            ("the same, later", stored(5), (9, "ours"), Newer::Same),
            ("others have replaced it", stored(5), (6, "theirs"), Newer::Theirs),
            ("others have put theirs in under the same generation", stored(5), (5, "theirs"), Newer::Theirs),
            ("the store has gone back", stored(5), (4, "theirs"), Newer::Ours),
            ("a person put ours in", stored(5).put_in(), (5, "theirs"), Newer::Ours),
            ("a person put ours in, and theirs was refreshed", stored(5).put_in(), (7, "theirs"), Newer::Ours),
            ("given by the code, as the store has it", given, (1, "ours"), Newer::Same),
            ("given by the code in place of another", given, (1, "theirs"), Newer::Ours),
            ("given by the code, refreshed in an earlier run", given, (2, "theirs"), Newer::Theirs),
            ("added, and others were quicker", StoreRelation::added(), (1, "theirs"), Newer::Theirs),
            ("added, and already refreshed by others", StoreRelation::added(), (2, "theirs"), Newer::Theirs),
        ];
        let ours = record(1, "ours").credential.material;
        for (case, relation, (generation, token), expected) in cases {
            assert_eq!(newer(&relation, &ours, &record(generation, token)), expected, "{case}");
        }
    }

    #[test]
    fn what_the_store_has_held_is_not_new_any_more() {
        let ours = record(1, "ours").credential.material;
        for relation in [
            StoreRelation::added(),
            StoreRelation::given(Generation::FIRST),
            StoreRelation::stored(Generation::new(3)).put_in(),
        ] {
            let mut other = relation;
            other.has_held(&record(4, "theirs"), &ours);
            assert_eq!(other, StoreRelation { is_stored: true, ..relation }, "another secret says nothing about ours");
            let mut held = relation;
            held.has_held(&record(4, "ours"), &ours);
            assert_eq!(held, StoreRelation::stored(Generation::new(4)));
            assert_eq!(newer(&held, &ours, &record(5, "theirs")), Newer::Theirs);
        }
    }
    #[test]
    fn a_store_that_cuts_times_holds_the_same_secret() {
        let at = |millis: u64| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        let tokens = |expiry: u64| Material::from(TokenSet::new("t").with_refresh("r").expires_at(at(expiry)));
        assert!(is_same(&tokens(5_678), &tokens(5_678)));
        assert!(is_same(&tokens(5_678), &tokens(5_000)) && is_same(&tokens(5_000), &tokens(5_678)));
        assert!(!is_same(&tokens(5_678), &tokens(9_678)), "it lives on under a new expiry");
        assert!(!is_same(&tokens(5_678), &TokenSet::new("t").with_refresh("r").into()));
        let other = TokenSet::new("t").with_refresh("s").expires_at(at(5_678));
        assert!(!is_same(&tokens(5_678), &other.into()));
        assert!(!is_same(&tokens(5_678), &Secret::new("t").into()));
        assert!(is_same(&Secret::new("t").into(), &Secret::new("t").into()));
    }
}
