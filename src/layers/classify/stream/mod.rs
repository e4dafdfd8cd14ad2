//! Answers that stream: the first event with a meaning shows whether a 200 is a success.
//!
//! This room sees bytes of the answer and asks a `Rules` about errors; it knows no provider's rules and no pool. It does not
//! parse each event, because every chunk of every stream passes through here: most chunks are only searched for a few words.
//!
//! | file | what it does |
//! |---|---|
//! | `format` | tells a stream from other answers |
//! | `frame`, `scan`, `sse`, `ndjson`, `json_array` | cut bytes into frames, in whatever pieces they come |
//! | `meaning` | says what a frame means |
//! | `search`, `fast_path` | pass over most chunks of a stream that runs |
//! | `track` | follows a stream: silent, begun, failed, over |
//! | `hold` | reads a body until it has begun, and hands it on as it came |

mod fast_path;
mod format;
mod frame;
mod hold;
mod json_array;
mod meaning;
mod ndjson;
mod scan;
mod search;
mod sse;
#[cfg(test)]
mod tests;
mod track;

pub(crate) use self::format::Asked;
pub(super) use self::hold::{Patience, Stream};
