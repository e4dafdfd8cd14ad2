//! A store of one's own, written and tested over what is public: copy this crate to begin with yours.
//!
//! [`FolderStore`] keeps the text of each record in a file of its own. [`Row`] takes a record apart for a database whose
//! columns you choose. The tests hold the store to the rules of the test kit.

mod folder;
mod row;

pub use self::folder::FolderStore;
pub use self::row::{Cooldown, Row};
