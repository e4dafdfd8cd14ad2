//! A secret does not find its way into a file by itself.

use oauth_marathon::Secret;

fn serialize(_: &impl serde::Serialize) {}

fn main() {
    serialize(&Secret::new("sk-1"));
}
