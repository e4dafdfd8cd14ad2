//! The pool's tasks in many orders of their steps: a refresh, the writer, the follower, requests, removals and shutdowns.
//!
//! Each scenario runs under a number of schedules, half of them random, half of them with few changes of the running task.
//! Time passes only while every task waits. A schedule that fails is printed, and can be run again:
//!
//! | variable | meaning |
//! |---|---|
//! | `SCHEDULES` | how many schedules of each kind, 1000 by default |
//! | `SHUTTLE_RANDOM_SEED` | where the random choices begin, for other schedules than the usual ones |
//! | `SCHEDULE` | a schedule that was printed, to be run alone |

mod cooldowns;
mod ends;
mod refreshes;
mod server;
mod world;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, MaxSteps, Runner};

use crate::sync::{spawn, time};

/// A schedule of few changes prefers some tasks to others, and changes that order three times: once less than this.
const DEPTH: usize = 4;

/// Runs a scenario under all schedules.
fn explore<F: Future<Output = ()> + 'static>(scenario: fn() -> F) {
    if let Ok(schedule) = std::env::var("SCHEDULE") {
        run(ReplayScheduler::new_from_encoded(schedule.trim()), "the given schedule", scenario);
        return;
    }
    let count = std::env::var("SCHEDULES").ok().and_then(|count| count.parse().ok()).unwrap_or(1000);
    run(Patient(RandomScheduler::new_from_seed(1, count)), "a random schedule", scenario);
    run(Patient(PctScheduler::new_from_seed(1, DEPTH, count)), "a schedule of few changes", scenario);
}

fn run<F: Future<Output = ()> + 'static>(scheduler: impl Scheduler + 'static, which: &str, scenario: fn() -> F) {
    let begun = Arc::new(Begun(AtomicUsize::new(0), which.to_owned()));
    let mut config = Config::new();
    config.stack_size = 512 * 1024;
    config.max_steps = MaxSteps::FailAfter(200_000);
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(move || {
        begun.0.fetch_add(1, Ordering::Relaxed);
        // Nothing but the schedule may differ from one run to the next.
        fastrand::seed(1);
        time::reset();
        // The first task that is started: see `CLOCK`.
        drop(spawn(time::drive()));
        shuttle::future::block_on(scenario());
    });
}

/// Prints how many schedules had run when one fails.
struct Begun(AtomicUsize, String);

impl Drop for Begun {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("number {} failed: {}", self.0.load(Ordering::Relaxed), self.1);
        }
    }
}

/// The number of the task that lets the time pass: it is the first one to be started.
const CLOCK: usize = 1;

/// Lets the time pass only where no other task can go on.
struct Patient<S>(S);

impl<S: Scheduler> Scheduler for Patient<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.0.new_execution()
    }

    fn next_task(&mut self, ready: &[&Task], current: Option<TaskId>, is_yielding: bool) -> Option<TaskId> {
        let others: Vec<_> = ready.iter().copied().filter(|task| usize::from(task.id()) != CLOCK).collect();
        self.0.next_task(if others.is_empty() { ready } else { &others }, current, is_yielding)
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}
