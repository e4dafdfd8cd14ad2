//! Selects which of the ready credentials serves the next attempt: the built-in selections, and a strategy of the
//! user's own.
//!
//! This room may read what a [`Candidate`] shows and nothing else of the pool; it holds no lock. The pool asks it three
//! things: whether requests keep to the front of the order (so that it is published for the fast path), which of the ready
//! ones is used, and whether that one moves to the back. The state does the rest: which ones are ready, and in which order.
//! It is not all a [`Strategy`], because sticky and round-robin need no list of candidates, which takes time to build.
//!
//! Another built-in selection is one more variant of [`Selection`], an answer to each question, and a name in the setting.

mod strategy;

pub use self::strategy::{Candidate, Choice, Strategy};
use crate::config::StrategyName;
use crate::sync::shielded;

/// A selection: how a pool chooses among its ready credentials.
pub(in crate::pool) enum Selection {
    /// The front of the order serves until it fails.
    Sticky,
    /// The front of the order serves, and moves to the back.
    RoundRobin,
    /// The user's strategy chooses.
    Custom(Box<dyn Strategy>),
}

impl Selection {
    /// The selection that the setting names, unless the user has set a strategy.
    pub(in crate::pool) fn new(name: StrategyName, custom: Option<Box<dyn Strategy>>) -> Self {
        match (custom, name) {
            (Some(strategy), _) => Self::Custom(strategy),
            (None, StrategyName::Sticky) => Self::Sticky,
            (None, StrategyName::RoundRobin) => Self::RoundRobin,
        }
    }

    /// Whether every request is served by the front of the order. Then the front can serve on the fast path, without
    /// the lock.
    #[inline]
    pub(in crate::pool) fn keeps_to_front(&self) -> bool {
        match self {
            Self::Sticky => true,
            Self::RoundRobin | Self::Custom(_) => false,
        }
    }

    /// Whether [`select`](Self::select) compares the ready credentials. If not, the front serves, and no candidates are
    /// listed.
    #[inline]
    pub(in crate::pool) fn compares(&self) -> bool {
        match self {
            Self::Sticky | Self::RoundRobin => false,
            Self::Custom(_) => true,
        }
    }

    /// The index in `ready` of the credential to use; `None` for the front. A strategy is foreign code: call it without
    /// the pool's lock. If it panics, the front is used.
    pub(in crate::pool) fn select(&self, choice: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
        match self {
            Self::Sticky | Self::RoundRobin => None,
            Self::Custom(strategy) => shielded(|| strategy.select(choice, ready)).flatten(),
        }
    }

    /// Whether the credential that was picked moves to the back of the order.
    #[inline]
    pub(in crate::pool) fn moves_to_back(&self) -> bool {
        match self {
            Self::RoundRobin => true,
            Self::Sticky | Self::Custom(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Last;

    impl Strategy for Last {
        fn select(&self, _: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
            ready.len().checked_sub(1)
        }
    }

    struct Panics;

    impl Strategy for Panics {
        fn select(&self, _: &Choice<'_>, _: &[Candidate]) -> Option<usize> {
            panic!("a strategy's fault")
        }
    }

    #[test]
    fn each_selection_answers_the_three_questions() {
        let ready = ["a", "b", "c"].map(|id| Candidate::unused(id.into()));
        let built_in = |name| Selection::new(name, None);
        let custom = |strategy: Box<dyn Strategy>| Selection::new(StrategyName::RoundRobin, Some(strategy));
        let cases = [
            ("sticky", built_in(StrategyName::Sticky), (true, false, None, false)),
            ("round-robin", built_in(StrategyName::RoundRobin), (false, false, None, true)),
            ("a strategy comes before the setting", custom(Box::new(Last)), (false, true, Some(2), false)),
            ("a panic costs only the choice", custom(Box::new(Panics)), (false, true, None, false)),
        ];
        for (case, selection, expected) in cases {
            let chosen = selection.select(&Choice::new(0, None), &ready);
            let answers = (selection.keeps_to_front(), selection.compares(), chosen, selection.moves_to_back());
            assert_eq!(answers, expected, "{case}");
        }
    }
}
