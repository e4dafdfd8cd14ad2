//! Rules that your own parts are checked against. Each check draws its cases from a seed, so that a finding can be
//! repeated.
//!
//! A check uses a part only through its public trait, like a pool. It draws random cases because a fixed list would
//! hold only mistakes that are already known.
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
//! | your part | hold it against |
//! |---|---|
//! | a [`Classifier`](oauth_marathon::verdict::Classifier) | [`check_classifier`], then [`check_pool_run`] |
//! | a [`Strategy`](oauth_marathon::pool::Strategy) | [`check_strategy`], then [`check_pool_run`] |
//! | a [`Store`](oauth_marathon::store::Store) of two methods | [`check_store`], also on several threads, then [`check_pool_run`] |
//! | a [`Store`](oauth_marathon::store::Store) that processes share | the same, and [`check_shared_store`] |
//! | settings, or a stack of your own | [`check_pool_run`], or [`check_attempts`] after requests of your own |
//!
//! Give each check a few seeds in every run of your tests, which takes seconds, and many where you have the time. A whole test,
//! to be run as `#[tokio::test(start_paused = true)]`:
//!
//! ```
//! use oauth_marathon::verdict::{Answer, Classifier};
//! use oauth_marathon::pool::{Candidate, Choice, Strategy};
//! use oauth_marathon_test::invariants::{Parts, Violation, check_classifier, check_pool_run, check_strategy};
//! use oauth_marathon::verdict::{Kind, Verdict};
//!
//! struct Teapots;
//!
//! impl Classifier for Teapots {
//!     fn answer(&self, answer: &Answer<'_>) -> Option<Verdict> {
//!         (answer.status() == 418).then(|| Verdict::new(Kind::QuotaExhausted))
//!     }
//! }
//!
//! struct ByConversation;
//!
//! impl Strategy for ByConversation {
//!     fn select(&self, choice: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
//!         Some(choice.group?.len() % ready.len())
//!     }
//! }
//!
//! async fn our_parts_keep_the_rules() -> Result<(), Violation> {
//!     for seed in 0..2 {
//!         check_classifier(&Teapots, seed)?;
//!         check_strategy(&ByConversation, seed)?;
//!         check_pool_run(&Parts::new().classifier(Teapots).strategy(ByConversation), seed).await?;
//!     }
//!     Ok(())
//! }
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?
//! #     .block_on(our_parts_keep_the_rules())?;
//! # Ok::<_, oauth_marathon::BoxError>(())
//! ```
//!
//! A part that is broken shows which rule, how, and with which seed:
//!
//! ```
//! use oauth_marathon::pool::{Candidate, Choice, Strategy};
//! use oauth_marathon_test::invariants::{Rule, check_strategy};
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
