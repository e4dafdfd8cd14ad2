//! Tests of the hub: order, slow, blocking and panicking notifiers, and lost events.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::*;
use crate::events::samples;

/// A limit so that a test that would hang fails instead.
const PATIENCE: Duration = Duration::from_secs(60);

/// A notifier that passes on what it hears, and what it has passed on.
fn recorder() -> (impl Notifier, Receiver<Event>) {
    let (heard, events) = mpsc::channel();
    (move |event: &Event| heard.send(event.clone()).unwrap(), events)
}

/// A notifier that says when it is called, then blocks until the sender is dropped; with the number of each event.
fn blocked() -> (impl Notifier, Receiver<usize>, mpsc::Sender<()>) {
    let (entered, calls) = mpsc::channel();
    let (release, gate) = mpsc::channel::<()>();
    let notifier = move |event: &Event| {
        let Event::Canceled { attempts, .. } = event else { return };
        entered.send(*attempts).unwrap();
        let _ = gate.recv();
    };
    (notifier, calls, release)
}

fn numbers(events: &Receiver<Event>, count: usize) -> Vec<usize> {
    (0..count)
        .map(|_| match events.recv_timeout(PATIENCE).unwrap() {
            Event::Canceled { attempts, .. } => attempts,
            other => panic!("{other}"),
        })
        .collect()
}

#[test]
fn without_listeners_no_event_is_made() {
    let hub = Notifiers::new();
    hub.emit(|| panic!("made without a listener"));
    assert!(hub.0.ring.get().is_none());

    drop(hub.subscribe());
    hub.emit(|| panic!("made without a listener"));
    assert_eq!(hub.0.sent.load(Ordering::Relaxed), 0);
}

#[test]
fn every_listener_hears_every_event_in_order() {
    let hub = Notifiers::new();
    let ((first, heard_first), (second, heard_second)) = (recorder(), recorder());
    hub.add(first).unwrap();
    hub.add(second).unwrap();
    let mut stream = hub.subscribe();
    assert!(hub.has_listeners());

    (0..100).for_each(|number| hub.clone().emit(|| samples::canceled(number)));
    let expected: Vec<_> = (0..100).collect();
    assert_eq!(numbers(&heard_first, 100), expected);
    assert_eq!(numbers(&heard_second, 100), expected);
    assert_eq!(stream.try_recv(), Some(samples::canceled(0)));
}

#[test]
fn one_that_panics_and_one_that_never_returns_harm_no_other() {
    let hub = Notifiers::new();
    let (stuck, calls, release) = blocked();
    let (good, heard) = recorder();
    let (panicked, panics) = mpsc::channel();
    hub.add(move |event: &Event| {
        panicked.send(event.clone()).unwrap();
        panic!("a test of panics");
    })
    .unwrap();
    hub.add(stuck).unwrap();
    hub.add(good).unwrap();

    (0..10).for_each(|number| hub.emit(|| samples::canceled(number)));
    assert_eq!(numbers(&heard, 10), (0..10).collect::<Vec<_>>());
    assert_eq!(numbers(&panics, 10), (0..10).collect::<Vec<_>>(), "it goes on after a panic");
    assert_eq!(calls.recv_timeout(PATIENCE).unwrap(), 0);
    assert!(calls.try_recv().is_err(), "still in its first call");
    assert_eq!(hub.dropped(), 0);
    drop(release);
}

#[test]
fn a_stuck_notifier_holds_up_no_other_and_loses_the_oldest() {
    let hub = Notifiers::new();
    let (stuck, calls, release) = blocked();
    hub.add(stuck).unwrap();
    hub.emit(|| samples::canceled(0));
    assert_eq!(calls.recv_timeout(PATIENCE).unwrap(), 0);

    (1..=100_000).for_each(|number| hub.emit(|| samples::canceled(number)));
    assert_eq!(hub.dropped(), 100_000 - 1024, "known while it is still stuck");

    drop(release);
    let rest: Vec<_> = (0..1024).map(|_| calls.recv_timeout(PATIENCE).unwrap()).collect();
    assert_eq!(rest, (100_000 - 1023..=100_000).collect::<Vec<_>>());
    assert_eq!(hub.dropped(), 100_000 - 1024, "counted once");
}

#[test]
fn the_thread_ends_after_the_last_handle_and_the_last_event() {
    let hub = Notifiers::new();
    let (notifier, heard) = recorder();
    hub.add(notifier).unwrap();
    let other = hub.clone();
    drop(hub);
    other.emit(|| samples::canceled(1));
    drop(other);
    assert_eq!(numbers(&heard, 1), [1]);
    assert_eq!(heard.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn a_notifier_that_comes_later_hears_only_what_follows() {
    let hub = Notifiers::new();
    let _listener = hub.subscribe();
    (0..2000).for_each(|number| hub.emit(|| samples::canceled(number)));
    let (notifier, heard) = recorder();
    hub.add(notifier).unwrap();
    hub.emit(|| samples::canceled(2000));
    assert_eq!(numbers(&heard, 1), [2000]);
    assert_eq!(hub.dropped(), 0);
}

#[test]
fn events_can_be_reported_from_many_threads_at_once() {
    let hub = Notifiers::new();
    let (notifier, heard) = recorder();
    hub.add(notifier).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let hub = &hub;
            scope.spawn(move || (0..100).for_each(|number| hub.emit(|| samples::canceled(thread * 100 + number))));
        }
    });
    let mut all = numbers(&heard, 400);
    all.sort_unstable();
    assert_eq!(all, (0..400).collect::<Vec<_>>());
}

#[test]
fn debug_counts_the_listeners() {
    let hub = Notifiers::new();
    let _stream = hub.subscribe();
    assert_eq!(format!("{hub:?}"), "Notifiers { listeners: 1, dropped: 0 }");
}

#[test]
fn a_full_ring_takes_less_than_a_mebibyte() {
    assert!(CAPACITY * (size_of::<Event>() + 64) < 1 << 20);
}

#[test]
fn handles_can_be_sent_and_shared() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Notifiers>();
    check::<EventStream>();
}
