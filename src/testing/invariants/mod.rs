//! Rules that your own parts can be held against. Each check draws its cases from a seed, so that what it finds can be
//! repeated.
//!
//! | check | rules |
//! |---|---|
//! | [`check_classifier`] | never panics, and stays within the bounds of a verdict |
//! | [`check_strategy`] | names only indices that exist, and lets no ready credential starve |
//! | [`check_store`] | sets only from the expected revision, loses no update, shows no secret |
//! | [`check_shared_store`] | keeps the order, leases to one at a time, tells of changes, keeps notes about health |
//! | [`check_pool_run`] | a whole stack with your parts: no double spend, no starvation, `maxAttempts` never broken |
//! | [`check_attempts`] | the same rules for the attempts of one request of your own |
//!
//! ```
//! use oauth_marathon::testing::invariants::{Rule, check_strategy};
//! use oauth_marathon::pool::{Candidate, Choice, Strategy};
//!
//! /// Goes wrong as soon as fewer than three are ready.
//! struct Third;
//!
//! impl Strategy for Third {
//!     fn select(&self, _: &Choice<'_>, _: &[Candidate]) -> Option<usize> {
//!         Some(2)
//!     }
//! }
//!
//! let violation = check_strategy(&Third, 1).expect_err("it is broken");
//! assert_eq!(violation.rule(), Rule::NoSuchCandidate);
//! assert!(violation.to_string().contains("seed 1"));
//! ```

mod attempts;
mod classifier;
mod corpus;
mod parts;
mod pool_run;
mod store;
mod store_calls;
mod store_race;
mod store_shared;
mod strategy;
mod violation;

pub use self::attempts::check_attempts;
pub use self::classifier::check_classifier;
pub use self::parts::Parts;
pub use self::pool_run::check_pool_run;
pub use self::store::check_store;
pub use self::store_shared::check_shared_store;
pub use self::strategy::check_strategy;
pub use self::violation::{Rule, Violation};
