//! The store in a file, from outside: processes that are killed, disks that fail, files that others have a hand in.
#![cfg(target_os = "linux")]

mod access;
mod child;
mod damage;
mod faults;
mod gone;
mod kills;
mod locks;
mod mounts;
mod support;
mod traced;
mod writers;
