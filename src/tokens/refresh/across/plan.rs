//! Decides what a refresh does, given the stored record: pure rules over plain data.

use std::time::SystemTime;

use super::newer::{Newer, StoreRelation, newer};
use crate::credentials::header::is_sendable;
use crate::credentials::{Credential, Generation};
use crate::store::{HealthChange, Intent, Record};
use crate::verdict::{Kind, OutReason, Scope};

/// The credential in memory when its refresh begins.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) credential: Credential,
    pub(crate) generation: Generation,
    /// How its secret relates to what the store has held.
    pub(crate) relation: StoreRelation,
    /// Whether the whole credential is taken from the store, and not only its secret.
    pub(crate) follows: bool,
    /// Whether a person asks for the refresh. Then a refresh token that is known to be refused is sent again.
    pub(crate) insists: bool,
    /// The intent of an earlier refresh of this process. That refresh is over, so it need not be waited for.
    pub(crate) begun: Option<Intent>,
}

/// What the refresh does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RefreshPlan {
    /// Another process has replaced the token: this record is used.
    Adopt(Record),
    /// The refresh token of this record is exchanged. The record has no intent yet.
    Exchange {
        base: Record,
        /// Whether an earlier refresh of the same token has begun, and its end is unknown.
        interrupted: bool,
    },
    /// Another process has found that the refresh token is useless.
    Out(OutReason),
    /// Another process has removed the credential.
    Removed,
}

/// Decides what the refresh does; its caller holds the store lease. `found` is what the store holds.
pub(super) fn plan(held: &Held, found: Option<&Record>, now: SystemTime) -> RefreshPlan {
    let Some(found) = found else {
        return match held.relation.is_stored && !held.relation.is_put_in() {
            true => RefreshPlan::Removed,
            false => exchange(Record::new(held.credential.clone(), held.generation)),
        };
    };
    let newer = newer(&held.relation, &held.credential.material, found);
    if newer == Newer::Ours {
        // A person has put the secret in, or the store could not take it.
        let generation = held.generation.max(found.generation.next());
        let mut record = Record { credential: held.credential.clone(), generation, ..found.clone() };
        new_start().apply(&mut record.health);
        return exchange(record);
    }
    if newer == Newer::Theirs && (is_usable(found, now) || found.credential.material.refresh_token().is_none()) {
        return RefreshPlan::Adopt(held.with_secret_of(found));
    }
    match found.health.out {
        Some(reason @ (OutReason::RefreshRefused | OutReason::RefreshLost)) if !held.insists => {
            RefreshPlan::Out(reason)
        }
        _ => {
            let of_this_token = |intent: &Intent| intent.generation >= found.generation;
            let interrupted = found.intent.as_ref().is_some_and(of_this_token);
            RefreshPlan::Exchange { base: Record { intent: None, ..held.with_secret_of(found) }, interrupted }
        }
    }
}

/// The reason to be out after a refusal for good, if the store holds nothing newer.
pub(super) fn refused(interrupted: bool) -> OutReason {
    if interrupted { OutReason::RefreshLost } else { OutReason::RefreshRefused }
}

/// The change of health that comes with a new secret: failures of the old secret are forgotten. It does the same as
/// `State::replace_secret`.
pub(crate) fn new_start() -> HealthChange {
    let old = [Kind::Unauthorized, Kind::Forbidden];
    let scopes = [Scope::Credential, Scope::Generation];
    let causes = old.into_iter().flat_map(|kind| scopes.map(|scope| (kind, scope)));
    causes.fold(HealthChange::new().out(None), |change, (kind, scope)| change.ended(kind, scope, None))
}

fn exchange(base: Record) -> RefreshPlan {
    RefreshPlan::Exchange { base: Record { intent: None, ..base }, interrupted: false }
}

/// Whether requests can be sent with this record's token at once.
fn is_usable(record: &Record, now: SystemTime) -> bool {
    let material = &record.credential.material;
    let is_expired = material.tokens().and_then(|tokens| tokens.expiry()).is_some_and(|expiry| expiry <= now);
    is_sendable(material.token()) && !is_expired
}

impl Held {
    pub(super) fn has_held(&mut self, record: &Record) {
        self.relation.has_held(record, &self.credential.material);
    }

    /// The record that this process takes over: the stored one if it follows the store, else its own credential with
    /// the stored secret.
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
    use crate::credentials::{Secret, TokenSet};
    use crate::store::Health;

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

    fn out(record: Record, reason: OutReason) -> Record {
        Record { health: Health { out: Some(reason), ..Health::default() }, ..record }
    }

    const STORED: StoreRelation = StoreRelation::stored(Generation::new(5));

    fn held(relation: StoreRelation) -> Held {
        let Record { credential, generation, .. } = record(5);
        Held { credential, generation, relation, follows: true, insists: false, begun: None }
    }

