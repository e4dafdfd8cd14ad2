//! One account's way in: a [`Credential`] with its secret, how it is sent, and where it may be sent.
//!
//! Plain data: nothing here knows a pool, a clock or a socket. Secrets are wiped when they are dropped, and never shown.

mod credential;
pub(crate) mod header;
pub(crate) mod origin;
mod secret;
mod token;

pub use self::credential::{Credential, CredentialId, Material};
pub use self::secret::Secret;
pub use self::token::{Generation, TokenSet};
