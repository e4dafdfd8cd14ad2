//! What a refresh does with what the store says: pure rules over plain data.

use std::time::SystemTime;

use crate::account::Credential;
use crate::header::is_sendable;
use crate::notify::LoginReason;
use crate::store::{HealthChange, Intent, Record};
use crate::token::Generation;
use crate::verdict::{Kind, Scope};

/// What is known of a credential when its refresh begins.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) credential: Credential,
    pub(crate) generation: Generation,
    /// Whether the store has held a record of it.
    pub(crate) is_stored: bool,
    /// Whether all of a credential is taken from the store, and not only its secret.
    pub(crate) follows: bool,
    /// Whether a person asks for it: a refresh token that is known to be refused is then tried again.
    pub(crate) insists: bool,
    /// The refresh that this process has begun before, which is over: it need not be waited for.
    pub(crate) begun: Option<Intent>,
}

/// What the refresh does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// Others have replaced the token: it uses what they have stored.
    Adopt(Record),
    /// It exchanges the refresh token of this record, which has no intent yet.
    Exchange {
        base: Record,
        /// An earlier refresh of the same token has begun, and nobody knows how it ended.
        interrupted: bool,
    },
    /// Others have found that the refresh token is of no more use.
    Out(LoginReason),
    /// Others have removed the credential.
    Removed,
}

/// Decides, for somebody who holds the lease. `found` is what the store holds.
pub(super) fn plan(held: &Held, found: Option<&Record>, now: SystemTime) -> Plan {
    let Some(found) = found else {
        return match held.is_stored {
            true => Plan::Removed,
            false => exchange(Record::new(held.credential.clone(), held.generation)),
        };
    };
    let is_later = found.generation > held.generation;
    let is_same = found.generation == held.generation && found.credential.material == held.credential.material;
    if !is_later && !is_same {
        // The pool's own is the newer one: a person has put it in, or the store could not take it.
        let generation = held.generation.max(found.generation);
        let mut record = Record { credential: held.credential.clone(), generation, ..found.clone() };
        new_start().apply(&mut record.health);
        return exchange(record);
    }
    if is_later && (is_usable(found, now) || found.credential.material.refresh_token().is_none()) {
        return Plan::Adopt(held.with_secret_of(found));
    }
    match found.health.out {
        Some(reason @ (LoginReason::RefreshRefused | LoginReason::RefreshLost)) if !held.insists => Plan::Out(reason),
        _ => {
            let of_this_token = |intent: &Intent| intent.generation >= found.generation;
            let interrupted = found.intent.as_ref().is_some_and(of_this_token);
            Plan::Exchange { base: Record { intent: None, ..held.with_secret_of(found) }, interrupted }
        }
    }
}

/// What a refusal for good means, where the store holds nothing newer.
pub(super) fn refused(interrupted: bool) -> LoginReason {
    if interrupted { LoginReason::RefreshLost } else { LoginReason::RefreshRefused }
}

/// What a new secret means for what was held against the old one, as in `State::renew`.
pub(crate) fn new_start() -> HealthChange {
    let old = [Kind::Unauthorized, Kind::Forbidden];
    let scopes = [Scope::Credential, Scope::Generation];
    let causes = old.into_iter().flat_map(|kind| scopes.map(|scope| (kind, scope)));
    causes.fold(HealthChange::new().out(None), |change, (kind, scope)| change.lifted(kind, scope, None))
}

fn exchange(base: Record) -> Plan {
    Plan::Exchange { base: Record { intent: None, ..base }, interrupted: false }
}

/// Whether requests can be sent with it at once.
fn is_usable(record: &Record, now: SystemTime) -> bool {
    let material = &record.credential.material;
    let is_expired = material.tokens().and_then(|tokens| tokens.expiry()).is_some_and(|expiry| expiry <= now);
    is_sendable(material.token()) && !is_expired
}

