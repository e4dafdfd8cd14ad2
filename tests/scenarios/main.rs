//! One list of scenarios, run through each way in which users have the stack, over real sockets.
//!
//! All of them have the same expectations; if one adapter cannot do the same, the scenario says so.

mod able_to_fail;
mod adapters;
mod list;
mod provider;
mod run;
mod scenario;

use std::collections::HashSet;

use tokio::task::JoinSet;

use adapters::Adapter;
use scenario::Table;

async fn all_over(adapter: Adapter) {
    let mut running = JoinSet::new();
    for scenario in list::all() {
        running.spawn(async move { run::run(&scenario, adapter).await });
    }
    let mut differences: Vec<_> = running.join_all().await.into_iter().flatten().collect();
    differences.sort();
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

#[tokio::test]
async fn every_scenario_over_tower_and_hyper() {
    all_over(Adapter::Tower).await;
}

#[tokio::test]
async fn every_scenario_inside_a_handler_of_axum() {
    all_over(Adapter::Axum).await;
}

#[tokio::test]
async fn every_scenario_as_a_middleware_of_reqwest() {
    all_over(Adapter::Reqwest).await;
}

#[test]
fn there_are_forty_scenarios_at_least_with_names_of_their_own_from_all_three_tables() {
    let all = list::all();
    let names: HashSet<_> = all.iter().map(|scenario| scenario.name).collect();
    assert!(all.len() >= 40 && names.len() == all.len(), "{} scenarios, {} names", all.len(), names.len());
    for table in [Table::Opencode, Table::Codex, Table::Design] {
        let count = all.iter().filter(|scenario| scenario.table == table).count();
        assert!(count >= 8, "{count} of {table:?}");
    }
    assert!(all.iter().all(|scenario| !scenario.steps.is_empty()));
}

#[test]
fn differences_between_the_adapters_are_few_and_have_reasons() {
    let differences: Vec<_> = list::all().into_iter().flat_map(|scenario| scenario.differences).collect();
    assert!(differences.len() <= 1, "{}", differences.len());
    assert!(differences.iter().all(|difference| difference.reason.len() > 20));
}
