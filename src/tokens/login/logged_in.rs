//! The result of a login, and where it belongs among the known credentials.

use crate::credentials::{Credential, CredentialId, TokenSet};

/// The result of a login: the tokens, and whose they are.
///
/// The subject comes from the id token's `sub`, whose signature is not checked: it came straight from the token endpoint
/// over TLS (OpenID Connect Core 1.0 section 3.1.3.7). Else it comes from the userinfo endpoint, else from the account's
/// id in the token response (`account_id`, `account.uuid`, `account.id`, `user_id`, `user.uuid`, `user.id`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedIn {
    /// The token set.
    pub tokens: TokenSet,
    /// Who the account is at the provider, if the server says so.
    pub subject: Option<String>,
    /// What people may call it: an e-mail address, a user name or a name, on one line.
    pub label: Option<String>,
}

impl LoggedIn {
    /// Tokens of an unknown account.
    #[must_use]
    pub fn new(tokens: TokenSet) -> Self {
        Self { tokens, subject: None, label: None }
    }

    /// A credential of this login, with its subject and label.
    pub fn into_credential(self, id: impl Into<CredentialId>) -> Credential {
        let mut credential = Credential::new(id, self.tokens);
        if let Some(subject) = self.subject {
            credential = credential.subject(subject);
        }
        match self.label {
            Some(label) => credential.label(&label),
            None => credential,
        }
    }
}

/// What to do with a login; see [`merge`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Merge {
    /// A credential has the same subject: give it the new tokens.
    Update(CredentialId),
    /// No credential has this subject: add one under this id, which is free.
    Add(CredentialId),
}

/// Decides where a login belongs among credentials that are `known` by id and subject. The same subject updates its
/// credential, so that one account is not counted twice; another subject, or an unknown one, is added.
///
/// ```
/// use oauth_marathon::tokens::login::{LoggedIn, Merge, merge};
/// use oauth_marathon::{Credential, Pool, TokenSet};
///
/// # fn main() -> Result<(), oauth_marathon::Error> {
/// let alice = Credential::new("work", TokenSet::new("old")).subject("user-1");
/// let pool = Pool::builder("openai").origin("https://api.example.com").credential(alice).build()?;
///
/// let mut logged_in = LoggedIn::new(TokenSet::new("new"));
/// logged_in.subject = Some("user-1".to_owned());
/// let snapshot = pool.snapshot();
/// let known = snapshot.credentials.iter().map(|known| (&known.id, known.subject.as_deref()));
/// match merge(known, &logged_in) {
///     Merge::Update(id) => drop(pool.update(id.as_str(), logged_in.tokens)?),
///     Merge::Add(id) => pool.add(logged_in.into_credential(id))?,
///     _ => {}
/// }
/// assert_eq!(pool.snapshot().credentials.len(), 1);
/// # Ok(()) }
/// ```
pub fn merge<'a>(known: impl IntoIterator<Item = (&'a CredentialId, Option<&'a str>)>, logged_in: &LoggedIn) -> Merge {
    let known: Vec<_> = known.into_iter().collect();
    let same = logged_in.subject.as_deref().and_then(|subject| known.iter().find(|(_, other)| *other == Some(subject)));
    match same {
        Some((id, _)) => Merge::Update((*id).clone()),
        None => Merge::Add(free_id(&known, logged_in)),
    }
}

/// The label or the subject as an id, with a number if that id is taken.
fn free_id(known: &[(&CredentialId, Option<&str>)], logged_in: &LoggedIn) -> CredentialId {
    let name = logged_in.label.as_deref().or(logged_in.subject.as_deref()).unwrap_or("account");
    let name = name.split('@').next().filter(|user| !user.is_empty()).unwrap_or("account");
    let is_free = |id: &str| known.iter().all(|(other, _)| other.as_str() != id);
    let mut id = name.to_owned();
    let mut number = 2_usize;
    while !is_free(&id) {
        id = format!("{name}-{number}");
        number += 1;
    }
    id.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged_in(subject: Option<&str>, label: Option<&str>) -> LoggedIn {
        let mut logged_in = LoggedIn::new(TokenSet::new("at"));
        (logged_in.subject, logged_in.label) = (subject.map(Into::into), label.map(Into::into));
        logged_in
    }

    #[test]
    fn the_same_subject_updates_and_another_one_adds() {
        let known = [("work", Some("1")), ("home", None), ("alice", Some("2")), ("alice-2", None)];
        let ids = known.map(|(id, subject)| (CredentialId::from(id), subject));
        let merge = |subject, label| merge(ids.iter().map(|(id, subject)| (id, *subject)), &logged_in(subject, label));
        for (subject, label, expected) in [
            (Some("1"), Some("bob"), Merge::Update("work".into())),
            (Some("2"), None, Merge::Update("alice".into())),
            (Some("3"), Some("bob@example.com"), Merge::Add("bob".into())),
            (Some("3"), Some("alice@example.com"), Merge::Add("alice-3".into())),
            (Some("3"), None, Merge::Add("3".into())),
            // The login has no subject, so it must not be taken for a known account without a subject.
            (None, Some("home"), Merge::Add("home-2".into())),
            (None, None, Merge::Add("account".into())),
            (Some("3"), Some("@"), Merge::Add("account".into())),
        ] {
            assert_eq!(merge(subject, label), expected, "{subject:?} {label:?}");
        }
    }

    #[test]
    fn a_credential_keeps_all_of_it() {
        let credential = logged_in(Some("1"), Some("bob")).into_credential("work");
        assert_eq!(credential, Credential::new("work", TokenSet::new("at")).subject("1").label("bob"));
        assert_eq!(logged_in(None, None).into_credential("a"), Credential::new("a", TokenSet::new("at")));
    }
}
