//! The policy for tower's own retry layer decides as our layer does: the same scripts through both stacks.

#[path = "policy/cases.rs"]
mod cases;
#[path = "policy/exceptions.rs"]
mod exceptions;
#[path = "policy/stacks.rs"]
mod stacks;
