//! Helpers: a folder, keys and records, as the tests of this folder use them.

use std::path::{Path, PathBuf};

use oauth_marathon::store::{CasOutcome, Entry, FileStore, Record, Store, StoreKey};
use oauth_marathon::{BoxError, Credential, Generation, Material, TokenSet};

pub(crate) const PROVIDER: &str = "openai";

/// The folder of a store, in memory if possible, so that no test depends on how long a disk takes.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.unwrap();
        let path = folder.path().join("store").join("credentials.json");
        Self { folder, path }
    }

    /// Files that writers have left beside the store.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.path.parent().unwrap()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".tmp")).collect()
    }
}

pub(crate) fn key(id: &str) -> StoreKey {
    StoreKey::new(PROVIDER, id)
}

/// A record whose token names its generation.
pub(crate) fn record(id: &str, generation: u64) -> Record {
    let tokens = TokenSet::new(format!("at-{id}-{generation}")).with_refresh(format!("rt-{id}-{generation}"));
    Record::new(Credential::new(id, tokens), Generation::new(generation))
}

/// The generation of an entry. Asserts that all its parts are of that generation.
pub(crate) fn generation(id: &str, entry: Option<&Entry>) -> u64 {
    let Some(entry) = entry else { return 0 };
    let generation = entry.record.generation.get();
    assert_eq!(entry.record, record(id, generation));
    let Material::OAuth(tokens) = entry.record.credential.material() else { panic!("tokens") };
    assert!(tokens.access().expose().ends_with(&generation.to_string()));
    generation
}

/// Raises the generation by one and returns it; `None` if another writer was first.
pub(crate) async fn raise(store: &FileStore, id: &str) -> Result<Option<u64>, BoxError> {
    let held = store.load(&key(id)).await?;
    let next = generation(id, held.as_ref()) + 1;
    let revision = held.map(|held| held.revision);
    match store.compare_and_set(&key(id), revision, Some(record(id, next))).await? {
        CasOutcome::Stored(_) => Ok(Some(next)),
        _ => Ok(None),
    }
}

/// A count that the long run raises by an environment variable.
pub(crate) fn count(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |count| count.parse().unwrap())
}

/// Prints why something is not tested here. If everything has to be tested, it panics.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("OAUTH_MARATHON_SKIP_NOTHING").is_none(), "cannot be skipped here: {why}");
    eprintln!("skipped: {why}");
}
