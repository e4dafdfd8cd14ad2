//! The lines that people read about events.

use std::fmt;
use std::time::Duration;

use super::event::Event;
use super::toast::switching;
use crate::verdict::Verdict;

/// One line, without control characters.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailedOver { provider, from, to, status, kind, .. } => {
                write!(f, "{} (from {from} to {to})", switching(provider, *kind, *status))
            }
            Self::CoolingDown { provider, credential, kind, cooldown, model } => {
                let (cause, length, model) = (Verdict::new(*kind), Rounded(*cooldown), ForModel(model.as_deref()));
                write!(f, "Credential {credential} of {provider:?} cools down for {length}{model}: {cause}.")
            }
            Self::Recovered { provider, credential, model } => {
                write!(f, "Credential {credential} of {provider:?} is ready again{}.", ForModel(model.as_deref()))
            }
            Self::Out { provider, credential, reason } => {
                write!(f, "Credential {credential} of {provider:?} {reason}.")
            }
            Self::Exhausted { provider, retry_after, model } => {
                write!(f, "No OAuth credential of {provider:?} can be used{}", ForModel(model.as_deref()))?;
                match retry_after {
                    Some(wait) => write!(f, "; the first is expected back in {}.", Rounded(*wait)),
                    None => f.write_str("."),
                }
            }
            Self::AttemptsUsedUp { provider, tried, .. } => {
                let plural = if *tried == 1 { "" } else { "s" };
                write!(f, "A request to {provider:?} ended after {tried} credential{plural}, ")?;
                f.write_str("the most that maxAttempts allows; others are ready.")
            }
            Self::Refreshed { provider, credential, .. } => {
                write!(f, "Credential {credential} of {provider:?} has a new token.")
            }
            Self::RefreshFailed { provider, credential, message } => {
                let message = OneLine(message);
                write!(f, "The token of credential {credential} of {provider:?} could not be refreshed: {message}")
            }
            Self::StoreFailed { provider, credential: Some(credential), message } => {
                let message = OneLine(message);
                write!(f, "Changes of credential {credential} of {provider:?} are only in memory: {message}")
            }
            Self::StoreFailed { provider, credential: None, message } => {
                write!(f, "The store of the credentials of {provider:?} failed: {}", OneLine(message))
            }
            Self::TimedOut { provider, credential, timed_out } => {
                write!(f, "A request with credential {credential} of {provider:?} timed out: {timed_out}.")
            }
            Self::Canceled { attempts, credential } => {
                let plural = if *attempts == 1 { "" } else { "s" };
                write!(f, "The caller went away after {attempts} attempt{plural}")?;
                match credential {
                    Some(credential) => write!(f, ", the last with {credential:?}."),
                    None => f.write_str("."),
                }
            }
        }
    }
}

/// A duration in one unit, rounded up: a wait is never announced as shorter than it is.
struct Rounded(Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs().saturating_add(u64::from(self.0.subsec_nanos() > 0));
        let (unit, name) = match seconds {
            0..120 => (1, "s"),
            120..7_200 => (60, "min"),
            7_200..172_800 => (3_600, "h"),
            _ => (86_400, "d"),
        };
        write!(f, "{} {name}", seconds.div_ceil(unit))
    }
}

/// The model that a sentence is about, if any, with its name escaped.
struct ForModel<'a>(Option<&'a str>);

impl fmt::Display for ForModel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some("") => f.write_str(" for requests without a known model"),
            Some(model) => write!(f, " for the model {model:?}"),
        }
    }
}

