//! The kit itself: its doubles do as the script says, and its rules catch what breaks them.

mod doubles;
mod parts;
mod rules;
mod scripts;
mod shared;
