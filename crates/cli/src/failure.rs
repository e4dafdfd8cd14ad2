//! The failure of a command, and the code that it exits with.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::process::ExitCode;

use oauth_marathon::tokens::login::{LoginError, LoginErrorKind};
use oauth_marathon::{BoxError, Error};

/// The exit codes; `--help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Missing = 3,
    LoginNeeded = 4,
    Interrupted = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// A failure as people read it: what happened and what to do.
#[derive(Debug)]
pub(super) struct Failure {
    code: Code,
    message: String,
}

impl Failure {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn code(&self) -> Code {
        self.code
    }

    pub(super) fn interrupted() -> Self {
        Self::new(Code::Interrupted, "interrupted")
    }

    /// The failure of a person who did not wait for the end of a refresh.
    pub(super) fn left() -> Self {
        let message = "interrupted in the middle of a refresh: new tokens that were not stored are lost; the next refresh finds that out, and says so";
        Self::new(Code::Interrupted, message)
    }

    /// A failure without a message: the person has read it already, or has closed the output.
    pub(super) fn silent(code: Code) -> Self {
        Self::new(code, "")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The message of an error, followed by those of its sources that say more.
pub(super) fn whole(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    // The number is bounded, because a source could name itself.
    for _ in 0..32 {
        let Some(source) = next else { break };
        let more = source.to_string();
        if !more.is_empty() && !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = source.source();
    }
    text
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(Code::Failed, whole(&error))
    }
}

impl From<BoxError> for Failure {
    fn from(error: BoxError) -> Self {
        Self::new(Code::Failed, whole(&*error))
    }
}

impl From<LoginError> for Failure {
    fn from(error: LoginError) -> Self {
        let code = match error.kind() {
            LoginErrorKind::Denied | LoginErrorKind::Expired | LoginErrorKind::Refused => Code::LoginNeeded,
            _ => Code::Failed,
        };
        Self::new(code, whole(&error))
    }
}

/// A failure of writing to the standard streams.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::silent(Code::Done),
            _ => Self::new(Code::Failed, format!("the output could not be written: {error}")),
        }
    }
}
