//! Pages that exist only in the documentation. Their code is tested.

#[doc = include_str!("order.md")]
pub mod order {}

#[doc = include_str!("errors.md")]
pub mod errors {}
