//! How a change in the pool and what the store holds come together: pure rules over plain data.

use super::state::Entry;
use crate::account::Credential;
use crate::refresh::across::{Known, Newer, new_start, newer};
use crate::store::Record;
use crate::token::Generation;

/// A credential of the pool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ours<'a> {
    credential: &'a Credential,
    generation: Generation,
    known: Known,
}

/// What becomes of the two.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Together {
    /// They are alike.
    Nothing,
    Write(Write),
    /// The pool takes the record over.
    Take(Record),
    /// The pool removes its own as well.
    Forget,
}

/// What the store is to hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Write {
    Remove,
    /// `next`, which was made of `ours`.
    Put {
        next: Box<Record>,
        ours: Box<Credential>,
    },
}

impl<'a> Ours<'a> {
    pub(super) fn of(entry: &'a Entry) -> Self {
        Self { credential: &entry.credential, generation: entry.access.generation, known: entry.known }
    }

    fn put(&self, next: Record) -> Together {
        Together::Write(Write::Put { next: next.into(), ours: self.credential.clone().into() })
    }
}

/// Brings a change in the pool and what the store holds together. A new secret of a person wins over what is stored, and gets
/// a later generation, so that everybody takes it over. Another label or header goes beside whichever secret is the newer one:
/// the generation and a refresh that others have begun stay as they are.
pub(super) fn together(ours: Option<Ours<'_>>, held: Option<&Record>) -> Together {
    let (ours, held) = match (ours, held) {
        (None, None) => return Together::Nothing,
        (None, Some(_)) => return Together::Write(Write::Remove),
        (Some(ours), None) if ours.known.is_stored && !ours.known.is_put_in() => return Together::Forget,
        (Some(ours), None) => return ours.put(Record::new(ours.credential.clone(), ours.generation)),
        (Some(ours), Some(held)) => (ours, held),
    };
    let mut next = held.clone();
    match newer(&ours.known, &ours.credential.material, held) {
        Newer::Same if held.credential == *ours.credential => return Together::Nothing,
        Newer::Theirs if ours.known.is_addition() => return Together::Take(next),
        Newer::Theirs => {
            let material = next.credential.material;
            next.credential = Credential { material, ..ours.credential.clone() };
        }
        Newer::Same => {
            next.credential = ours.credential.clone();
            new_start().apply(&mut next.health);
        }
        Newer::Ours => {
            next.credential = ours.credential.clone();
            next.generation = ours.generation.max(held.generation.next());
            next.intent = None;
            new_start().apply(&mut next.health);
        }
    }
    ours.put(next)
}
