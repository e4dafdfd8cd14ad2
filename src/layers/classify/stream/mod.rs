//! Answers that stream: whether a 200 is one shows in its first event that means something.
//!
//! | file | what it does |
//! |---|---|
//! | `format` | tells a stream from other answers |
//! | `frame`, `scan`, `sse`, `ndjson`, `json_array` | cut bytes into frames, in whatever pieces they come |
//! | `names`, `meaning` | say what a frame means |
//! | `words`, `glance` | pass over most chunks of a stream that runs |
//! | `track` | follows a stream: silent, begun, failed, over |
//! | `hold` | reads a body until it has begun, and hands it on as it came |

mod format;
mod frame;
mod glance;
mod hold;
mod json_array;
mod meaning;
mod ndjson;
mod scan;
mod sse;
#[cfg(test)]
mod tests;
mod track;
mod words;

pub(crate) use self::format::Asked;
pub(super) use self::hold::{Patience, Stream};