    fn exchanges(base: Record, interrupted: bool) -> RefreshPlan {
        RefreshPlan::Exchange { base, interrupted }
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
        let (lost, refused) = (OutReason::RefreshLost, OutReason::RefreshRefused);
        let ours_as = |generation| Record { generation: Generation::new(generation), ..record(5) };
        let cases = [
            ("nothing there yet", StoreRelation::added(), None, exchanges(record(5), false)),
            ("removed by others", STORED, None, RefreshPlan::Removed),
            ("removed by others, and put in again", STORED.put_in(), None, exchanges(record(5), false)),
            ("as we know it", STORED, Some(record(5)), exchanges(record(5), false)),
            ("its process died meanwhile", STORED, Some(begun(record(5), 5)), exchanges(record(5), true)),
            ("an intent that was left behind", STORED, Some(begun(record(5), 4)), exchanges(record(5), false)),
            ("later", STORED, Some(record(6)), RefreshPlan::Adopt(record(6))),
            (
                "later, and being replaced again",
                STORED,
                Some(begun(record(6), 6)),
                RefreshPlan::Adopt(begun(record(6), 6)),
            ),
            ("later, and out", STORED, Some(out(record(6), refused)), RefreshPlan::Adopt(out(record(6), refused))),
            ("later, but expired", STORED, Some(expired(6)), exchanges(expired(6), false)),
            ("later, expired, its process died", STORED, Some(begun(expired(6), 6)), exchanges(expired(6), true)),
            ("later, expired, refused", STORED, Some(out(expired(6), refused)), RefreshPlan::Out(refused)),
            ("later, but not to be sent", STORED, Some(unsendable.clone()), exchanges(unsendable, false)),
            ("a key", STORED, Some(key.clone()), RefreshPlan::Adopt(key)),
            ("a key that cannot be sent", STORED, Some(unsendable_key.clone()), RefreshPlan::Adopt(unsendable_key)),
            ("known to be refused", STORED, Some(out(record(5), refused)), RefreshPlan::Out(refused)),
            ("known to be lost", STORED, Some(out(begun(record(5), 5), lost)), RefreshPlan::Out(lost)),
            (
                "out for another reason",
                STORED,
                Some(out(record(5), OutReason::Banned)),
                exchanges(out(record(5), OutReason::Banned), false),
            ),
            ("ours could not be stored", STORED, Some(record(4)), exchanges(record(5), false)),
            ("nor could ours, with its intent there", STORED, Some(begun(record(4), 4)), exchanges(record(5), false)),
            (
                "a person has put ours in",
                STORED.put_in(),
                Some(begun(of_a_person.clone(), 5)),
                exchanges(ours_as(6), false),
            ),
            (
                "theirs was refused, ours is new",
                STORED.put_in(),
                Some(out(of_a_person, refused)),
                exchanges(ours_as(6), false),
            ),
            (
                "a person has put ours in, theirs was refreshed",
                STORED.put_in(),
                Some(record(7)),
                exchanges(ours_as(8), false),
            ),
            ("the same under a later generation", STORED, Some(ours_as(8)), exchanges(ours_as(8), false)),
            ("added, and others were quicker", StoreRelation::added(), Some(record(1)), RefreshPlan::Adopt(record(1))),
        ];
        for (case, relation, found, expected) in cases {
            assert_eq!(plan(&held(relation), found.as_ref(), at(NOW)), expected, "{case}");
        }
    }

    #[test]
    fn what_the_code_says_of_a_credential_stays_where_the_pool_does_not_follow_the_store() {
        let mut held = held(STORED);
        held.follows = false;
        held.credential = held.credential.header("x-ours");
        let RefreshPlan::Adopt(adopted) = plan(&held, Some(&record(6)), at(NOW)) else { panic!() };
        assert_eq!(adopted.credential.header.as_deref(), Some("x-ours"));
        assert_eq!(adopted.credential.material, record(6).credential.material);
    }

    #[test]
    fn a_person_may_have_a_refused_token_tried_again() {
        let held = Held { insists: true, ..held(STORED) };
        let refused = out(record(5), OutReason::RefreshRefused);
        assert_eq!(plan(&held, Some(&refused), at(NOW)), exchanges(refused, false));
        let lost = out(begun(record(5), 5), OutReason::RefreshLost);
        assert_eq!(plan(&held, Some(&lost), at(NOW)), exchanges(Record { intent: None, ..lost }, true));
    }

    #[test]
    fn a_clock_that_jumps_costs_an_exchange_and_nothing_else() {
        let two_years = Duration::from_secs(2 * 365 * 86_400);
        let ahead = at(NOW) + two_years;
        assert_eq!(plan(&held(STORED), Some(&record(6)), ahead), exchanges(record(6), false));
        let behind = UNIX_EPOCH;
        assert_eq!(plan(&held(STORED), Some(&expired(6)), behind), RefreshPlan::Adopt(expired(6)));
    }
}
