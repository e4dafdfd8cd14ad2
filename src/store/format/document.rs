//! The text of a whole store.

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::members::{self, At, Problem};
use super::{Size, checksum, record, wipe};
use crate::credentials::{Generation, Secret};
use crate::store::all_records::{AllRecords, ProviderRecords};

/// The version that this crate writes. A text of a later version is read for the parts that are understood, and never
/// written.
const VERSION: u64 = 1;

/// The value of `checksum` in a text that a person has edited.
pub(super) const UNCHECKED: &str = "unchecked";

/// A text that was read, or the beginning of a new one. It is wiped from memory on drop.
#[derive(Default)]
pub(in crate::store) struct Document {
    root: Map<String, Value>,
}

impl Document {
    /// Reads a text. Nothing is repaired, and a problem is reported without values.
    pub(in crate::store) fn parse(text: &[u8]) -> Result<Self, Problem> {
        let value = serde_json::from_slice(text).map_err(|error| Problem::syntax(text, &error))?;
        let document = match value {
            Value::Object(root) => Self { root },
            mut other => {
                wipe(&mut other);
                return Err(Problem::new("it is not a JSON object"));
            }
        };
        document.check()?;
        Ok(document)
    }

    fn check(&self) -> Result<(), Problem> {
        if At::root().number(&self.root, "version")? == 0 {
            return Err(Problem::new("its version is 0; the first one is 1"));
        }
        match self.root.get("checksum").and_then(Value::as_str) {
            Some(UNCHECKED) => Ok(()),
            Some(sum) if sum == checksum::of(&self.root) => Ok(()),
            Some(_) => Err(Problem::new(format!(
                "its checksum does not match: it is damaged, or was edited by hand; if you know that it is right, set the member \"checksum\" to {UNCHECKED:?}"
            ))),
            None => Err(Problem::new(format!(
                "it has no checksum; if you know that it is right, set the member \"checksum\" to {UNCHECKED:?}"
            ))),
        }
    }

    /// The version that wrote the text, if it is later than ours: then nothing may be changed.
    pub(in crate::store) fn later_version(&self) -> Option<u64> {
        self.root.get("version").and_then(Value::as_u64).filter(|version| *version > VERSION)
    }

    /// The records of the text, without the parts that this version does not understand.
    pub(in crate::store) fn records(&self) -> Result<AllRecords, Problem> {
        let at = At::root();
        let mut all =
            AllRecords { revision: at.optional_number(&self.root, "revision")?.unwrap_or(0), ..AllRecords::default() };
        let Some(providers) = at.optional_object(&self.root, "providers")? else { return Ok(all) };
        let at = at.key("providers");
        for (name, value) in providers {
            let at = at.key(name);
            let records = read_provider(&at, at.object(value)?)?;
            // A person who edits the text may forget to raise the count of revisions.
            let newest = records.entries.iter().map(|entry| entry.revision.get()).max();
            all.revision = all.revision.max(newest.unwrap_or(0));
            all.providers.insert(name.clone(), records);
        }
        Ok(all)
    }

    /// Puts all records into the text, and keeps the members that this version does not know.
    pub(in crate::store) fn update(&mut self, all: &AllRecords) {
        self.root.insert("version".to_owned(), VERSION.into());
        self.root.insert("revision".to_owned(), all.revision.into());
        members::within(&mut self.root, "providers", |providers| {
            for (name, records) in &all.providers {
                members::within(providers, name, |provider| write_provider(provider, records));
            }
        });
        self.root.insert("checksum".to_owned(), checksum::of(&self.root).into());
    }

    /// The text as bytes, which are wiped from memory on drop.
    pub(in crate::store) fn text(&self) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let failed = |_| Problem::new("it cannot be written as JSON");
        // Measured first, because a buffer that grows leaves its old piece behind, unwiped.
        let mut size = Size(0);
        serde_json::to_writer_pretty(&mut size, &self.root).map_err(failed)?;
        let mut text = Zeroizing::new(Vec::with_capacity(size.0 + 1));
        serde_json::to_writer_pretty(&mut *text, &self.root).map_err(failed)?;
        text.push(b'\n');
        Ok(text)
    }

    /// The same text as one secret.
    pub(in crate::store) fn secret(&self) -> Result<Secret, Problem> {
        let mut text = self.text()?;
        let text = String::from_utf8(std::mem::take(&mut *text));
        text.map(Secret::new).map_err(|_| Problem::new("it cannot be written as text"))
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        self.root.values_mut().for_each(wipe);
    }
}

fn read_provider(at: &At<'_>, provider: &Map<String, Value>) -> Result<ProviderRecords, Problem> {
    let removed = at.optional_number(provider, "removed")?.unwrap_or(0);
    let mut records = ProviderRecords { entries: Vec::new(), removed: Generation::new(removed) };
    let credentials = at.optional_array(provider, "credentials")?.map_or(&[][..], Vec::as_slice);
    for (index, value) in credentials.iter().enumerate() {
        let at = at.key("credentials");
        let at = at.index(index);
        let entry = record::read_entry(&at, at.object(value)?)?;
        let id = &entry.record.credential.id;
        if records.entries.iter().any(|other| other.record.credential.id == *id) {
            return Err(at.problem(format!("the id {id:?} comes twice")));
        }
        records.entries.push(entry);
    }
    Ok(records)
}

fn write_provider(provider: &mut Map<String, Value>, records: &ProviderRecords) {
    let removed = Some(records.removed.get()).filter(|removed| *removed > 0);
    members::set(provider, "removed", removed);
    let mut old = match provider.remove("credentials") {
        Some(Value::Array(old)) => old,
        _ => Vec::new(),
    };
    let credentials: Vec<_> = records.entries.iter().map(|entry| record::updated(&mut old, entry)).collect();
    members::set(provider, "credentials", (!credentials.is_empty()).then_some(credentials));
    old.iter_mut().for_each(wipe);
}
