//! Instruction counts of the middleware for reqwest-middleware, beside those of a floor written by hand and of reqwest-retry
//! over the same chain. See `instructions` for what is counted, and how to run it.

#![allow(missing_docs, unreachable_pub, reason = "what gungraun's macros make is public")]

#[path = "support/chain.rs"]
mod chain;
#[path = "support/floor.rs"]
#[allow(dead_code, reason = "shared with the other benches")]
mod floor;
#[path = "support/paths.rs"]
#[allow(dead_code, reason = "shared with the other benches")]
mod paths;
#[path = "support/world.rs"]
#[allow(dead_code, reason = "shared with the other benches")]
mod world;

use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};

use self::paths::{Case, Subject};

type Boxed = Box<dyn Subject>;

/// Recorded figures; lower them when the code gets better.
const OK: u64 = 20_351;
const OK_TO_HEAD: u64 = 19_068;
const OK_LEAN: u64 = 18_348;
const FAIL_OVER: u64 = 49_563;
const FAIL_OVER_TO_HEAD: u64 = 48_039;
const FAIL_OVER_LEAN: u64 = 46_840;

/// A recorded figure with some room: another compiler or C library differs by so much.
fn about(recorded: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, recorded * 103 / 100)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

#[library_benchmark]
#[bench::bare(chain::bare(Case::Ok))]
#[bench::floor(chain::floor(Case::Ok))]
#[bench::retry(chain::retry(Case::Ok))]
#[bench::marathon(args = (chain::marathon(Case::Ok)), config = about(OK))]
#[bench::marathon_to_head(args = (chain::marathon_to_head(Case::Ok)), config = about(OK_TO_HEAD))]
#[bench::marathon_lean(args = (chain::marathon_lean(Case::Ok)), config = about(OK_LEAN))]
fn ok(mut path: Boxed) -> Boxed {
    path.send();
    path
}

#[library_benchmark]
#[bench::bare(chain::bare(Case::FailOver))]
#[bench::floor(chain::floor(Case::FailOver))]
#[bench::retry(chain::retry(Case::FailOver))]
#[bench::marathon(args = (chain::marathon(Case::FailOver)), config = about(FAIL_OVER))]
#[bench::marathon_to_head(args = (chain::marathon_to_head(Case::FailOver)), config = about(FAIL_OVER_TO_HEAD))]
#[bench::marathon_lean(args = (chain::marathon_lean(Case::FailOver)), config = about(FAIL_OVER_LEAN))]
fn fail_over(mut path: Boxed) -> Boxed {
    path.send();
    path
}

library_benchmark_group!(name = whole, benchmarks = [ok, fail_over]);
main!(library_benchmark_groups = [whole]);
