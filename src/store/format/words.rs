//! The words that the text uses for our enums.

use crate::verdict::{Kind, OutReason, Scope};

/// Converts an enum to its word and back. The compiler demands a word for every value.
macro_rules! words {
    ($type:ident, $word_of:ident, $meaning:ident: $($variant:ident $word:literal)*) => {
        pub(super) fn $word_of(meaning: $type) -> &'static str {
            match meaning {
                $($type::$variant => $word,)*
            }
        }

        pub(super) fn $meaning(word: &str) -> Option<$type> {
            match word {
                $($word => Some($type::$variant),)*
                _ => None,
            }
        }
    };
}

words! { Kind, of_kind, kind:
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

words! { Scope, of_scope, scope:
    Request "request"
    Model "model"
    Credential "credential"
    Generation "generation"
    Provider "provider"
    Network "network"
}

words! { OutReason, of_reason, reason:
    RefreshRefused "refreshRefused"
    RefreshLost "refreshLost"
    Revoked "revoked"
    Banned "banned"
}
