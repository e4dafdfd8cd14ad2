//! Replaces `{env:NAME}` and `{file:PATH}` inside the strings of a configuration.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Where the replacements come from.
pub(super) struct Sources<'a> {
    /// An environment variable, if it is set.
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    /// The folder that relative paths start from.
    pub(super) folder: &'a Path,
    /// The folder that `~/` stands for.
    pub(super) home: Option<PathBuf>,
}

/// The most bytes of a file that are read: more than any token or id, so that a wrong file is not read as a whole.
const LARGEST_FILE: u64 = 64 * 1024;

impl Sources<'_> {
    /// Replaces every reference in `text`. The replacements are not searched for references.
    ///
    /// An error names the reference, never a content.
    pub(super) fn substitute<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, String> {
        let mut done = String::new();
        let mut rest = text;
        while let Some((start, kind)) = next_reference(rest) {
            let (before, reference) = rest.split_at(start);
            let Some((inner, after)) = reference.strip_prefix(kind).and_then(|inner| inner.split_once('}')) else {
                return Err(format!("{kind} has no closing brace; write {kind}...}}"));
            };
            done.push_str(before);
            done.push_str(&if kind == ENV { self.variable(inner)? } else { self.file(inner)? });
            rest = after;
        }
        if rest.len() == text.len() {
            return Ok(Cow::Borrowed(text));
        }
        done.push_str(rest);
        Ok(Cow::Owned(done))
    }

    fn variable(&self, name: &str) -> Result<String, String> {
        (self.env)(name)
            .ok_or_else(|| format!("the environment variable {name:?} is not set; set it, or write the value"))
    }

    /// The text of a file, without the white space around it.
    fn file(&self, name: &str) -> Result<String, String> {
        let path = match (name.strip_prefix("~/"), &self.home) {
            (Some(in_home), Some(home)) => home.join(in_home),
            (Some(_), None) => return Err(format!("the file {name:?} is in a home folder, and none is known")),
            (None, _) => self.folder.join(name),
        };
        let text = read(&path).map_err(|error| format!("the file {name:?} cannot be read: {error}"))?;
        Ok(text.trim().to_owned())
    }
}

const ENV: &str = "{env:";
const FILE: &str = "{file:";

fn next_reference(text: &str) -> Option<(usize, &'static str)> {
    [ENV, FILE].into_iter().filter_map(|kind| Some((text.find(kind)?, kind))).min()
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(LARGEST_FILE + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read <= LARGEST_FILE) {
        Ok(text)
    } else {
        Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 64 KiB"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn substitute(text: &str) -> Result<String, String> {
        let env = |name: &str| match name {
            "TOKEN" => Some("s3cret".to_owned()),
            "NESTED" => Some("{env:TOKEN}".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let sources = Sources { env: &env, folder: Path::new("/nowhere"), home: None };
        sources.substitute(text).map(Cow::into_owned)
    }

    #[test]
    fn references_are_replaced_once_and_all_else_stays() {
        let table = [
            ("", ""),
            ("plain {text} {enve} {}", "plain {text} {enve} {}"),
            ("{env:TOKEN}", "s3cret"),
            ("Bearer {env:TOKEN}!", "Bearer s3cret!"),
            ("{env:TOKEN}{env:EMPTY}{env:TOKEN}", "s3crets3cret"),
            ("{env:NESTED}", "{env:TOKEN}"),
            ("ü{env:TOKEN}ü", "üs3cretü"),
        ];
        for (text, expected) in table {
            assert_eq!(substitute(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_missing_source_is_named_and_no_content_shows() {
        let table = [
            ("{env:MISSING}", "the environment variable \"MISSING\" is not set"),
            ("{env:TOKEN} {env:}", "the environment variable \"\" is not set"),
            ("{env:TOKEN} {env:TOKEN", "{env: has no closing brace"),
            ("{file:token.txt}", "the file \"token.txt\" cannot be read"),
            ("{file:~/token.txt}", "the file \"~/token.txt\" is in a home folder, and none is known"),
            ("{file:a\0b}", "the file \"a\\0b\" cannot be read"),
        ];
        for (text, expected) in table {
            let message = substitute(text).unwrap_err();
            assert!(message.starts_with(expected) && !message.contains("s3cret"), "{message}");
        }
    }
}
