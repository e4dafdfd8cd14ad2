//! The part of a credential that stays while its token changes.

use std::sync::Arc;

use crate::credentials::{Credential, CredentialId};
use crate::providers::quota::Latest;
use crate::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64};
use crate::sync::{Mutex, lock};

/// The part of a credential that stays while its token changes, with the counters that every request changes.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) id: CredentialId,
    label: Mutex<Arc<str>>,
    /// Its place in the pool.
    pub(crate) place: u32,
    pub(crate) in_flight: AtomicU32,
    pub(crate) successes: AtomicU64,
    pub(crate) last_status: AtomicU16,
    /// Whether a success has to take the pool's lock, because it has a cooldown to end or something to note.
    pub(crate) troubled: AtomicBool,
    /// What the latest answers said about limits.
    pub(crate) quota: Latest,
}

impl Slot {
    pub(crate) fn new(credential: &Credential, place: u32) -> Self {
        Self {
            id: credential.id.clone(),
            label: Mutex::new(label_of(credential)),
            place,
            in_flight: AtomicU32::new(0),
            successes: AtomicU64::new(0),
            last_status: AtomicU16::new(0),
            troubled: AtomicBool::new(false),
            quota: Latest::default(),
        }
    }
}

impl Slot {
    /// What people call the credential.
    pub(crate) fn label(&self) -> Arc<str> {
        lock(&self.label).clone()
    }

    pub(crate) fn set_label(&self, credential: &Credential) {
        *lock(&self.label) = label_of(credential);
    }
}

fn label_of(credential: &Credential) -> Arc<str> {
    credential.label.clone().unwrap_or_else(|| credential.id.as_str().into())
}
