//! The policy for tower's own retry layer decides as our layer does: the same scripts through both stacks.

mod as_our_layer;
mod exceptions;
mod stacks;
