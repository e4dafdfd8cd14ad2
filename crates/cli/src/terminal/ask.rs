//! Asks the person at the terminal, and reads secrets from the standard input.

use std::io::{self, BufRead, IsTerminal, Read};
use std::thread;

use oauth_marathon::Secret;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::Terminal;
use crate::failure::{Code, Failure};

/// The most bytes of a secret; no key is longer.
const MOST_BYTES: u64 = 64 * 1024;

pub(crate) async fn yes_or_no(terminal: Terminal, question: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        let message = format!(
            "this needs an answer, and there is no terminal to ask on: {question} Give --yes to say so beforehand"
        );
        return Err(Failure::new(Code::Usage, message));
    }
    terminal.tell(&format!("{question} Type yes to go on:"))?;
    let answer = apart(|| {
        let mut answer = String::new();
        io::stdin().lock().take(1024).read_line(&mut answer).map(|_| answer)
    });
    let answer = answer.await.map_err(unreadable)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

/// A secret: typed without being shown, or all of what is piped in.
pub(crate) async fn secret(prompt: &str) -> Result<Secret, Failure> {
    let text = if io::stdin().is_terminal() {
        let prompt = prompt.to_owned();
        apart(move || rpassword::prompt_password(prompt).map(Zeroizing::new)).await
    } else {
        apart(|| {
            // Reserved in full, because a buffer that grows leaves its old piece behind, unwiped.
            let mut text = Zeroizing::new(String::with_capacity(4096));
            io::stdin().lock().take(MOST_BYTES + 1).read_to_string(&mut text)?;
            Ok(text)
        })
        .await
    };
    let text = text.map_err(unreadable)?;
    let wrong = |what: &str| Failure::new(Code::Failed, format!("the standard input {what}"));
    if text.len() as u64 > MOST_BYTES {
        return Err(wrong("has more than 64 KiB, which is no key; pipe in the key alone"));
    }
    match text.trim() {
        "" => Err(wrong("holds no key; pipe it in, as in: marathon auth login PROVIDER --token-stdin < FILE")),
        key if key.contains(|c: char| c.is_whitespace() || c.is_control() || !c.is_ascii()) => {
            Err(wrong("holds more than one word, or no plain ASCII; pipe in the key alone"))
        }
        key => Ok(Secret::new(key)),
    }
}

fn unreadable(error: io::Error) -> Failure {
    // Ctrl-C while the input is hidden.
    if error.kind() == io::ErrorKind::Interrupted {
        return Failure::interrupted();
    }
    Failure::new(Code::Failed, format!("the standard input could not be read: {error}"))
}

/// Waits for a person on a thread of its own, which need not end: Ctrl-C ends the wait.
async fn apart<T: Send + 'static>(wait: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let (sender, answer) = oneshot::channel();
    thread::Builder::new().name("marathon-stdin".to_owned()).spawn(move || drop(sender.send(wait())))?;
    answer.await.unwrap_or_else(|_| Err(io::Error::other("the thread that reads it has ended")))
}
