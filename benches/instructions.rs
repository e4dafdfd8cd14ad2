//! Instruction counts: the same on every run, also on a busy machine. A figure over its limit fails the run.
//!
//! ```text
//! cargo install --locked gungraun-runner --version 0.20.0
//! cargo bench --bench instructions
//! ```
//!
//! Only what a benchmark function itself does is counted, not what leads up to it. The limits are absolute; where a bound is a
//! ratio, its other term is a recorded figure, named here.

#![allow(missing_docs, unreachable_pub, reason = "what gungraun's macros make is public")]

#[path = "support/crowd.rs"]
#[allow(dead_code, reason = "shared with the other benches")]
mod crowd;
#[path = "support/floor.rs"]
mod floor;
#[path = "support/notify.rs"]
mod notify;
#[path = "support/paths.rs"]
#[allow(dead_code, reason = "shared with the other benches")]
mod paths;
#[path = "support/world.rs"]
mod world;

use std::hint::black_box;

use arc_swap::ArcSwapOption;
use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use oauth_marathon::Pool;

use self::notify::Unheard;
use self::paths::{Case, Subject};
use self::world::{LARGE, SMALL};

type Boxed = Box<dyn Subject>;

/// Recorded figures; lower them when the code gets better.
const OK: u64 = 8_258;
const OK_IN_EXTENSIONS: u64 = 9_106;
const FAIL_OVER_IN_EXTENSIONS: u64 = 31_401;
const FAIL_OVER: u64 = 29_766;
const FAIL_OVER_OF_2: u64 = 30_571;
const LAST_READY: u64 = 8_719;
const ALL_DUE_OF_16: u64 = 15_100;
const CANCELED: u64 = 1_243;

/// A count over the limit is an error.
fn at_most(limit: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, limit)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

/// A recorded figure with some room: another compiler or C library differs by so much.
fn about(recorded: u64) -> LibraryBenchmarkConfig {
    at_most(recorded * 103 / 100)
}

/// The body's size must not matter.
fn like(recorded: u64) -> LibraryBenchmarkConfig {
    at_most(recorded * 102 / 100)
}

#[library_benchmark]
#[bench::bare(paths::bare(Case::Ok, SMALL).warm())]
#[bench::floor(paths::floor(Case::Ok, SMALL).warm())]
#[bench::tower(paths::tower(Case::Ok, SMALL).warm())]
#[bench::marathon(args = (paths::marathon(Case::Ok, SMALL).warm()), config = about(OK))]
#[bench::marathon_large(args = (paths::marathon(Case::Ok, LARGE).warm()), config = like(OK))]
#[bench::marathon_in_extensions(args = (paths::marathon_in_extensions(Case::Ok, SMALL).warm()), config = about(OK_IN_EXTENSIONS))]
fn ok(mut path: Boxed) -> Boxed {
    path.send();
    path
}

#[library_benchmark]
#[bench::bare(paths::bare(Case::FailOver, SMALL).warm())]
#[bench::floor(paths::floor(Case::FailOver, SMALL).warm())]
#[bench::tower(paths::tower(Case::FailOver, SMALL).warm())]
#[bench::marathon(args = (paths::marathon(Case::FailOver, SMALL).warm()), config = about(FAIL_OVER))]
#[bench::marathon_large(args = (paths::marathon(Case::FailOver, LARGE).warm()), config = like(FAIL_OVER))]
#[bench::marathon_in_extensions(args = (paths::marathon_in_extensions(Case::FailOver, SMALL).warm()), config = about(FAIL_OVER_IN_EXTENSIONS))]
#[bench::of_2(args = (Box::new(crowd::marathon(2, 2)) as Boxed), config = about(FAIL_OVER_OF_2))]
#[bench::of_10_000(args = (Box::new(crowd::marathon(10_000, 2)) as Boxed), config = about(FAIL_OVER_OF_2))]
fn fail_over(mut path: Boxed) -> Boxed {
    path.send();
    path
}

#[library_benchmark]
#[bench::of_10_000(args = (Box::new(crowd::marathon(10_000, 1)) as Boxed), config = about(LAST_READY))]
fn last_ready(mut path: Boxed) -> Boxed {
    path.send();
    path
}

// However many cooldowns end at once, a pick has bounded work: only the timetable is deeper.
#[library_benchmark]
#[bench::of_16(args = (Box::new(crowd::all_due(16)) as Boxed), config = about(ALL_DUE_OF_16))]
#[bench::of_10_000(args = (Box::new(crowd::all_due(10_000)) as Boxed), config = at_most(ALL_DUE_OF_16 * 110 / 100))]
fn all_due(mut path: Boxed) -> Boxed {
    path.send();
    path
}

#[library_benchmark]
#[bench::nobody_to_tell(args = (Unheard::without_notifiers()), config = about(CANCELED))]
#[bench::nobody_listens(args = (Unheard::with_notifiers()), config = at_most(CANCELED + 50))]
fn canceled(mut unheard: Unheard) -> Unheard {
    unheard.cancel();
    unheard
}

fn warm_pool() -> Pool {
    let pool = paths::two_keys();
    drop(pool.try_lease());
    pool
}

// A hundred times each, so that a figure is not the call of the benchmark function itself. Each ends with giving back what
// it has got.
#[library_benchmark]
#[bench::active_100_times(args = (warm_pool()), config = at_most(100 * 75))]
fn find(pool: Pool) -> Pool {
    for _ in 0..100 {
        black_box(black_box(&pool).active());
    }
    pool
}

#[library_benchmark]
#[bench::active_100_times(args = (warm_pool()), config = at_most(100 * 100))]
fn lease(pool: Pool) -> Pool {
    for _ in 0..100 {
        drop(black_box(black_box(&pool).try_lease()));
    }
    pool
}

#[library_benchmark]
#[bench::active_100_times(args = (warm_pool()), config = at_most(100 * 200))]
fn lease_and_token(pool: Pool) -> Pool {
    for _ in 0..100 {
        if let Some(lease) = black_box(&pool).try_lease() {
            let (name, value) = lease.header();
            black_box((name.clone(), value.clone()));
        }
    }
    pool
}

// What arc-swap alone takes to find something: why `find` does not use it each time.
#[library_benchmark]
#[bench::arc_swap_100_times(ArcSwapOption::from_pointee(1))]
fn load(active: ArcSwapOption<u64>) -> ArcSwapOption<u64> {
    for _ in 0..100 {
        black_box(black_box(&active).load().is_some());
    }
    active
}

library_benchmark_group!(name = whole, benchmarks = [ok, fail_over, last_ready, all_due, canceled]);
library_benchmark_group!(name = choice, benchmarks = [find, lease, lease_and_token, load]);
main!(library_benchmark_groups = [whole, choice]);
