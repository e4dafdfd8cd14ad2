//! What the rules of the provider families say about failed answers.

mod examples;
mod own;
mod properties;
mod support;
mod traps;
mod unseen;
