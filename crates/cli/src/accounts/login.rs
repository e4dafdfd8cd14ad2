//! The command `auth login`.

use std::sync::Arc;

use oauth_marathon::config::OAuthServer;
use oauth_marathon::store::{FileStore, Record, Store, StoreKey};
use oauth_marathon::tokens::login::{CodeLogin, DeviceLogin, LoggedIn, Login, Merge, Progress};
use oauth_marathon::{Credential, Generation, Material, Pool, Secret, TokenSet};

use super::manage::name;
use super::merge::{add, place, refreshed};
use super::records::{Changed, Next, change};
use crate::args;
use crate::context::Context;
use crate::failure::{Code, Failure};
use crate::server::{self, Found};
use crate::terminal::ask;
use crate::terminal::text::{line, plain};
use crate::terminal::{BOLD, Spinner, Terminal};

pub(super) async fn run(context: &Context, args: args::Login) -> Result<(), Failure> {
    // Before the login: a store that cannot be used has to show now.
    let store = context.store().await?;
    let found = found(&args)?;
    if args.token_stdin {
        let secret = ask::secret(&format!("Key or token for {} (not shown): ", line(&args.provider))).await?;
        return keep(context, &store, &args, &found.server, Who::of_key(secret)).await;
    }
    let logged_in = log_in(context.terminal, &args, &found).await?;
    keep(context, &store, &args, &found.server, Who::of_login(logged_in)).await
}

fn found(args: &args::Login) -> Result<Found, Failure> {
    let mut found = server::find(&args.provider, &args.server)?;
    let server = &mut found.server;
    if args.authorization_url.is_some() {
        server.authorization_url.clone_from(&args.authorization_url);
    }
    if args.device_authorization_url.is_some() {
        server.device_authorization_url.clone_from(&args.device_authorization_url);
    }
    if !args.scope.is_empty() {
        server.scopes.clone_from(&args.scope);
    }
    if args.header.is_some() {
        server.header.clone_from(&args.header);
    }
    server.validate()?;
    Ok(found)
}

async fn log_in(terminal: Terminal, args: &args::Login, found: &Found) -> Result<LoggedIn, Failure> {
    let is_enough = |server: &OAuthServer| {
        let start = if args.device { &server.device_authorization_url } else { &server.authorization_url };
        server.issuer.is_some() || (server.token_url.is_some() && start.is_some())
    };
    found.check(&args.provider, is_enough, "--issuer and --client-id")?;
    let spinner = Arc::new(terminal.spinner("Asking the server"));
    let login = login(args, found, &spinner)?;
    let result = if args.device {
        let started = login.by_device().await?;
        invite_to_device(&spinner, &started)?;
        started.finish().await
    } else {
        let started = login.by_code().await?;
        invite_to_browser(&spinner, args, found, &started)?;
        started.finish().await
    };
    Ok(result?)
}

fn login(args: &args::Login, found: &Found, spinner: &Arc<Spinner>) -> Result<Login, Failure> {
    let mut login = Login::new(found.server.clone(), Context::http(&found.settings)?);
    if let Some(secret) = server::client_secret(&args.server)? {
        login = login.client_secret(secret);
    }
    if let Some(uri) = &args.redirect_uri {
        login = login.redirect_uri(uri);
    }
    if let Some(url) = &args.userinfo_url {
        login = login.userinfo_url(url);
    }
    if let Some(pointer) = &args.subject_claim {
        login = login.subject_claim(pointer);
    }
    for (name, value) in &args.parameter {
        login = login.parameter(name, value.as_str());
    }
    let spinner = spinner.clone();
    Ok(login.on_progress(move |step: &Progress| match step {
        Progress::CallbackRefused(_) | Progress::Trouble { .. } | Progress::SubjectUnknown { .. } => {
            let _ = spinner.note(&plain(&step.to_string()));
        }
        step => spinner.turn(plain(&step.to_string())),
    }))
}

fn invite_to_browser(spinner: &Spinner, args: &args::Login, found: &Found, started: &CodeLogin) -> Result<(), Failure> {
    let url = plain(started.url());
    spinner.tell(&format!(
        "To log in at the server of {}, {}, open:\n\n  {BOLD}{url}{BOLD:#}\n",
        line(&args.provider),
        found.origin()
    ))?;
    if args.no_browser {
        return Ok(());
    }
    match open::that_detached(started.url()) {
        Ok(()) => spinner.note("The browser should show it by itself."),
        Err(_) => {
            spinner.note("No browser could be opened; open the address by hand, on this machine. Without one: --device")
        }
    }
}

