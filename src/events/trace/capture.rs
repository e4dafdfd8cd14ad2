//! Captures what `tracing` records while a function runs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::field::{Field, Visit};
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

#[derive(Debug, Clone)]
pub(in crate::events) struct Recorded {
    pub(in crate::events) level: Level,
    pub(in crate::events) target: String,
    pub(in crate::events) fields: BTreeMap<&'static str, String>,
}

#[derive(Debug)]
pub(crate) struct Capture {
    pub(in crate::events) events: Vec<Recorded>,
}

impl Recorded {
    pub(in crate::events) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// What `f` records on this thread.
pub(crate) fn capture(f: impl FnOnce()) -> Capture {
    let recorder = Recorder::default();
    under(registry().with(recorder.clone()), f);
    let events = recorder.0.lock().unwrap().clone();
    Capture { events }
}

/// Runs `f` with a subscriber for this thread alone, while tests on other threads have none.
///
/// While only one subscriber exists, `tracing` lets the first thread decide for all threads whether a place in the code
/// is recorded. With idle subscribers beside it, every thread is asked.
pub(in crate::events) fn under(subscriber: impl Subscriber + Send + Sync, f: impl FnOnce()) {
    static IDLE: LazyLock<[Dispatch; 2]> = LazyLock::new(|| [(); 2].map(|()| Dispatch::new(NoSubscriber::new())));
    LazyLock::force(&IDLE);
    tracing::subscriber::with_default(subscriber, f);
}

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Recorded>>>);

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let (level, target) = (*event.metadata().level(), event.metadata().target().to_owned());
        self.0.lock().unwrap().push(Recorded { level, target, fields: fields.0 });
    }
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
