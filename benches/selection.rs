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

const COUNTS: [usize; 4] = [2, 16, 1_000, 100_000];

fn fail_over(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fail over to the other one that is ready, of");
    for count in COUNTS {
        let mut path = crowd::failing_over(count);
        group.bench_function(count.to_string(), |bencher| {
            bencher.iter(|| {
                path.send();
                path.reset();
            });
        });
    }
    group.finish();
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

criterion_group! { name = benches; config = settings(); targets = fail_over, lease }
criterion_main!(benches);
