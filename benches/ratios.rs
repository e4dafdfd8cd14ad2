//! Ratios of times within one run: what failing over costs beside a floor written by hand, and what a second thread costs the
//! first one. Each figure is the best of many short rounds, which take turns, so that a busy machine troubles all alike.
//!
//! ```text
//! cargo bench --bench ratios
//! ```

#![allow(missing_docs, reason = "nothing here is public")]

#[path = "support/floor.rs"]
#[allow(dead_code, reason = "shared with the other benches")]
mod floor;
#[path = "support/paths.rs"]
#[allow(dead_code, reason = "shared with the other benches")]
mod paths;
#[path = "support/world.rs"]
#[allow(dead_code, reason = "shared with the other benches")]
mod world;

use std::hint::black_box;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;

use oauth_marathon::Pool;
use tokio::time::Instant;

use self::paths::{Case, Subject};
use self::world::SMALL;

const ROUNDS: usize = 400;
const SENDS: usize = 50;
const PICKS: u32 = 10_000;
const CHUNK: u64 = 100;

fn main() {
    for case in [Case::Ok, Case::FailOver] {
        paths_beside_the_floor(case);
    }
    threads("pool.active()", 6.0, |pool| {
        black_box(pool.active());
    });
    threads("try_lease and the token's header", 6.0, |pool| {
        if let Some(lease) = pool.try_lease() {
            let (name, value) = lease.header();
            black_box((name.clone(), value.clone()));
        }
    });
}

/// The real clock runs: a timer that is armed shows.
fn paths_beside_the_floor(case: Case) {
    let mut subjects = [
        ("bare", paths::bare(case, SMALL).warm()),
        ("floor", paths::floor(case, SMALL).warm()),
        ("tower", paths::tower(case, SMALL).warm()),
        ("marathon", paths::marathon(case, SMALL).warm()),
    ];
    let (mut best, clock) = ([f64::INFINITY; 4], clock());
    for _ in 0..ROUNDS {
        for ((_, subject), best) in subjects.iter_mut().zip(&mut best) {
            *best = best.min(round(&mut **subject) - clock);
        }
    }
    println!("{case:?}: ns a request, of the floor{}", if case == Case::FailOver { " (at most 1.5)" } else { "" });
    for ((name, _), ns) in subjects.iter().zip(best) {
        println!("  {name:<10}{ns:>8.0}{:>8.2}", ns / best[1]);
    }
}

/// Putting the first credential in front again is not part of it.
fn round(subject: &mut dyn Subject) -> f64 {
    let mut total = 0;
    for _ in 0..SENDS {
        subject.reset();
        let begin = Instant::now();
        subject.send();
        total += begin.elapsed().as_nanos();
    }
    total as f64 / SENDS as f64
}

/// What reading the clock takes of each figure.
fn clock() -> f64 {
    let read = |_| {
        let begin = Instant::now();
        begin.elapsed().as_nanos() as f64
    };
    (0..ROUNDS).map(read).fold(f64::INFINITY, f64::min)
}

fn threads(name: &str, bound: f64, pick: impl Fn(&Pool) + Sync) {
    let pool = paths::two_keys();
    drop(pool.try_lease());
    let alone = (0..ROUNDS).map(|_| picks(&pool, &pick)).fold(f64::INFINITY, f64::min);
    let (together, rounds) = beside_another(&pool, &pick);
    let ratio = together / alone;
    println!(
        "{name}: {alone:.1} ns, with a second thread {together:.1} ns: {ratio:.2} (at most {bound}; {rounds} rounds)"
    );
}

/// What a pick takes, in ns.
fn picks(pool: &Pool, pick: &impl Fn(&Pool)) -> f64 {
    let begin = Instant::now();
    for _ in 0..PICKS {
        pick(black_box(pool));
    }
    begin.elapsed().as_nanos() as f64 / f64::from(PICKS)
}

/// The same while another thread picks as well, and in how many rounds it did: one that had to wait for a core proves nothing.
fn beside_another(pool: &Pool, pick: &(impl Fn(&Pool) + Sync)) -> (f64, usize) {
    let (stop, others) = (AtomicBool::new(false), Apart(AtomicU64::new(0)));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                for _ in 0..CHUNK {
                    pick(black_box(pool));
                }
                others.0.fetch_add(CHUNK, Relaxed);
            }
        });
        let (mut best, mut rounds) = (f64::INFINITY, 0);
        for _ in 0..10 * ROUNDS {
            let before = others.0.load(Relaxed);
            let time = picks(pool, pick);
            if others.0.load(Relaxed) - before >= u64::from(PICKS) * 3 / 4 {
                (best, rounds) = (best.min(time), rounds + 1);
            }
        }
        stop.store(true, Relaxed);
        (best, rounds)
    })
}

/// Shares its cache line with nothing.
#[repr(align(128))]
struct Apart(AtomicU64);
