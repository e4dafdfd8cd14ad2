//! How long it takes to find a credential, however many are cooling.

#![allow(missing_docs, unreachable_pub, reason = "what criterion's macros make is public")]

#[path = "support/crowd.rs"]
#[allow(dead_code, reason = "shared with the other benches")]
mod crowd;
#[path = "support/floor.rs"]
mod floor;
#[path = "support/paths.rs"]
#[allow(dead_code, reason = "shared with the other benches")]
mod paths;
#[path = "support/world.rs"]
#[allow(dead_code, reason = "shared with the other benches")]
mod world;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

use self::crowd::Crowd;

const COUNTS: [u32; 5] = [2, 16, 1_000, 100_000, 1_000_000];

fn pick(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pick the one that is ready of");
    for count in COUNTS {
        let mut crowd = Crowd::one_ready(count);
        group.bench_function(count.to_string(), |bencher| bencher.iter(|| crowd.pick()));
    }
    group.finish();
}

fn pick_and_cool(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pick, cool and let the next one join, of");
    for count in COUNTS {
        let mut crowd = Crowd::one_ready(count);
        group.bench_function(count.to_string(), |bencher| bencher.iter(|| crowd.pick_cool_and_join()));
    }
    group.finish();
}

fn all_due(criterion: &mut Criterion) {
    let count = 1_000_000;
    criterion.bench_function("the first picks after a million cooldowns end at once", |bencher| {
        // Each takes eight out of the million, so one crowd is enough for many.
        let mut crowd = Crowd::all_due(count);
        bencher.iter(|| {
            if crowd.rotation.due().is_none_or(|due| due > crowd.now) {
                crowd = Crowd::all_due(count);
            }
            crowd.pick()
        });
    });
}

fn lease(criterion: &mut Criterion) {
    let pool = paths::two_keys();
    criterion.bench_function("Pool::try_lease", |bencher| bencher.iter(|| drop(black_box(&pool).try_lease())));
    let pool = crowd::limited(10_000, 1);
    criterion.bench_function("Pool::try_lease, 9,999 of 10,000 cooling", |bencher| {
        bencher.iter(|| drop(black_box(&pool).try_lease()));
    });
}

fn settings() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(10)
        .without_plots()
}

criterion_group! { name = benches; config = settings(); targets = pick, pick_and_cool, all_due, lease }
criterion_main!(benches);
