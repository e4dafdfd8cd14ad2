//! What a layer costs per request, in time: this crate's beside the bare inner service, a floor written by hand, and the same
//! made of tower's and tower-http's layers. Compare within one run; the counts of `instructions` are the same in every run.

#![allow(missing_docs, unreachable_pub, reason = "what criterion's macros make is public")]

#[path = "support/floor.rs"]
mod floor;
#[path = "support/paths.rs"]
mod paths;
#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};

use self::paths::{Case, Subject};
use self::world::{LARGE, SMALL};

type Make = fn(Case, usize) -> Box<dyn Subject>;

const SUBJECTS: [(&str, Make); 5] = [
    ("bare", |case, body| paths::bare(case, body).warm()),
    ("floor", |case, body| paths::floor(case, body).warm()),
    ("tower", |case, body| paths::tower(case, body).warm()),
    ("marathon", |case, body| paths::marathon(case, body).warm()),
    ("marathon, context in the extensions", |case, body| paths::marathon_in_extensions(case, body).warm()),
];

fn overhead(criterion: &mut Criterion) {
    for (case, group) in [(Case::Ok, "200"), (Case::FailOver, "429 then 200")] {
        let mut group = criterion.benchmark_group(group);
        for (body, size) in [(SMALL, "2 KiB"), (LARGE, "8 MiB")] {
            for (name, make) in SUBJECTS {
                let mut subject = make(case, body);
                group.bench_function(BenchmarkId::new(name, size), |bencher| match case {
                    Case::Ok => bencher.iter(|| subject.send()),
                    Case::FailOver => {
                        let subject = std::cell::RefCell::new(&mut subject);
                        let reset = || subject.borrow().reset();
                        bencher.iter_batched(reset, |()| subject.borrow_mut().send(), BatchSize::PerIteration);
                    }
                });
            }
        }
        group.finish();
    }
}

fn settings() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(50)
        .without_plots()
}

criterion_group! { name = benches; config = settings(); targets = overhead }
criterion_main!(benches);
