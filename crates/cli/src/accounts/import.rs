//! `auth import`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use oauth_marathon::store::{Entry, FileStore, Record, Store, StoreKey};
use oauth_marathon::{Credential, Material};
use zeroize::Zeroizing;

use super::manage::name;
use super::merge::{add, refreshed};
use super::records::{Changed, Next, change};
use crate::args;
use crate::auth_files::{AuthFile, Imported};
use crate::context::Context;
use crate::failure::{Code, Failure};
use crate::terminal::text::line;

/// One byte more than can be read.
const MOST_BYTES: u64 = 16 * 1024 * 1024 + 1;

pub(super) async fn run(context: &Context, args: args::Import) -> Result<(), Failure> {
    let path = &args.file;
    let text = read(path)
        .map_err(|error| Failure::new(Code::Failed, format!("{}: cannot be read: {error}", path.display())))?;
    let import =
        AuthFile::read(&text).map_err(|error| Failure::new(Code::Failed, format!("{}: {error}", path.display())))?;
    drop(text);
    let wanted = |one: &Imported| args.provider.as_ref().is_none_or(|provider| one.provider == *provider);
    let found: Vec<_> = import.credentials.into_iter().filter(wanted).collect();
    for left in &import.left_out {
        context.terminal.note(&format!("Left out {}: {}.", line(&left.place), line(&left.why)))?;
    }
    if found.is_empty() {
        let of = args.provider.map_or_else(String::new, |provider| format!(" of {provider:?}"));
        let message = format!("{}: {} holds no credentials{of}", path.display(), import.form);
        return Err(Failure::new(Code::Missing, message));
    }
    let store = context.store().await?;
    let mut shared = false;
    // Only records from before the import: two accounts of one file stay two, even under the same name.
    let mut before = Vec::new();
    for one in found {
        if !before.iter().any(|(provider, _)| *provider == one.provider) {
            before.push((one.provider.clone(), store.load_all(&one.provider).await?));
        }
        let known = before.iter().find(|(provider, _)| *provider == one.provider).map_or(&[][..], |(_, known)| known);
        shared |= one.record.credential.material().refresh_token().is_some();
        let text = take(&store, known, one).await?;
        context.terminal.say(&text)?;
    }
    if shared {
        context.terminal.note(
            "Both programs hold the same refresh tokens, and most servers let each be used once: log out there, or use them here only.",
        )?;
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len().min(MOST_BYTES);
    let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(1)));
    file.take(MOST_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

/// Stores one credential, and says what became of it.
async fn take(store: &FileStore, known: &[Entry], one: Imported) -> Result<String, Failure> {
    let Imported { provider, record } = one;
    let same = known.iter().find(|entry| is_same(&entry.record.credential, &record.credential));
    let Some(same) = same else {
        let entry = add(store, &provider, record, false).await?;
        let who = entry.as_ref().map_or_else(String::new, name);
        return Ok(format!("{who} of {} is added.", line(&provider)));
    };
    let who = format!("{} of {}", name(same), line(&provider));
    let key = StoreKey::new(&*provider, same.record.credential.id());
    let changed = change(store, &key, |held| match is_newer(&record, held) {
        true => Next::Store(refreshed(held, record.credential.material().clone())),
        false => Next::Keep,
    });
    Ok(match changed.await? {
        Changed::Stored(_) => format!("{who} has the tokens of the file."),
        Changed::Unwanted => format!("{who} is as new as in the file, and stays as it is."),
        Changed::Absent | Changed::Removed => format!("{who} was removed meanwhile, and stays so."),
    })
}

/// Whether both are of one account: by the refresh token or key, else by the subject. Members of a team may share a
/// subject, but not a name.
fn is_same(held: &Credential, other: &Credential) -> bool {
    let same_secret = match (held.material(), other.material()) {
        (Material::OAuth(held), Material::OAuth(other)) => {
            held.refresh().is_some() && held.refresh() == other.refresh()
        }
        (held, other) => held == other,
    };
    let same_name = held.label_ref().is_none() || other.label_ref().is_none() || held.label_ref() == other.label_ref();
    let same_kind = matches!((held.material(), other.material()), (Material::OAuth(_), Material::OAuth(_)));
    same_secret || (same_kind && same_name && held.subject_ref().is_some() && held.subject_ref() == other.subject_ref())
}

/// Whether the tokens of a file replace the stored ones. They do not if the stored ones live longer: those come from a
/// later refresh, and the file's refresh token is spent.
fn is_newer(file: &Record, held: &Record) -> bool {
    let (Material::OAuth(file), Material::OAuth(tokens)) = (file.credential.material(), held.credential.material())
    else {
        return false;
    };
    if file == tokens {
        return false;
    }
    held.health.out.is_some() || file.expiry().zip(tokens.expiry()).is_none_or(|(file, held)| file > held)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use oauth_marathon::verdict::OutReason;
    use oauth_marathon::{Generation, Secret, TokenSet};

    use super::*;

    fn tokens(refresh: &str, expires: Option<u64>) -> TokenSet {
        let tokens = TokenSet::new("at").with_refresh(refresh);
        expires.map_or(tokens.clone(), |at| tokens.expires_at(UNIX_EPOCH + Duration::from_secs(at)))
    }

    #[test]
    fn one_account_is_known_by_its_token_or_its_subject() {
        let held = Credential::new("a", tokens("one", None)).subject("team").label("alice");
        for (other, same) in [
            (Credential::new("b", tokens("one", None)), true),
            (Credential::new("b", tokens("two", None)), false),
            (Credential::new("b", tokens("two", None)).subject("team"), true),
            (Credential::new("b", tokens("two", None)).subject("team").label("alice"), true),
            (Credential::new("b", tokens("two", None)).subject("team").label("bob"), false),
            (Credential::new("a", tokens("two", None)).subject("other"), false),
            (Credential::new("a", Secret::new("one")).subject("team"), false),
            (Credential::new("a", TokenSet::new("at")), false),
        ] {
            assert_eq!(is_same(&held, &other), same, "{other:?}");
        }
        let key = |key: &str| Credential::new("k", Secret::new(key));
        assert!(is_same(&key("x"), &key("x")) && !is_same(&key("x"), &key("y")));
    }

    #[test]
    fn tokens_of_a_later_refresh_are_kept() {
        let record = |tokens| Record::new(Credential::new("a", tokens), Generation::FIRST);
        let held = record(tokens("one", Some(100)));
        assert!(!is_newer(&record(tokens("one", Some(100))), &held));
        assert!(!is_newer(&record(tokens("two", Some(50))), &held));
        assert!(is_newer(&record(tokens("two", Some(150))), &held));
        assert!(is_newer(&record(tokens("two", None)), &held));
        let mut out = held;
        out.health.out = Some(OutReason::RefreshRefused);
        assert!(is_newer(&record(tokens("two", Some(50))), &out));
    }
}