impl Held {
    /// A stored record as this pool takes it over.
    pub(super) fn with_secret_of(&self, found: &Record) -> Record {
        if self.follows {
            return found.clone();
        }
        let credential = Credential { material: found.credential.material.clone(), ..self.credential.clone() };
        Record { credential, ..found.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::secret::Secret;
    use crate::store::Health;
    use crate::token::TokenSet;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    const NOW: u64 = 1_000;

    /// The tokens of generation n are `an` and `rn`, and are valid now.
    fn record(generation: u64) -> Record {
        let tokens = TokenSet::new(format!("a{generation}")).with_refresh(format!("r{generation}"));
        Record::new(Credential::new("work", tokens.expires_at(at(NOW + 60))), Generation::new(generation))
    }

    fn expired(generation: u64) -> Record {
        let tokens = TokenSet::new(format!("a{generation}")).with_refresh(format!("r{generation}"));
        Record::new(Credential::new("work", tokens.expires_at(at(NOW))), Generation::new(generation))
    }

    fn begun(record: Record, generation: u64) -> Record {
        Record { intent: Some(Intent::new(Generation::new(generation), at(900))), ..record }
    }

    fn out(record: Record, reason: LoginReason) -> Record {
        Record { health: Health { out: Some(reason), ..Health::default() }, ..record }
    }

    fn held(is_stored: bool) -> Held {
        let Record { credential, generation, .. } = record(5);
        Held { credential, generation, is_stored, follows: true, insists: false, begun: None }
    }

    fn exchanges(base: Record, interrupted: bool) -> Plan {
        Plan::Exchange { base, interrupted }
    }

    #[test]
    fn the_table() {
        let mut unsendable = record(6);
        unsendable.credential.material = TokenSet::new("a\n").with_refresh("r6").into();
        let mut key = record(6);
        key.credential.material = Secret::new("key").into();
        let mut unsendable_key = record(6);
        unsendable_key.credential.material = Secret::new("a\n").into();
        let mut of_a_person = record(5);
        of_a_person.credential.material = TokenSet::new("other").with_refresh("other").into();
        let (lost, refused) = (LoginReason::RefreshLost, LoginReason::RefreshRefused);
        let cases = [
            ("nothing there yet", false, None, exchanges(record(5), false)),
            ("removed by others", true, None, Plan::Removed),
            ("as we know it", true, Some(record(5)), exchanges(record(5), false)),
            ("its process died meanwhile", true, Some(begun(record(5), 5)), exchanges(record(5), true)),
            ("an intent that was left behind", true, Some(begun(record(5), 4)), exchanges(record(5), false)),
            ("later", true, Some(record(6)), Plan::Adopt(record(6))),
            ("later, and being replaced again", true, Some(begun(record(6), 6)), Plan::Adopt(begun(record(6), 6))),
            ("later, and out", true, Some(out(record(6), refused)), Plan::Adopt(out(record(6), refused))),
            ("later, but expired", true, Some(expired(6)), exchanges(expired(6), false)),
            ("later, expired, its process died", true, Some(begun(expired(6), 6)), exchanges(expired(6), true)),
            ("later, expired, refused", true, Some(out(expired(6), refused)), Plan::Out(refused)),
            ("later, but not to be sent", true, Some(unsendable.clone()), exchanges(unsendable, false)),
            ("a key", true, Some(key.clone()), Plan::Adopt(key)),
            ("a key that cannot be sent", true, Some(unsendable_key.clone()), Plan::Adopt(unsendable_key)),
            ("known to be refused", true, Some(out(record(5), refused)), Plan::Out(refused)),
            ("known to be lost", true, Some(out(begun(record(5), 5), lost)), Plan::Out(lost)),
            (
                "out for another reason",
                true,
                Some(out(record(5), LoginReason::Banned)),
                exchanges(out(record(5), LoginReason::Banned), false),
            ),
            ("ours could not be stored", true, Some(record(4)), exchanges(record(5), false)),
            ("nor could ours, with its intent there", true, Some(begun(record(4), 4)), exchanges(record(5), false)),
            ("a person has put ours in", true, Some(begun(of_a_person.clone(), 5)), exchanges(record(5), false)),
            ("theirs was refused, ours is new", true, Some(out(of_a_person, refused)), exchanges(record(5), false)),
        ];
        for (case, is_stored, found, expected) in cases {
            assert_eq!(plan(&held(is_stored), found.as_ref(), at(NOW)), expected, "{case}");
        }
    }

    #[test]
    fn what_the_code_says_of_a_credential_stays_where_the_pool_does_not_follow_the_store() {
        let mut held = held(true);
        held.follows = false;
        held.credential = held.credential.header("x-ours");
        let Plan::Adopt(adopted) = plan(&held, Some(&record(6)), at(NOW)) else { panic!() };
        assert_eq!(adopted.credential.header.as_deref(), Some("x-ours"));
        assert_eq!(adopted.credential.material, record(6).credential.material);
    }

    #[test]
    fn a_person_may_have_a_refused_token_tried_again() {
        let held = Held { insists: true, ..held(true) };
        let refused = out(record(5), LoginReason::RefreshRefused);
        assert_eq!(plan(&held, Some(&refused), at(NOW)), exchanges(refused, false));
        let lost = out(begun(record(5), 5), LoginReason::RefreshLost);
        assert_eq!(plan(&held, Some(&lost), at(NOW)), exchanges(Record { intent: None, ..lost }, true));
    }

    #[test]
    fn a_clock_that_jumps_costs_an_exchange_and_nothing_else() {
        let two_years = Duration::from_secs(2 * 365 * 86_400);
        let ahead = at(NOW) + two_years;
        assert_eq!(plan(&held(true), Some(&record(6)), ahead), exchanges(record(6), false));
        let behind = UNIX_EPOCH;
        assert_eq!(plan(&held(true), Some(&expired(6)), behind), Plan::Adopt(expired(6)));
    }
}
