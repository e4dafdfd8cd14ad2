//! Tests of the `tracing` events: levels and fields, no labels, and subscribers that panic.

use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

use super::capture::{capture, under};
use crate::events::{Event, Notifiers, samples};
use crate::verdict::Kind;

#[test]
fn each_event_is_recorded_with_its_level_and_fields() {
    let captured = capture(|| samples::all().into_iter().for_each(|event| Notifiers::new().emit(|| event))).events;
    let expected: &[(Level, &[(&str, &str)])] = &[
        (
            Level::INFO,
            &[
                ("oauth_marathon.event", "failed_over"),
                ("oauth_marathon.pool", "openai"),
                ("oauth_marathon.credential.id", "work"),
                ("oauth_marathon.credential.next", "home"),
                ("oauth_marathon.cause", "Throttled"),
                ("http.response.status_code", "429"),
            ],
        ),
        (
            Level::DEBUG,
            &[
                ("oauth_marathon.event", "cooling_down"),
                ("oauth_marathon.pool", "openai"),
                ("oauth_marathon.credential.id", "work"),
                ("oauth_marathon.credential.cooldown", "30.0"),
                ("oauth_marathon.cause", "Throttled"),
            ],
        ),
        (
            Level::DEBUG,
            &[
                ("oauth_marathon.event", "recovered"),
                ("oauth_marathon.pool", "openai"),
                ("oauth_marathon.credential.id", "work"),
            ],
        ),
        (
            Level::WARN,
            &[
                ("oauth_marathon.event", "out"),
                ("oauth_marathon.pool", "openai"),
                ("oauth_marathon.credential.id", "work"),
                ("oauth_marathon.cause", "RefreshRefused"),
            ],
        ),
        (
            Level::ERROR,
            &[
                ("oauth_marathon.event", "exhausted"),
                ("oauth_marathon.pool", "openai"),
                ("oauth_marathon.retry_after", "90.0"),
            ],
        ),
        (
            Level::WARN,
            &[
                ("oauth_marathon.event", "attempts_used_up"),
                ("oauth_marathon.pool", "openai"),
                ("oauth_marathon.tried", "16"),
                ("http.response.status_code", "429"),
            ],
        ),
        (
            Level::DEBUG,
            &[
                ("oauth_marathon.event", "refreshed"),
                ("oauth_marathon.pool", "openai"),
                ("oauth_marathon.credential.id", "work"),
                ("oauth_marathon.credential.generation", "2"),
            ],
        ),
        (
            Level::DEBUG,
            &[
                ("oauth_marathon.event", "refresh_failed"),
                ("oauth_marathon.pool", "openai"),
                ("oauth_marathon.credential.id", "work"),
                ("error.message", "the token endpoint answered 503"),
            ],
        ),
        (
            Level::WARN,
            &[
                ("oauth_marathon.event", "store_failed"),
                ("oauth_marathon.pool", "openai"),
                ("oauth_marathon.credential.id", "work"),
                ("error.message", "the disk is full"),
            ],
        ),
        (
            Level::WARN,
            &[
                ("oauth_marathon.event", "timed_out"),
                ("oauth_marathon.pool", "openai"),
                ("oauth_marathon.credential.id", "work"),
                ("oauth_marathon.limit", "attemptTimeoutMs"),
                ("oauth_marathon.limit.after", "600.0"),
            ],
        ),
        (
            Level::DEBUG,
            &[
                ("oauth_marathon.event", "canceled"),
                ("oauth_marathon.attempts", "2"),
                ("oauth_marathon.credential.id", "work"),
            ],
        ),
    ];
    assert_eq!(captured.len(), expected.len());
    for (recorded, (level, fields)) in captured.iter().zip(expected) {
        assert_eq!((recorded.level, recorded.target.as_str()), (*level, "oauth_marathon"), "{recorded:?}");
        for (name, value) in *fields {
            assert_eq!(recorded.field(name), *value, "{recorded:?}");
        }
        assert_eq!(recorded.fields.len(), fields.len() + 1, "nothing but these and the message: {recorded:?}");
    }
}

#[test]
fn what_is_not_known_is_not_recorded() {
    let captured = capture(|| {
        Notifiers::new().emit(|| samples::failed_over(Kind::Network, None));
        Notifiers::new().emit(|| samples::exhausted(None));
        Notifiers::new().emit(|| Event::Canceled { attempts: 0, credential: None });
    });
    let names = ["http.response.status_code", "oauth_marathon.retry_after", "oauth_marathon.credential.id"];
    for (recorded, name) in captured.events.iter().zip(names) {
        assert!(!recorded.fields.contains_key(name), "{recorded:?}");
    }
    assert_eq!(captured.events.len(), 3);
}

#[test]
fn labels_stay_out_of_the_log() {
    let captured = capture(|| samples::all().into_iter().for_each(|event| Notifiers::new().emit(|| event)));
    assert!(!format!("{captured:?}").contains(" account"), "{captured:?}");
}

#[test]
fn a_subscriber_without_any_level_causes_no_work() {
    let subscriber = registry().with(LevelFilter::OFF);
    under(subscriber, || Notifiers::new().emit(|| panic!("made without a listener")));
}

#[test]
fn a_subscriber_that_panics_costs_its_own_record_only() {
    struct Faulty;
    impl<S: Subscriber> Layer<S> for Faulty {
        fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
            panic!("a test of panics");
        }
    }
    let hub = Notifiers::new();
    let mut events = hub.subscribe();
    under(registry().with(Faulty), || hub.emit(samples::recovered));
    assert_eq!(events.try_recv(), Some(samples::recovered()));
}
