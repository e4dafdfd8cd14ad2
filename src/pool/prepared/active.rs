//! The active credential for the fast path. Each thread keeps a copy, and compares one number to learn whether it has
//! changed.

use std::cell::RefCell;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Arc, Weak, atomic};
use std::time::Instant;

use super::access::{Access, is_ahead};
use crate::sync::atomic::AtomicU64;
use crate::sync::{Mutex, MutexGuard, lock, thread_local};

/// The next stamp. Each change in any pool gets its own, so that a stamp also tells the pool.
static STAMPS: atomic::AtomicU64 = atomic::AtomicU64::new(1);

thread_local! {
    static FOUND: RefCell<Found> = const { RefCell::new(Found { stamp: 0, access: None }) };
}

/// What a thread found at its last reading, with the stamp of that time.
struct Found {
    stamp: u64,
    access: Option<CachedAccess>,
}

/// A thread's copy of the active credential. It is weak, so that an idle thread keeps no secret alive. It includes the
/// refresh time, because reading that in the shared value would write to memory that other threads read.
struct CachedAccess {
    access: Weak<Access>,
    refresh_at: Option<Instant>,
}

/// The published active credential: changed under the pool's lock, read without a lock until it changes again.
#[derive(Debug, Default)]
pub(in crate::pool) struct Active {
    /// The active credential itself. Each thread reads it once after a change.
    access: Mutex<Option<Arc<Access>>>,
    /// Written after `access` and read before it, so that a thread never has an older credential than its stamp says.
    stamp: AtomicU64,
}

impl Active {
    /// Publishes `next` as the active credential.
    pub(in crate::pool) fn set(&self, next: Option<&Arc<Access>>) {
        let mut access = self.access();
        let same = match (&*access, next) {
            (Some(current), Some(next)) => Arc::ptr_eq(current, next),
            (None, None) => true,
            _ => false,
        };
        if !same {
            let _before = std::mem::replace(&mut *access, next.cloned());
            drop(access);
            self.stamp.store(STAMPS.fetch_add(1, Relaxed), Release);
        }
    }

    /// The active credential, if its token needs no refresh first.
    #[inline]
    pub(in crate::pool) fn find_fresh(&self) -> Option<Arc<Access>> {
        let found = self
            .with_found(|found| found.filter(|found| is_ahead(found.refresh_at)).and_then(|it| it.access.upgrade()));
        found.unwrap_or_else(|| self.access().clone().filter(|access| access.is_fresh()))
    }

    /// Passes this thread's copy to `at`, after bringing it up to date. `None` in a thread that is ending.
    #[inline]
    fn with_found<R>(&self, at: impl FnOnce(Option<&CachedAccess>) -> R) -> Option<R> {
        let stamp = self.stamp.load(Acquire);
        let result = FOUND.try_with(|found| {
            let mut found = found.borrow_mut();
            if found.stamp != stamp {
                *found = self.learn(stamp);
            }
            at(found.access.as_ref())
        });
        result.ok()
    }

    #[cold]
    fn learn(&self, stamp: u64) -> Found {
        let access = self.access();
        let cache =
            |access: &Arc<Access>| CachedAccess { access: Arc::downgrade(access), refresh_at: access.refresh_at };
        Found { stamp, access: access.as_ref().map(cache) }
    }

    fn access(&self) -> MutexGuard<'_, Option<Arc<Access>>> {
        lock(&self.access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Credential;
    use crate::credentials::Generation;
    use crate::credentials::Secret;
    use crate::pool::prepared::{Lifetime, Slot};

    fn access(id: &str) -> Arc<Access> {
        let credential = Credential::new(id, Secret::new("key"));
        let slot = Arc::new(Slot::new(&credential, 0));
        Arc::new(Access::prepare(&credential, slot, Generation::FIRST, Lifetime::default()).unwrap())
    }

    fn found(active: &Active) -> Option<String> {
        active.find_fresh().map(|access| access.slot.id.to_string())
    }

    #[test]
    fn a_change_is_seen_by_every_thread_when_it_reads_next() {
        let active = Active::default();
        assert_eq!(found(&active), None);
        for id in ["a", "b", "a"] {
            active.set(Some(&access(id)));
            assert_eq!(found(&active).as_deref(), Some(id));
            let elsewhere = std::thread::scope(|scope| scope.spawn(|| found(&active)).join().unwrap());
            assert_eq!(elsewhere.as_deref(), Some(id));
        }
        active.set(None);
        assert_eq!(found(&active), None);
    }

    #[test]
    fn pools_that_share_a_thread_are_not_mistaken_for_each_other() {
        let (one, other, empty) = (Active::default(), Active::default(), Active::default());
        one.set(Some(&access("one")));
        other.set(Some(&access("other")));
        for _ in 0..3 {
            assert_eq!(found(&one).as_deref(), Some("one"));
            assert_eq!(found(&other).as_deref(), Some("other"));
            assert_eq!(found(&empty), None);
        }
    }

    #[test]
    fn what_a_thread_remembers_keeps_no_secret_alive() {
        let active = Active::default();
        let access = access("a");
        active.set(Some(&access));
        assert!(active.find_fresh().is_some());
        let remembered = Arc::downgrade(&access);
        drop((active, access));
        assert!(remembered.upgrade().is_none());
    }
}
