//! Time that passes only while every task waits, and then at once to the end of the shortest wait.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

std::thread_local! {
    /// The clock of a test: all its tasks run on one thread.
    static CLOCK: RefCell<Clock> = RefCell::new(Clock::new());
}

struct Clock {
    begin: Instant,
    elapsed: Duration,
    /// The waiting tasks by the end of their wait. The number tells apart those that wait for the same time.
    waiting: BTreeMap<(Instant, u64), Waker>,
    next: u64,
    /// Wakes the task that lets the time pass, once there is something to wait for.
    driver: Option<Waker>,
}

impl Clock {
    fn new() -> Self {
        let begin = tokio::time::Instant::now().into_std();
        Self { begin, elapsed: Duration::ZERO, waiting: BTreeMap::new(), next: 0, driver: None }
    }

    fn now(&self) -> Instant {
        self.begin + self.elapsed
    }
}

pub(crate) fn now() -> Instant {
    CLOCK.with_borrow(Clock::now)
}

/// How much time has passed since the test began.
#[cfg(test)]
pub(crate) fn elapsed() -> Duration {
    CLOCK.with_borrow(|clock| clock.elapsed)
}

/// Resets the clock.
#[cfg(test)]
pub(crate) fn reset() {
    CLOCK.set(Clock::new());
}

/// Lets the time pass. Run it as a task that is picked only if no other one can go on.
#[cfg(test)]
pub(crate) async fn drive() {
    poll_fn(|cx| {
        let due = CLOCK.with_borrow_mut(|clock| {
            let Some(end) = clock.waiting.first_key_value().map(|(key, _)| key.0) else {
                clock.driver = Some(cx.waker().clone());
                return Vec::new();
            };
            clock.elapsed = clock.elapsed.max(end - clock.begin);
            let later = clock.waiting.split_off(&(end, u64::MAX));
            std::mem::replace(&mut clock.waiting, later).into_values().collect()
        });
        if !due.is_empty() {
            cx.waker().wake_by_ref();
        }
        due.into_iter().for_each(Waker::wake);
        Poll::Pending
    })
    .await
}

#[derive(Debug)]
pub(crate) struct Sleep {
    until: Instant,
    number: u64,
}

pub(crate) fn sleep(time: Duration) -> Sleep {
    sleep_until((now() + time).into())
}

pub(crate) fn sleep_until(until: tokio::time::Instant) -> Sleep {
    let number = CLOCK.with_borrow_mut(|clock| {
        clock.next += 1;
        clock.next
    });
    Sleep { until: until.into_std(), number }
}

impl Sleep {
    pub(crate) fn deadline(&self) -> tokio::time::Instant {
        self.until.into()
    }

    pub(crate) fn reset(mut self: Pin<&mut Self>, until: tokio::time::Instant) {
        self.set(sleep_until(until));
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        CLOCK.with_borrow_mut(|clock| {
            if clock.now() >= self.until {
                return Poll::Ready(());
            }
            clock.waiting.insert((self.until, self.number), cx.waker().clone());
            if let Some(driver) = clock.driver.take() {
                driver.wake();
            }
            Poll::Pending
        })
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let _ = CLOCK.try_with(|clock| clock.borrow_mut().waiting.remove(&(self.until, self.number)));
    }
}

/// The error of a timeout whose time was over first.
#[derive(Debug)]
pub(crate) struct Elapsed;

pub(crate) async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    timeout_at((now() + limit).into(), future).await
}

pub(crate) async fn timeout_at<F: Future>(end: tokio::time::Instant, future: F) -> Result<F::Output, Elapsed> {
    let (mut future, mut end) = (pin!(future), pin!(sleep_until(end)));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => end.as_mut().poll(cx).map(|()| Err(Elapsed)),
    })
    .await
}
