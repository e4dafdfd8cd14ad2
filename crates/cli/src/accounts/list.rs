//! The command `auth list`.

use oauth_marathon::store::{FileStore, Store};

use super::view::{ProviderView, table};
use crate::args;
use crate::context::{Context, entries_of};
use crate::failure::{Code, Failure};

pub(super) async fn run(context: &Context, args: args::List) -> Result<(), Failure> {
    let store = context.store().await?;
    let providers = views(&store, args.provider.as_deref()).await?;
    if args.json {
        return context.terminal.show(&json(&providers)?);
    }
    if providers.is_empty() {
        return context.terminal.say("There are no credentials yet. Add one: marathon auth login PROVIDER");
    }
    context.terminal.show(&table(&providers, Context::now()))
}

/// The credentials to show; an error if the named provider has none.
pub(super) async fn views(store: &FileStore, only: Option<&str>) -> Result<Vec<ProviderView>, Failure> {
    let now = Context::now();
    let mut views = Vec::new();
    match only {
        Some(provider) => views.push(ProviderView::of(provider.to_owned(), &entries_of(store, provider).await?, now)),
        None => {
            for provider in store.providers().await? {
                let entries = store.load_all(&provider).await?;
                views.push(ProviderView::of(provider, &entries, now));
            }
        }
    }
    Ok(views)
}

pub(super) fn json(providers: &[ProviderView]) -> Result<String, Failure> {
    let object = serde_json::json!({ "providers": providers });
    serde_json::to_string_pretty(&object)
        .map_err(|error| Failure::new(Code::Failed, format!("the list could not be written as JSON: {error}")))
}
