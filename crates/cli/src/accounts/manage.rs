//! The commands `auth remove`, `auth use` and `auth clear`.

use oauth_marathon::store::{Entry, FileStore, Health, Store, StoreKey};

use super::records::{Changed, Next, change};
use crate::args;
use crate::context::{Context, entries_of, no_such};
use crate::failure::{Code, Failure};
use crate::terminal::ask;
use crate::terminal::text::line;

pub(super) async fn remove(context: &Context, args: args::Remove) -> Result<(), Failure> {
    let args::One { provider, id } = args.one;
    let store = context.store().await?;
    let entry = find(&store, &provider, &id).await?;
    if !args.yes {
        let who = name(&entry);
        let question =
            format!("Remove {who} of {provider}? Its tokens are forgotten here; the provider does not hear of it.");
        if !ask::yes_or_no(context.terminal, &question).await? {
            return Err(Failure::new(Code::Failed, "nothing was removed"));
        }
    }
    match change(&store, &StoreKey::new(&*provider, &*id), |_| Next::Remove).await? {
        Changed::Removed => context.terminal.say(&format!("Removed {} of {provider}.", line(&id))),
        _ => Err(no_such(&provider, &id, &store.load_all(&provider).await?)),
    }
}

pub(super) async fn make_active(context: &Context, args: args::One) -> Result<(), Failure> {
    let args::One { provider, id } = args;
    let store = context.store().await?;
    let entry = find(&store, &provider, &id).await?;
    store.set_order(&provider, std::slice::from_ref(entry.record.credential.id())).await?;
    context.terminal.say(&format!("{} is the first of {provider}.", name(&entry)))?;
    let now = Context::now();
    let health = &entry.record.health;
    if health.out.is_some() || health.cooldowns.iter().any(|cooldown| cooldown.until > now) {
        let hint = format!("marathon auth clear {provider} {}", line(&id));
        context.terminal.note(&format!(
            "It cannot be used for now, and another one is used until then. To try it all the same: {hint}"
        ))?;
    }
    Ok(())
}

pub(super) async fn clear(context: &Context, args: args::Several) -> Result<(), Failure> {
    let provider = args.provider;
    let store = context.store().await?;
    let entries = match &args.id {
        Some(id) => vec![find(&store, &provider, id).await?],
        None => entries_of(&store, &provider).await?,
    };
    let mut cleared = Vec::new();
    for entry in entries {
        let id = entry.record.credential.id();
        let key = StoreKey::new(&*provider, id);
        let changed = change(&store, &key, |record| {
            if record.health == Health::default() {
                return Next::Keep;
            }
            let mut record = record.clone();
            record.health = Health::default();
            Next::Store(record)
        });
        if let Changed::Stored(_) = changed.await? {
            cleared.push(line(id.as_str()));
        }
    }
    context.terminal.say(&match cleared.as_slice() {
        [] => format!("Nothing kept the credentials of {provider} from being used."),
        ids => format!("Nothing keeps {} of {provider} from being used any more.", ids.join(", ")),
    })
}

/// The entry of a credential by its id; an error that lists the known ids.
pub(super) async fn find(store: &FileStore, provider: &str, id: &str) -> Result<Entry, Failure> {
    let entries = entries_of(store, provider).await?;
    let found = entries.iter().find(|entry| *entry.record.credential.id() == *id).cloned();
    found.ok_or_else(|| no_such(provider, id, &entries))
}

/// The id, with the label if that says more.
pub(super) fn name(entry: &Entry) -> String {
    let credential = &entry.record.credential;
    let id = line(credential.id().as_str());
    match credential.label_ref() {
        Some(label) if label != credential.id().as_str() => format!("{id} ({})", line(label)),
        _ => id,
    }
}
