//! Instruction counts: the same on every run, whatever else the machine does. A figure over its limit fails the run.
//!
//! ```text
//! cargo install --locked gungraun-runner --version 0.20.0
//! cargo bench --bench instructions
//! ```
//!
//! What leads up to a figure is not counted: only what a benchmark function itself does is.

#![allow(missing_docs, unreachable_pub, reason = "what gungraun's macros make is public")]

#[path = "support/crowd.rs"]
mod crowd;
#[path = "support/floor.rs"]
mod floor;
#[path = "support/paths.rs"]
mod paths;
#[path = "support/world.rs"]
mod world;

use std::hint::black_box;

use arc_swap::ArcSwapOption;
use gungraun::{library_benchmark, library_benchmark_group, main};
use oauth_marathon::Pool;

use self::crowd::Crowd;
use self::paths::{Case, Subject};
use self::world::{LARGE, SMALL};

type Boxed = Box<dyn Subject>;

#[library_benchmark]
#[bench::bare(paths::bare(Case::Ok, SMALL).warm())]
#[bench::floor(paths::floor(Case::Ok, SMALL).warm())]
#[bench::tower(paths::tower(Case::Ok, SMALL).warm())]
#[bench::marathon(paths::marathon(Case::Ok, SMALL).warm())]
#[bench::marathon_large(paths::marathon(Case::Ok, LARGE).warm())]
fn ok(mut path: Boxed) -> Boxed {
    path.send();
    path
}

#[library_benchmark]
#[bench::bare(paths::bare(Case::FailOver, SMALL).warm())]
#[bench::floor(paths::floor(Case::FailOver, SMALL).warm())]
#[bench::tower(paths::tower(Case::FailOver, SMALL).warm())]
#[bench::marathon(paths::marathon(Case::FailOver, SMALL).warm())]
#[bench::marathon_large(paths::marathon(Case::FailOver, LARGE).warm())]
#[bench::of_2(Box::new(crowd::marathon(2, 2)) as Boxed)]
#[bench::of_10_000(Box::new(crowd::marathon(10_000, 2)) as Boxed)]
fn fail_over(mut path: Boxed) -> Boxed {
    path.send();
    path
}

#[library_benchmark]
#[bench::of_10_000(Box::new(crowd::marathon(10_000, 1)) as Boxed)]
fn last_ready(mut path: Boxed) -> Boxed {
    path.send();
    path
}

fn warm_pool() -> Pool {
    let pool = paths::two_keys();
    drop(pool.try_lease());
    pool
}

// A hundred times each, so that a figure is not the call of the benchmark function itself.
#[library_benchmark]
#[bench::active_100_times(warm_pool())]
fn find(pool: Pool) -> Pool {
    for _ in 0..100 {
        black_box(black_box(&pool).has_active());
    }
    pool
}

// What arc-swap alone needs for that.
#[library_benchmark]
#[bench::active_100_times(ArcSwapOption::from_pointee(1))]
fn load(active: ArcSwapOption<u64>) -> ArcSwapOption<u64> {
    for _ in 0..100 {
        black_box(black_box(&active).load().is_some());
    }
    active
}

#[library_benchmark]
#[bench::active_100_times(warm_pool())]
fn lease(pool: Pool) -> Pool {
    for _ in 0..100 {
        drop(black_box(black_box(&pool).try_lease()));
    }
    pool
}

#[library_benchmark]
#[bench::active_100_times(warm_pool())]
fn lease_and_token(pool: Pool) -> Pool {
    for _ in 0..100 {
        if let Some(lease) = black_box(&pool).try_lease() {
            let (name, value) = lease.header();
            black_box((name.clone(), value.clone()));
        }
    }
    pool
}

#[library_benchmark]
#[bench::of_2(Crowd::one_ready(2))]
#[bench::of_16(Crowd::one_ready(16))]
#[bench::of_1_000(Crowd::one_ready(1_000))]
#[bench::of_100_000(Crowd::one_ready(100_000))]
#[bench::of_1_000_000(Crowd::one_ready(1_000_000))]
#[bench::all_due(Crowd::all_due(1_000_000))]
fn pick(mut crowd: Box<Crowd>) -> Box<Crowd> {
    black_box(crowd.pick());
    crowd
}

#[library_benchmark]
#[bench::of_2(Crowd::few_ready(2))]
#[bench::of_1_000(Crowd::few_ready(1_000))]
#[bench::of_1_000_000(Crowd::few_ready(1_000_000))]
fn pick_and_cool(mut crowd: Box<Crowd>) -> Box<Crowd> {
    black_box(crowd.pick_and_cool());
    crowd
}

library_benchmark_group!(name = whole, benchmarks = [ok, fail_over, last_ready]);
library_benchmark_group!(name = choice, benchmarks = [load, find, lease, lease_and_token, pick, pick_and_cool]);
main!(library_benchmark_groups = [whole, choice]);
