//! Random pools, and random steps that are applied to them.

use std::num::NonZeroU32;
use std::time::Duration;

use oauth_marathon::config::{Settings, WhenAllCooling};
use proptest::prelude::*;

use super::model::{Outcome, RefreshOutcome};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Key,
    Refreshable,
    Fixed,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A request that asks for one of a few language models, or names none.
    Request(usize),
    Pass(Duration),
    Add(Kind),
    Remove(usize),
    Update(usize),
    Clear(usize),
    ClearModels(usize),
    Invalidate(usize),
    /// Turns the order, and leaves one out.
    Replace(usize),
}

#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) settings: Settings,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) refreshes: Vec<RefreshOutcome>,
    pub(crate) steps: Vec<Step>,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Key), Just(Kind::Refreshable), Just(Kind::Fixed)]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let status = |status| Just(Outcome::Status(status));
    let seconds = || prop::option::of(prop::sample::select(vec![0, 1, 7, 30, 45, 600]));
    prop_oneof![
        4 => status(200),
        4 => seconds().prop_map(Outcome::Limited),
        4 => seconds().prop_map(Outcome::PartLimited),
        3 => status(401),
        1 => status(402),
        3 => status(403),
        1 => status(400),
        1 => status(500),
        1 => status(503),
        3 => Just(Outcome::Broken),
    ]
}

fn refresh_outcome() -> impl Strategy<Value = RefreshOutcome> {
    prop_oneof![4 => Just(RefreshOutcome::Refreshed), 1 => Just(RefreshOutcome::NotNow), 1 => Just(RefreshOutcome::Refused)]
}

fn step() -> impl Strategy<Value = Step> {
    let which = || 0..8_usize;
    prop_oneof![
        12 => (0..4_usize).prop_map(Step::Request),
        3 => (1..90_u64).prop_map(|seconds| Step::Pass(Duration::from_secs(seconds))),
        1 => (100..4_000_u64).prop_map(|seconds| Step::Pass(Duration::from_secs(seconds))),
        1 => kind().prop_map(Step::Add),
        1 => which().prop_map(Step::Remove),
        1 => which().prop_map(Step::Update),
        1 => which().prop_map(Step::Clear),
        1 => which().prop_map(Step::ClearModels),
        1 => which().prop_map(Step::Invalidate),
        1 => which().prop_map(Step::Replace),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let modes = [WhenAllCooling::Answer, WhenAllCooling::Wait, WhenAllCooling::Probe, WhenAllCooling::Error];
    let most = prop_oneof![3 => Just(0_u32), 1 => 1..4_u32];
    (prop::sample::select(modes.to_vec()), 0..3_u32, most).prop_map(|(mode, retries, most)| {
        let mut settings = Settings::default();
        settings.when_all_cooling = mode;
        settings.network_retry_attempts = retries;
        settings.max_attempts = NonZeroU32::new(most);
        settings
    })
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let kinds = prop::collection::vec(kind(), 1..7);
    let outcomes = prop::collection::vec(outcome(), 0..80);
    let refreshes = prop::collection::vec(refresh_outcome(), 0..20);
    let steps = prop::collection::vec(step(), 1..30);
    (kinds, settings(), outcomes, refreshes, steps).prop_map(|(kinds, settings, mut outcomes, refreshes, steps)| {
        // A few server errors and broken connections are within every budget for resends.
        let mut errors = 0;
        outcomes.retain(|outcome| {
            let costs = matches!(outcome, Outcome::Status(500..) | Outcome::Broken);
            errors += usize::from(costs);
            !costs || errors <= 20
        });
        Case { kinds, settings, outcomes, refreshes, steps }
    })
}