fn invite_to_device(spinner: &Spinner, started: &DeviceLogin) -> Result<(), Failure> {
    let (address, code) = (line(started.verification_uri()), line(started.user_code()));
    spinner.tell(&format!(
        "Open on any device:\n\n  {BOLD}{address}{BOLD:#}\n\nand type the code:\n\n  {BOLD}{code}{BOLD:#}\n"
    ))?;
    match started.verification_uri_complete() {
        Some(link) => spinner.tell(&format!("or open the link with the code in it:\n\n  {}\n", line(link))),
        None => Ok(()),
    }
}

/// An account that is to be stored: its secret, and its name if that is known.
struct Who {
    material: Material,
    subject: Option<String>,
    label: Option<String>,
}

impl Who {
    fn of_key(secret: Secret) -> Self {
        Self { material: Material::Key(secret), subject: None, label: None }
    }

    fn of_login(logged_in: LoggedIn) -> Self {
        Self { material: Material::OAuth(logged_in.tokens), subject: logged_in.subject, label: logged_in.label }
    }

    /// The values that decide which record the account belongs to. A label from the arguments goes before one from the
    /// tokens.
    fn identity(&self, label: Option<&str>) -> LoggedIn {
        let mut identity = LoggedIn::new(TokenSet::new(""));
        identity.subject.clone_from(&self.subject);
        identity.label = label.map(str::to_owned).or_else(|| self.label.clone());
        if identity.label.is_none() && matches!(self.material, Material::Key(_)) {
            identity.label = Some("key".to_owned());
        }
        identity
    }
}

/// Stores a login, and starts again if another process was faster.
async fn keep(
    context: &Context,
    store: &FileStore,
    args: &args::Login,
    server: &OAuthServer,
    who: Who,
) -> Result<(), Failure> {
    let provider = &*args.provider;
    let identity = who.identity(args.label.as_deref());
    for _ in 0..8 {
        let known = store.load_all(provider).await?;
        let stored = match place(&known, args.id.as_deref(), &identity)? {
            Merge::Update(id) => {
                let next = |record: &Record| Next::Store(updated(record, &who, args));
                match change(store, &StoreKey::new(provider, &id), next).await? {
                    Changed::Stored(entry) => Some((entry, "has new tokens")),
                    _ => None,
                }
            }
            Merge::Add(id) => {
                let credential = credential(id.as_str(), &who, args, server);
                usable(provider, &credential)?;
                let record = Record::new(credential, Generation::FIRST);
                add(store, provider, record, true).await?.map(|entry| (entry, "is added"))
            }
            other => return Err(Failure::new(Code::Failed, format!("the login belongs nowhere: {other:?}"))),
        };
        if let Some((entry, what)) = stored {
            let what = if matches!(who.material, Material::Key(_)) {
                what.replace("new tokens", "a new key")
            } else {
                what.to_owned()
            };
            return context.terminal.say(&format!("{} of {provider} {what}.", name(&entry)));
        }
    }
    Err(Failure::new(Code::Failed, "the store is changed by others all the time; log in again when they are done"))
}

fn credential(id: &str, who: &Who, args: &args::Login, server: &OAuthServer) -> Credential {
    let mut credential = server.apply_to(Credential::new(id, who.material.clone()));
    if let Some(subject) = &who.subject {
        credential = credential.subject(subject);
    }
    if let Some(label) = args.label.as_deref().or(who.label.as_deref()) {
        credential = credential.label(label);
    }
    if let Some(url) = &args.base_url {
        credential = credential.base_url(url);
    }
    credential
}

/// A known account with its new secret. It is sent as before, except for what the arguments change.
fn updated(record: &Record, who: &Who, args: &args::Login) -> Record {
    let mut next = refreshed(record, who.material.clone());
    let mut credential = next.credential;
    let unlabelled = credential.label_ref().is_none();
    if let Some(label) = args.label.as_deref().or(who.label.as_deref().filter(|_| unlabelled)) {
        credential = credential.label(label);
    }
    if let Some(subject) = who.subject.as_ref().filter(|_| credential.subject_ref().is_none()) {
        credential = credential.subject(subject);
    }
    if let Some(url) = &args.base_url {
        credential = credential.base_url(url);
    }
    if let Some(header) = &args.header {
        credential = credential.header(header);
    }
    next.credential = credential;
    next
}

/// Whether a pool would take the credential.
fn usable(provider: &str, credential: &Credential) -> Result<(), Failure> {
    Pool::builder(provider).origin("https://localhost").credential(credential.clone()).build()?;
    Ok(())
}
