//! OAuth servers for the tests of refreshes: a real one, and one that revokes the family of a token that comes twice.

pub(crate) mod oidc;
pub(crate) mod rotating;
