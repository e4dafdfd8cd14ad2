//! The store in a file, from outside: processes that are killed, disks that fail, files that others have a hand in.
#![cfg(target_os = "linux")]

mod access;
mod child;
mod damage;
mod failing_saves;
mod killed_writers;
mod locks;
mod mounts;
mod place;
mod taken_away;
mod traced_save;
mod writers;
