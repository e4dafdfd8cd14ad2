//! The words for kinds, scopes and reasons: in the texts of a store, in what is serialized, and for programs.
//!
//! They stay the same between releases, because texts with them outlive the program that wrote them.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::{Kind, OutReason, Scope};
use crate::error::Error;

/// Converts an enum to its word and back. The compiler demands a word for every value.
macro_rules! words {
    ($type:ident, $what:literal: $($variant:ident $word:literal)*) => {
        impl $type {
            /// Its word, which stays the same between releases. `parse` reads it back, and it is what is serialized.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        /// Reads the word that `as_str` gives. The error, of kind [`Config`](crate::ErrorKind::Config), names all words.
        impl FromStr for $type {
            type Err = Error;

            fn from_str(word: &str) -> Result<Self, Error> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(Error::config(concat!("the word for ", $what, " is one of:", $(" ", $word,)*))),
                }
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

words! { Kind, "a kind":
    Success "success"
    Throttled "throttled"
    QuotaExhausted "quotaExhausted"
    Billing "billing"
    Unauthorized "unauthorized"
    Forbidden "forbidden"
    Revoked "revoked"
    Banned "banned"
    Overloaded "overloaded"
    ServerError "serverError"
    Rejected "rejected"
    Network "network"
    Canceled "canceled"
}

words! { Scope, "a scope":
    Request "request"
    Model "model"
    Credential "credential"
    Generation "generation"
    Provider "provider"
    Network "network"
}

words! { OutReason, "why a credential is out":
    RefreshRefused "refreshRefused"
    RefreshLost "refreshLost"
    Revoked "revoked"
    Banned "banned"
}

/// Its word. A [`Verdict`](super::Verdict) has a text for people.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Its word.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_read_back_printed_and_serialized() {
        for kind in [Kind::Success, Kind::QuotaExhausted, Kind::ServerError, Kind::Canceled] {
            assert_eq!(kind.to_string().parse::<Kind>().unwrap(), kind);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for scope in [Scope::Request, Scope::Model, Scope::Generation, Scope::Network] {
            assert_eq!(scope.to_string().parse::<Scope>().unwrap(), scope);
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
        for reason in [OutReason::RefreshRefused, OutReason::RefreshLost, OutReason::Revoked, OutReason::Banned] {
            assert_eq!(reason.as_str().parse::<OutReason>().unwrap(), reason);
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
        assert_eq!(format!("[{:>10}]", Kind::Billing), "[   billing]");
    }

    #[test]
    fn an_unknown_word_is_an_error_that_names_the_known_ones_and_not_itself() {
        let error = "c4n4ry".parse::<Scope>().unwrap_err().to_string();
        assert_eq!(error, "the word for a scope is one of: request model credential generation provider network");
        assert!("Success".parse::<Kind>().is_err() && "".parse::<OutReason>().is_err());
    }
}
