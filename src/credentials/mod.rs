//! One account's way in: a [`Credential`] with its secret, how it is sent, and where it may be sent.
//!
//! This room is plain data: nothing here knows a pool, a clock or a socket. A credential is more than strings, because
//! a secret must be wiped when it is dropped, must never be shown in a message, and must never be sent to a foreign
//! origin. The types ensure this, so that no other room has to.

mod credential;
pub(crate) mod header;
pub(crate) mod origin;
mod secret;
mod token;

pub use self::credential::{Credential, CredentialId, Material};
pub use self::secret::Secret;
pub use self::token::{Generation, TokenSet};
