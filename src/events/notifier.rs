//! The trait for a user's code that gets events.

use super::event::Event;

/// Gets the events of a pool, on a thread of its own. It may block, and its panic is caught.
///
/// Every closure that takes an `&Event` is a notifier. Write out the type of its parameter.
///
/// ```
/// use oauth_marathon::events::{Event, Notifier, Notifiers};
///
/// #[derive(Default)]
/// struct Failovers(u64);
///
/// impl Notifier for Failovers {
///     fn notify(&mut self, event: &Event) {
///         if let Event::FailedOver { .. } = event {
///             self.0 += 1;
///         }
///     }
/// }
///
/// # fn main() -> std::io::Result<()> {
/// let notifiers = Notifiers::new();
/// notifiers.add(Failovers::default())?;
/// notifiers.add(|event: &Event| eprintln!("{event}"))?;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not hear of events",
    label = "not a `Notifier`",
    note = "a closure is one if its parameter has the type written out: `|event: &Event| …`",
    note = "it runs on a thread of its own: what it holds must be `Send + 'static`"
)]
pub trait Notifier: Send + 'static {
    /// Handles one event. Events come in the order in which they were reported.
    ///
    /// # Panics
    ///
    /// It may panic: the panic is caught, and the same notifier gets the next event, in the state that it is in.
    fn notify(&mut self, event: &Event);
}

impl<F> Notifier for F
where
    F: FnMut(&Event) + Send + 'static,
{
    fn notify(&mut self, event: &Event) {
        self(event);
    }
}
