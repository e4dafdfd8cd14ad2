//! One limit of an answer.

use std::time::Duration;

use serde::Serialize;

use super::Quota;
use super::value::LONGEST;
use crate::serialized::milliseconds;

/// One limit of a quota: how much of it there is, how much is used, and when it is whole again.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Window {
    /// What the provider calls it, such as `tokens`, `5h` or `primary`.
    pub name: String,
    /// What it limits.
    pub scope: WindowScope,
    /// How much there is, in the provider's unit.
    pub limit: Option<u64>,
    /// How much is left, in the provider's unit.
    pub remaining: Option<u64>,
    /// The share that is used, from 0; more than 1 where the provider let some requests go over.
    pub used: Option<f64>,
    /// How long the window is, if that is known.
    #[serde(rename = "lengthMs", with = "milliseconds::optional")]
    pub length: Option<Duration>,
    /// How long until the window is whole again, counted from [`Quota::as_of`]; zero for a time in the past.
    #[serde(rename = "resetsAfterMs", with = "milliseconds::optional")]
    pub resets_after: Option<Duration>,
    /// Whether the window is used up: the provider says so, or says nothing and the figures do.
    pub exhausted: bool,
}

/// What a [`Window`] limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum WindowScope {
    /// All use of the credential.
    Credential,
    /// The model that the request asked for, or the model that the window is named for.
    Model,
    /// Something else, such as paid overage, or one kind of request.
    Bucket,
}

impl WindowScope {
    /// The order of what is limited: the wider scope goes first.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Credential => 2,
            Self::Model => 1,
            Self::Bucket => 0,
        }
    }
}

impl Window {
    /// How much is left, from 0 to 1, where that is known.
    #[must_use]
    pub fn left(&self) -> Option<f64> {
        if self.exhausted { Some(0.0) } else { self.used.map(|used| (1.0 - used).clamp(0.0, 1.0)) }
    }
}

/// The windows of an answer while its fields are read, in the order of the fields.
#[derive(Debug, Default)]
pub(super) struct Windows(Vec<Draft>);

/// A window before all of its fields are read.
#[derive(Debug)]
pub(super) struct Draft {
    name: String,
    pub(super) scope: WindowScope,
    pub(super) limit: Option<u64>,
    pub(super) remaining: Option<u64>,
    pub(super) used: Option<f64>,
    pub(super) length: Option<Duration>,
    pub(super) resets_after: Option<Duration>,
    /// Whether the provider says in words that it refuses or allows. This counts more than the figures.
    pub(super) refuses: Option<bool>,
}

const SHORT: Duration = Duration::from_secs(60);

/// The longest name that a window can have, in bytes.
const LONGEST_NAME: usize = 64;

impl Windows {
    /// The window of this name; made if there is none. `None` if there are too many.
    pub(super) fn named(&mut self, name: &str, scope: WindowScope) -> Option<&mut Draft> {
        // An index, because the borrow checker does not let a function return a found reference and else change the
        // list.
        let at = self.0.iter().position(|draft| draft.name == name).unwrap_or(self.0.len());
        if at == self.0.len() {
            if at == Quota::MOST_WINDOWS || name.len() > LONGEST_NAME {
                return None;
            }
            let name = name.to_owned();
            let (limit, remaining, used, length, resets_after, refuses) = (None, None, None, None, None, None);
            self.0.push(Draft { name, scope, limit, remaining, used, length, resets_after, refuses });
        }
        self.0.get_mut(at)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Draft> {
        self.0.iter_mut()
    }

    /// The windows about which something is known.
    pub(super) fn finish(self) -> Vec<Window> {
        self.0.into_iter().filter_map(Draft::finish).collect()
    }
}

impl Draft {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The window. `None` if nothing is known about its use: a reset alone says nothing.
    fn finish(self) -> Option<Window> {
        let Self { name, scope, limit, remaining, used, length, resets_after, refuses } = self;
        if limit.is_none() && remaining.is_none() && used.is_none() && refuses.is_none() {
            return None;
        }
        // The exact figure counts before the share, which is rounded.
        let by_figures = remaining.map_or(used.is_some_and(|used| used >= 1.0), |remaining| remaining == 0);
        let used = used.or_else(|| match (limit?, remaining?) {
            (0, _) => None,
            (limit, remaining) => Some((1.0 - remaining as f64 / limit as f64).max(0.0)),
        });
        let exhausted = refuses.unwrap_or(by_figures);
        let length = length.map(|length| length.min(LONGEST));
        // A short window that names no reset is whole again after its length at the latest.
        let by_length = length.filter(|length| exhausted && *length <= SHORT);
        let resets_after = resets_after.or(by_length).map(|reset| reset.min(LONGEST));
        Some(Window { name, scope, limit, remaining, used, length, resets_after, exhausted })
    }
}
