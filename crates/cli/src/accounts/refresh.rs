//! The command `auth refresh`.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use oauth_marathon::BoxError;
use oauth_marathon::config::OAuthServer;
use oauth_marathon::store::{Entry, FileStore, Record};
use oauth_marathon::tokens::login::Login;
use oauth_marathon::tokens::refresh::{
    OAuth2, RecordRefresh, RecordRefreshNews, RecordRefreshed, RefreshError, RefreshErrorKind,
};

use super::manage::{find, name};
use crate::args;
use crate::context::{Context, Http, entries_of};
use crate::failure::{Code, Failure, whole};
use crate::server;
use crate::terminal::Spinner;
use crate::terminal::text::{left, plain, span};

type Source = OAuth2<Http, http_body_util::Full<bytes::Bytes>>;

pub(super) async fn run(context: &Context, args: args::Refresh) -> Result<(), Failure> {
    let provider = &*args.which.provider;
    let store = context.store().await?;
    let entries = match &args.which.id {
        Some(id) => vec![find(&store, provider, id).await?],
        None => entries_of(&store, provider).await?,
    };
    let (source, exchange) = source(provider, &args.server).await?;
    let source = Arc::new(source);
    let mut code = Code::Done;
    for entry in entries {
        let outcome = attended(context, &store, provider, &entry, (&source, exchange)).await;
        let (worse, text) = report(provider, &entry, outcome);
        match worse {
            Code::Done => context.terminal.say(&text)?,
            _ => context.terminal.tell(&plain(&text))?,
        }
        if worse != Code::Done && code != Code::LoginNeeded {
            code = worse;
        }
    }
    if code == Code::Done { Ok(()) } else { Err(Failure::silent(code)) }
}

/// The token source for a provider, and how long one exchange with it may take.
async fn source(provider: &str, args: &args::Server) -> Result<(Source, Duration), Failure> {
    let found = server::find(provider, args)?;
    let is_enough = |server: &OAuthServer| server.issuer.is_some() || server.token_url.is_some();
    found.check(provider, is_enough, "--issuer (or --token-url) and --client-id")?;
    found.server.validate()?;
    let http = Context::http(&found.settings)?;
    let server = match &found.server.token_url {
        Some(_) => found.server,
        None => Login::new(found.server, http.clone()).discover().await?,
    };
    let exchange = found.settings.exchange_timeout;
    let mut source: Source = OAuth2::for_server(&server, http)?.timeout(exchange);
    if let Some(secret) = server::client_secret(args)? {
        source = source.client_secret(secret);
    }
    Ok((source, exchange))
}

/// Refreshes in a task of its own, so that Ctrl-C does not cut it off between the answer and the disk.
async fn attended(
    context: &Context,
    store: &FileStore,
    provider: &str,
    entry: &Entry,
    (source, exchange): (&Arc<Source>, Duration),
) -> Result<RecordRefreshed, BoxError> {
    let spinner = Arc::new(context.terminal.spinner(&format!("Refreshing {} of {provider}", name(entry))));
    let shown = spinner.clone();
    let work = context.begin_work();
    let (store, provider, entry, source) = (store.clone(), provider.to_owned(), entry.clone(), source.clone());
    let task = tokio::spawn(async move {
        let _work = work;
        let refresh = RecordRefresh::new(&store, &*source).exchange_timeout(exchange);
        refresh.run(&provider, &entry.record, |news| tell(&shown, &name(&entry), &news)).await
    });
    let outcome = task.await;
    drop(spinner);
    Ok(outcome.map_err(|_| "the refresh was cut short")??)
}

/// Shows the steps of a refresh to the person who waits.
fn tell(shown: &Spinner, who: &str, news: &RecordRefreshNews<'_>) {
    let text = match news {
        // Printed even with `--quiet`.
        RecordRefreshNews::Unstored(error) => {
            let _ = shown.tell(&format!(
                "{who} has new tokens, and they could not be stored: {}. They are in memory alone; they are stored as soon as that works. Do not end this command before.",
                plain(&whole(&***error))
            ));
            return;
        }
        RecordRefreshNews::UnderWay(intent) => format!(
            "Process {} has begun to refresh {who}, and may not have ended; waiting for it.",
            plain(&intent.process)
        ),
        RecordRefreshNews::Waiting => format!("Another process is refreshing {who}; waiting for it."),
        RecordRefreshNews::Interrupted(intent) => format!(
            "A refresh of {who} that process {} began has no end: its refresh token may be spent. It is tried once more.",
            plain(&intent.process)
        ),
        _ => return,
    };
    let _ = shown.note(&text);
}

fn report(provider: &str, entry: &Entry, outcome: Result<RecordRefreshed, BoxError>) -> (Code, String) {
    let who = format!("{} of {provider}", name(entry));
    let life = |record: &Record| {
        let expiry = record.credential.material().tokens().and_then(|tokens| tokens.expiry());
        let left = expiry.and_then(|expiry| left(expiry, Context::now()));
        left.map_or_else(String::new, |left| format!(", good for {}", span(left)))
    };
    match outcome {
        Ok(RecordRefreshed::New(record)) => (Code::Done, format!("{who} has a new token{}.", life(&record))),
        Ok(RecordRefreshed::Adopted(record)) => {
            (Code::Done, format!("{who} has a new token{}: another process has just refreshed it.", life(&record)))
        }
        Ok(RecordRefreshed::NotRefreshable) => {
            (Code::Done, format!("{who} has no refresh token; there is nothing to refresh."))
        }
        Ok(RecordRefreshed::Removed) => (Code::Missing, format!("{who} was removed meanwhile, and stays so.")),
        Ok(other) => (Code::Failed, format!("{who}: the refresh has ended as {other:?}")),
        Err(error) => failed(provider, &who, &*error),
    }
}

/// What a failed refresh means, and what to do about it.
fn failed(provider: &str, who: &str, error: &(dyn StdError + 'static)) -> (Code, String) {
    let message = format!("{who} could not be refreshed: {}", whole(error));
    let refused = error.source().and_then(|source| source.downcast_ref::<RefreshError>());
    let (code, remedy) = match refused.map(RefreshError::kind) {
        Some(RefreshErrorKind::LoginNeeded) => {
            (Code::LoginNeeded, format!("log in again: marathon auth login {provider}"))
        }
        Some(RefreshErrorKind::Misconfigured) => {
            (Code::Failed, "correct the client id, its secret or the token URL".to_owned())
        }
        Some(_) => (Code::Failed, "try again later; the tokens are kept".to_owned()),
        None => return (Code::Failed, message),
    };
    (code, format!("{message}; {remedy}"))
}
