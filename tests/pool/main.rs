//! The pool: compared with a model and under many threads, kept alike with its store, and what it knows of quotas.

mod mirror;
mod properties;
mod properties_concurrent;
mod quota;
#[path = "../support/mod.rs"]
mod support;
