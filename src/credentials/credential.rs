//! One account's way in: who it is, its secret, and how the secret is sent.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::credentials::origin::Shown;
use crate::credentials::{Secret, TokenSet};

/// The id of a credential, unique in its pool. It appears in events and errors, so it must hold no secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct CredentialId(Arc<str>);

impl CredentialId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for CredentialId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl From<String> for CredentialId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl From<&CredentialId> for CredentialId {
    fn from(id: &CredentialId) -> Self {
        id.clone()
    }
}

impl AsRef<str> for CredentialId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for CredentialId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for CredentialId {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for CredentialId {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// The secret of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Material {
    /// Tokens of an OAuth server, which can expire and be refreshed.
    OAuth(TokenSet),
    /// A key that stays as it is.
    Key(Secret),
}

impl Material {
    pub(crate) fn token(&self) -> &Secret {
        match self {
            Self::OAuth(tokens) => tokens.access(),
            Self::Key(key) => key,
        }
    }

    /// The token set, unless it is a key.
    #[must_use]
    pub fn tokens(&self) -> Option<&TokenSet> {
        match self {
            Self::OAuth(tokens) => Some(tokens),
            Self::Key(_) => None,
        }
    }

    /// The refresh token, if there is one. Without one, nothing can be refreshed.
    #[must_use]
    pub fn refresh_token(&self) -> Option<&Secret> {
        self.tokens().and_then(TokenSet::refresh)
    }
}

impl From<TokenSet> for Material {
    fn from(tokens: TokenSet) -> Self {
        Self::OAuth(tokens)
    }
}

impl From<Secret> for Material {
    fn from(key: Secret) -> Self {
        Self::Key(key)
    }
}

/// One account of a provider. It changes as a whole, and its token, headers and base URL always go out together.
///
/// By default the token is sent as `Authorization: Bearer TOKEN` (RFC 6750).
///
/// ```
/// use oauth_marathon::{Credential, Secret, TokenSet};
///
/// let subscription = Credential::new("work", TokenSet::new("access").with_refresh("refresh"))
///     .label("work account")
///     .extra_header("chatgpt-account-id", "acct_1");
/// let key = Credential::new("key", Secret::new("sk-1")).header("x-api-key").base_url("https://eu.example.com/v1");
/// assert_eq!(key.id().as_str(), "key");
/// // Methods that end in `_ref` read what the methods without it set.
/// assert_eq!(subscription.label_ref(), Some("work account"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    pub(crate) id: CredentialId,
    pub(crate) label: Option<Arc<str>>,
    pub(crate) subject: Option<String>,
    pub(crate) material: Material,
    pub(crate) header: Option<String>,
    pub(crate) scheme: Option<String>,
    pub(crate) extra_headers: Vec<(String, Secret)>,
    pub(crate) base_url: Option<String>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // All fields are named, so that a new one is not forgotten.
        let Self { id, label, subject, material, header, scheme, extra_headers, base_url } = self;
        f.debug_struct("Credential")
            .field("id", id)
            .field("label", label)
            .field("subject", subject)
            .field("material", material)
            .field("header", header)
            .field("scheme", scheme)
            .field("extra_headers", extra_headers)
            .field("base_url", &base_url.as_deref().map(Shown))
            .finish()
    }
}

impl Credential {
    /// A credential with this id and this secret: a [`TokenSet`], or a [`Secret`] for a static key.
    pub fn new(id: impl Into<CredentialId>, material: impl Into<Material>) -> Self {
        Self {
            id: id.into(),
            label: None,
            subject: None,
            material: material.into(),
            header: None,
            scheme: None,
            extra_headers: Vec::new(),
            base_url: None,
        }
    }

    /// The same account with another secret. A store that keeps secrets apart from records joins them with it.
    ///
    /// ```
    /// use oauth_marathon::{Credential, Secret};
    ///
    /// let kept = Credential::new("work", Secret::new("in the vault")).label("Work");
    /// let whole = kept.clone().with_material(Secret::new("key"));
    /// assert_eq!(whole, Credential::new("work", Secret::new("key")).label("Work"));
    /// ```
    #[must_use]
    pub fn with_material(mut self, material: impl Into<Material>) -> Self {
        self.material = material.into();
        self
    }

    /// What people call this account, for notices. The id by default.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The account's own id at the provider. It tells whether two logins are of one account.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The header that carries the secret. `authorization` by default; another one carries no scheme unless
    /// [`Credential::scheme`] names one.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>) -> Self {
        self.header = Some(name.into());
        self
    }

    /// The word before the secret, `Bearer` by default in `authorization`. An empty one sends the secret alone.
    #[must_use]
    pub fn scheme(mut self, scheme: impl Into<String>) -> Self {
        self.scheme = Some(scheme.into());
        self
    }

    /// A header that goes out with this credential and with no other, such as an account id.
    #[must_use]
    pub fn extra_header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.extra_headers.push((name.into(), value.into()));
        self
    }

    /// Where requests with this credential go instead of the origin that the caller addressed: its own origin, and a
    /// path that is put before the request's.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// The same account under another id.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<CredentialId>) -> Self {
        self.id = id.into();
        self
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &CredentialId {
        &self.id
    }

    /// The secret: a token set or a key.
    #[must_use]
    pub fn material(&self) -> &Material {
        &self.material
    }

    /// The label, if one was set with [`Credential::label`].
    #[must_use]
    pub fn label_ref(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// The subject, if one was set with [`Credential::subject`].
    #[must_use]
    pub fn subject_ref(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The header that carries the secret, if one was set with [`Credential::header`].
    #[must_use]
    pub fn header_ref(&self) -> Option<&str> {
        self.header.as_deref()
    }

    /// The word before the secret, if one was set with [`Credential::scheme`].
    #[must_use]
    pub fn scheme_ref(&self) -> Option<&str> {
        self.scheme.as_deref()
    }

    /// The names and values that were added with [`Credential::extra_header`].
    pub fn extra_headers(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.extra_headers.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The base URL, if one was set with [`Credential::base_url`].
    #[must_use]
    pub fn base_url_ref(&self) -> Option<&str> {
        self.base_url.as_deref()
    }
}
