//! The guard that notices a caller that goes away.

use crate::context::RequestContext;
use crate::events::event::Event;
use crate::events::hub::Notifiers;

/// Reports [`Event::Canceled`] when it is dropped, unless the call has completed.
#[derive(Debug)]
pub(crate) struct CancelGuard(Option<(RequestContext, Notifiers)>);

impl CancelGuard {
    pub(crate) fn armed(context: &RequestContext, notifiers: &Option<Notifiers>) -> Self {
        Self(notifiers.as_ref().map(|notifiers| (context.clone(), notifiers.clone())))
    }

    pub(crate) fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        let Some((context, notifiers)) = &self.0 else { return };
        notifiers.emit(|| {
            let call = context.call();
            let credential = call.last().and_then(|attempt| attempt.credential.clone());
            Event::Canceled { attempts: call.len(), credential }
        });
    }
}

#[cfg(test)]
mod tests;
