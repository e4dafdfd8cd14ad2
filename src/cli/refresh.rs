//! `auth refresh`.

use std::sync::Arc;
use std::time::Duration;

use super::args;
use super::context::{Context, Http, entries_of};
use super::exchange::{self, Refreshed, Told};
use super::failure::{Code, Failure, whole};
use super::manage::{find, name};
use super::server;
use super::text::{left, plain, span};
use crate::config::OAuthServer;
use crate::error::BoxError;
use crate::store::{Entry, FileStore, Record};
use crate::tokens::login::Login;
use crate::tokens::refresh::{OAuth2, RefreshErrorKind};

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

/// What is asked, and how long one exchange with it may take.
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

/// Runs in a task of its own: Ctrl-C must not cut it off between the answer and the disk.
async fn attended(
    context: &Context,
    store: &FileStore,
    provider: &str,
    entry: &Entry,
    (source, exchange): (&Arc<Source>, Duration),
) -> Result<Refreshed, BoxError> {
    let spinner = Arc::new(context.terminal.spinner(&format!("Refreshing {} of {provider}", name(entry))));
    let shown = spinner.clone();
    let work = context.begin_work();
    let (store, provider, entry, source) = (store.clone(), provider.to_owned(), entry.clone(), source.clone());
    let task = tokio::spawn(async move {
        let _work = work;
        let told = |told: Told<'_>| {
            let who = name(&entry);
            let text = match told {
                // Also where nothing but what matters is to be said.
                Told::Unstored(error) => {
                    let _ = shown.tell(&format!(
                        "{who} has new tokens, and they could not be stored: {}. They are in memory alone; they are stored as soon as that works. Do not end this command before.",
                        plain(&whole(&**error))
                    ));
                    return;
                }
                Told::UnderWay(intent) => format!(
                    "Process {} has begun to refresh {who}, and may not have ended; waiting for it.",
                    plain(&intent.process)
                ),
                Told::Busy => format!("Another process is refreshing {who}; waiting for it."),
                Told::Interrupted(intent) => format!(
                    "A refresh of {who} that process {} began has no end: its refresh token may be spent. It is tried once more.",
                    plain(&intent.process)
                ),
            };
            let _ = shown.note(&text);
        };
        exchange::refresh(&store, &provider, &entry.record, (&*source, exchange), told).await
    });
    let outcome = task.await.unwrap_or_else(|_| Err("the refresh was cut short".into()));
    drop(spinner);
    outcome
}

fn report(provider: &str, entry: &Entry, outcome: Result<Refreshed, BoxError>) -> (Code, String) {
    let who = format!("{} of {provider}", name(entry));
    let life = |record: &Record| {
        let expiry = record.credential.material.tokens().and_then(|tokens| tokens.expiry());
        let left = expiry.and_then(|expiry| left(expiry, Context::now()));
        left.map_or_else(String::new, |left| format!(", good for {}", span(left)))
    };
    match outcome {
        Ok(Refreshed::New(record)) => (Code::Done, format!("{who} has a new token{}.", life(&record))),
        Ok(Refreshed::Adopted(record)) => {
            (Code::Done, format!("{who} has a new token{}: another process has just refreshed it.", life(&record)))
        }
        Ok(Refreshed::NotRefreshable) => {
            (Code::Done, format!("{who} has no refresh token; there is nothing to refresh."))
        }
        Ok(Refreshed::Gone) => (Code::Missing, format!("{who} was removed meanwhile, and stays so.")),
        Ok(Refreshed::Refused(error)) => {
            let (code, remedy) = match error.kind() {
                RefreshErrorKind::LoginNeeded => {
                    (Code::LoginNeeded, format!("log in again: marathon auth login {provider}"))
                }
                RefreshErrorKind::Misconfigured => {
                    (Code::Failed, "correct the client id, its secret or the token URL".to_owned())
                }
                RefreshErrorKind::Transient => (Code::Failed, "try again later; the tokens are kept".to_owned()),
            };
            (code, format!("{who} could not be refreshed: {}; {remedy}", whole(&error)))
        }
        Err(error) => (Code::Failed, format!("{who} could not be refreshed: {}", whole(&*error))),
    }
}
