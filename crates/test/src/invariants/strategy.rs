//! Rules for strategies.

use fastrand::Rng;
use oauth_marathon::CredentialId;
use oauth_marathon::pool::{Candidate, Choice, Strategy};

use super::violation::{Rule, Violation, unpanicked};

/// How many requests are sent for each number of credentials.
const ROUNDS: usize = 2_000;

/// How often others may fail before a ready credential must have been used, times the number of credentials.
const PATIENCE: usize = 32;

/// Checks a strategy in thousands of requests over one to eight credentials that fail, cool and recover as in a pool.
///
/// A strategy may answer `None`, and may keep to one credential while that works. If it prefers some credentials on
/// purpose, however often they fail, it breaks [`Rule::Starvation`]. This rule is checked last, so that the author of
/// such a strategy can ignore exactly this violation.
///
/// ```
/// use oauth_marathon::pool::{Candidate, Choice, Strategy};
/// use oauth_marathon_test::invariants::check_strategy;
///
/// struct LeastBusy;
///
/// impl Strategy for LeastBusy {
///     fn select(&self, _: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
///         (0..ready.len()).min_by_key(|at| ready[*at].in_flight)
///     }
/// }
///
/// for seed in 0..4 {
///     check_strategy(&LeastBusy, seed)?;
/// }
/// # Ok::<_, oauth_marathon_test::invariants::Violation>(())
/// ```
///
/// # Errors
/// The first rule that the strategy breaks.
pub fn check_strategy(strategy: &dyn Strategy, seed: u64) -> Result<(), Violation> {
    let mut rng = Rng::with_seed(seed);
    let mut starved = None;
    for credentials in 1..=8 {
        let mut model = Model::new(credentials);
        for _ in 0..ROUNDS {
            model.request(strategy, &mut rng).map_err(|violation| violation.with_seed(seed))?;
            starved = starved.or_else(|| model.starved());
        }
    }
    starved.map_or(Ok(()), |violation| Err(violation.with_seed(seed)))
}

/// A small model of a pool: an order, and cooldowns that are counted in requests.
struct Model {
    ready: Vec<Member>,
    cooling: Vec<(usize, Member)>,
    members: usize,
}

struct Member {
    candidate: Candidate,
    /// How often other credentials have failed since this one was used, or recovered.
    passed_over: usize,
}

impl Model {
    fn new(members: usize) -> Self {
        let member = |at| {
            let id = CredentialId::from(format!("credential-{at}"));
            Member { candidate: Candidate::unused(id), passed_over: 0 }
        };
        Self { ready: (0..members).map(member).collect(), cooling: Vec::new(), members }
    }

    /// Sends one request, which fails over to further credentials.
    fn request(&mut self, strategy: &dyn Strategy, rng: &mut Rng) -> Result<(), Violation> {
        self.end_cooldowns();
        let group = rng.bool().then(|| format!("conversation {}", rng.u16(..)));
        let mut attempts = 0;
        while !self.ready.is_empty() {
            let at = self.select(strategy, &Choice::new(attempts, group.as_deref()))?;
            attempts += 1;
            if !self.attempt(at, rng) {
                break;
            }
        }
        Ok(())
    }

    fn select(&self, strategy: &dyn Strategy, choice: &Choice<'_>) -> Result<usize, Violation> {
        let candidates: Vec<_> = self.ready.iter().map(|member| member.candidate.clone()).collect();
        let shown = || format!("asked for one of {} with {choice:?}", candidates.len());
        match unpanicked(shown, || strategy.select(choice, &candidates))? {
            None => Ok(0),
            Some(at) if at < candidates.len() => Ok(at),
            Some(at) => Err(Violation::new(Rule::NoSuchCandidate, format!("index {at} when {}", shown()))),
        }
    }

    /// Uses the credential at this place. True if it failed.
    fn attempt(&mut self, at: usize, rng: &mut Rng) -> bool {
        for member in &mut self.ready {
            let done = rng.u32(0..=member.candidate.in_flight);
            member.candidate.in_flight -= done;
        }
        let failed = rng.u8(0..4) == 0;
        let Some(used) = self.ready.get_mut(at) else { return false };
        used.passed_over = 0;
        if !failed {
            used.candidate.in_flight += 1;
            used.candidate.successes += 1;
            return false;
        }
        let mut used = self.ready.remove(at);
        used.candidate.failures += 1;
        self.cooling.push((rng.usize(1..6), used));
        self.ready.iter_mut().for_each(|member| member.passed_over += 1);
        true
    }

    /// Members whose cooldown is over join the back.
    fn end_cooldowns(&mut self) {
        for (left, _) in &mut self.cooling {
            *left = left.saturating_sub(1);
        }
        let over = self.cooling.extract_if(.., |(left, _)| *left == 0).map(|(_, member)| member);
        self.ready.extend(over);
    }

    fn starved(&self) -> Option<Violation> {
        let starved = self.ready.iter().find(|member| member.passed_over > PATIENCE * self.members)?;
        let detail = format!(
            "of {} credentials, {} was ready and never used while others failed {} times",
            self.members, starved.candidate.id, starved.passed_over
        );
        Some(Violation::new(Rule::Starvation, detail))
    }
}
