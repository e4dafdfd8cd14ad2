//! Pages of the documentation. They exist in the documentation alone, and their code is tested.

#[doc = include_str!("order.md")]
pub mod order {}

#[doc = include_str!("errors.md")]
pub mod errors {}