/// A text from outside, with spaces for its control characters.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.split(char::is_control).enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(part)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Account, samples};
    use crate::verdict::OutReason;

    #[test]
    fn each_event_is_one_sentence_for_people() {
        let lines: Vec<_> = samples::all().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                r#"Rate limited on "openai". Switching OAuth credential... (from "work account" to "home account")"#,
                r#"Credential "work account" of "openai" cools down for 30 s: rate limited."#,
                r#"Credential "work account" of "openai" is ready again."#,
                r#"Credential "work account" of "openai" needs a new login: its refresh token was refused."#,
                r#"No OAuth credential of "openai" can be used; the first is expected back in 90 s."#,
                r#"A request to "openai" ended after 16 credentials, the most that maxAttempts allows; others are ready."#,
                r#"Credential "work account" of "openai" has a new token."#,
                concat!(
                    r#"The token of credential "work account" of "openai" could not be refreshed: "#,
                    "the token endpoint answered 503"
                ),
                r#"Changes of credential "work account" of "openai" are only in memory: the disk is full"#,
                concat!(
                    r#"A request with credential "work account" of "openai" timed out: "#,
                    "no answer began within attemptTimeoutMs (600000 ms)."
                ),
                r#"The caller went away after 2 attempts, the last with "work"."#,
            ]
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        for (event, line) in [
            (samples::exhausted(None), r#"No OAuth credential of "openai" can be used."#),
            (
                Event::StoreFailed { provider: "openai".into(), credential: None, message: "the disk is gone".into() },
                r#"The store of the credentials of "openai" failed: the disk is gone"#,
            ),
            (Event::Canceled { attempts: 0, credential: None }, "The caller went away after 0 attempts."),
            (Event::Canceled { attempts: 1, credential: None }, "The caller went away after 1 attempt."),
        ] {
            assert_eq!(event.to_string(), line);
        }
    }

    #[test]
    fn a_model_is_named_where_it_is_about_one() {
        let (provider, credential) = (|| "openai".into(), || samples::account("work"));
        let of = |model: &str| Some(model.into());
        let recovered = |model| Event::Recovered { provider: provider(), credential: credential(), model: of(model) };
        for (event, line) in [
            (
                Event::CoolingDown {
                    provider: provider(),
                    credential: credential(),
                    kind: crate::verdict::Kind::QuotaExhausted,
                    cooldown: Duration::from_secs(30),
                    model: of("gpt-5"),
                },
                r#"Credential "work account" of "openai" cools down for 30 s for the model "gpt-5": quota used up."#,
            ),
            (recovered("a\nb"), r#"Credential "work account" of "openai" is ready again for the model "a\nb"."#),
            (
                recovered(""),
                r#"Credential "work account" of "openai" is ready again for requests without a known model."#,
            ),
            (
                Event::Exhausted { provider: provider(), retry_after: None, model: of("gpt-5") },
                r#"No OAuth credential of "openai" can be used for the model "gpt-5"."#,
            ),
        ] {
            assert_eq!(event.to_string(), line);
        }
    }

    #[test]
    fn each_reason_says_what_to_do() {
        for (reason, words) in [
            (OutReason::RefreshRefused, "needs a new login: its refresh token"),
            (OutReason::RefreshLost, "needs a new login: a refresh was cut short"),
            (OutReason::Revoked, "needs a new login: the provider"),
            (OutReason::Banned, "needs attention: the provider has banned it"),
        ] {
            let line = samples::out(reason).to_string();
            assert!(line.contains(words), "{line}");
        }
    }

    #[test]
    fn durations_are_rounded_up_to_one_unit() {
        for (millis, text) in [
            (0, "0 s"),
            (1, "1 s"),
            (30_000, "30 s"),
            (119_000, "119 s"),
            (119_001, "2 min"),
            (121_000, "3 min"),
            (7_200_000, "2 h"),
            (691_200_000, "8 d"),
        ] {
            assert_eq!(Rounded(Duration::from_millis(millis)).to_string(), text, "{millis} ms");
        }
        assert!(Rounded(Duration::MAX).to_string().ends_with(" d"));
    }

    #[test]
    fn text_of_foreign_origin_cannot_break_the_line() {
        let provider = "open\nai".into();
        let credential = Account { id: "work".into(), label: "wo\u{1b}[31mrk\r".into() };
        let message = "one\r\ntwo \"three\"".into();
        let line = Event::RefreshFailed { provider, credential, message }.to_string();
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(line.ends_with("one  two \"three\""), "{line:?}");
    }
}
