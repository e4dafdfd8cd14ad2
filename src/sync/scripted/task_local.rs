//! A task-local value. All tasks share one thread here and may switch within a poll, so other tasks would see tokio's
//! own.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;

use shuttle::thread::LocalKey;

pub(crate) struct TaskLocal<T: 'static>(&'static LocalKey<RefCell<Option<T>>>);

macro_rules! task_local {
    ($(#[$attribute:meta])* $vis:vis static $name:ident: $type:ty;) => {
        $(#[$attribute])*
        $vis static $name: $crate::sync::scripted::TaskLocal<$type> = {
            shuttle::thread_local! {
                static HELD: std::cell::RefCell<Option<$type>> = std::cell::RefCell::new(None);
            }
            $crate::sync::scripted::TaskLocal::new(&HELD)
        };
    };
}
pub(crate) use task_local;

impl<T> TaskLocal<T> {
    pub(crate) const fn new(held: &'static LocalKey<RefCell<Option<T>>>) -> Self {
        Self(held)
    }

    /// Reads the value. `None` if it is not set.
    pub(crate) fn try_with<R>(&self, read: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.try_with(|held| held.borrow().as_ref().map(read)).ok().flatten()
    }

    /// Sets the value for as long as `future` runs.
    pub(crate) async fn scope<F: Future>(&self, value: T, future: F) -> F::Output {
        let (mut value, mut future) = (Some(value), pin!(future));
        poll_fn(|cx| {
            self.swap(&mut value);
            let polled = future.as_mut().poll(cx);
            self.swap(&mut value);
            polled
        })
        .await
    }

    fn swap(&self, value: &mut Option<T>) {
        self.0.with(|held| std::mem::swap(&mut *held.borrow_mut(), value));
    }
}
