//! Stand-ins for tokio's runtime and `arc_swap`, for tests that choose the order of steps.

mod swap;
mod task_local;
pub(crate) mod time;

use std::future::Future;
use std::io;

pub(crate) use shuttle::future::{JoinHandle, spawn};

pub(crate) use self::swap::{ArcSwap, Guard};
pub(crate) use self::task_local::{TaskLocal, task_local};

/// A stand-in for tokio's runtime handle, with the methods that the library uses. There always is one.
#[derive(Debug, Clone)]
pub(crate) struct Handle;

impl Handle {
    pub(crate) fn try_current() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        spawn(future)
    }
}
