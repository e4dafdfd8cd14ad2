//! The connections at the port of a login: their number is limited, and the browser is always let in.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::{AbortHandle, JoinSet};

/// The most connections that are open at once.
const MOST: usize = 256;

/// All connections, each in a task of its own. Dropping it ends them.
#[derive(Default)]
pub(super) struct Visitors {
    tasks: JoinSet<()>,
    /// The oldest first.
    list: VecDeque<Visitor>,
}

struct Visitor {
    task: AbortHandle,
    has_asked: Arc<AtomicBool>,
}

impl Visitors {
    /// Serves one more connection, by a task that sets its flag once the head of a request has come. If there is no room, the
    /// oldest connection without a request is closed: other programs on this machine may connect as often as they like, but a
    /// browser sends its request at once. If all have sent one, the new connection is turned away.
    pub(super) fn admit<F>(&mut self, serve: impl FnOnce(Arc<AtomicBool>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        while self.tasks.try_join_next().is_some() {}
        self.list.retain(|visitor| !visitor.task.is_finished());
        if self.list.len() >= MOST {
            let silent = self.list.iter().position(|visitor| !visitor.has_asked.load(Ordering::SeqCst));
            let Some(silent) = silent.and_then(|at| self.list.remove(at)) else { return };
            silent.task.abort();
        }
        let has_asked = Arc::<AtomicBool>::default();
        let task = self.tasks.spawn(serve(has_asked.clone()));
        self.list.push_back(Visitor { task, has_asked });
    }

    /// Waits until all connections have ended.
    pub(super) async fn gone(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_that_has_asked_for_nothing_makes_room_and_nobody_that_has() {
        let mut visitors = Visitors::default();
        let (ended, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let mut come = |number: usize, asks: bool| {
            let guard = Guard(number, ended.clone());
            visitors.admit(|has_asked| {
                has_asked.store(asks, Ordering::SeqCst);
                async move {
                    let _guard = guard;
                    std::future::pending().await
                }
            });
        };
        (0..MOST).for_each(|number| come(number, number == 0));
        come(1_000, true);
        assert_eq!(seen.recv().await, Some(1));
        for number in 2..MOST {
            come(1_000 + number, true);
            assert_eq!(seen.recv().await, Some(number));
        }
        come(2_000, false);
        assert_eq!(seen.recv().await, Some(2_000), "all others have asked");
        assert!(seen.try_recv().is_err());
    }

    /// Reports, when dropped, that a connection has ended.
    struct Guard(usize, tokio::sync::mpsc::UnboundedSender<usize>);

    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = self.1.send(self.0);
        }
    }
}
