//! Reads codex's `auth.json`: one account, and its form for several.

use oauth_marathon::store::Record;
use oauth_marathon::verdict::OutReason;
use oauth_marathon::{Credential, CredentialId, Secret, TokenSet};

use super::AuthFile;
use super::claims::Claims;
use super::opencode::{first, records};
use super::reader::{Object, Problem, at};

/// The provider of all its accounts, by opencode's id.
const PROVIDER: &str = "openai";

/// The header that names the account to which a token belongs.
const ACCOUNT_HEADER: &str = "chatgpt-account-id";

pub(super) fn one_account(root: &Object<'_>, file: &mut AuthFile) -> Result<(), Problem> {
    if let Some(tokens) = root.object("tokens")? {
        let record = account(&tokens, "codex".into())?;
        file.add(&tokens.place, PROVIDER, record)?;
    }
    key(root, file)
}

pub(super) fn rotation(root: &Object<'_>, file: &mut AuthFile) -> Result<(), Problem> {
    if let Some(providers) = root.object("providers")? {
        for provider in providers.objects() {
            let (name, provider) = provider?;
            for object in records(&provider)?.unwrap_or_default() {
                file.add(&object.place, name, record(&object)?)?;
            }
        }
    }
    key(root, file)
}

fn record(object: &Object<'_>) -> Result<Record, Problem> {
    let id = object.filled_text("id")?;
    let tokens = object.object("tokens")?;
    let tokens = tokens.ok_or_else(|| at(&object.place_of("tokens"), "an object was expected"))?;
    let mut record = account(&tokens, id.into())?;
    if let Some(label) = object.optional_text("label")?.filter(|label| !label.is_empty()) {
        record.credential = record.credential.label(label);
    }
    if let Some(health) = object.object("health")?
        && health.flag("requires_relogin")? == Some(true)
    {
        record.health.out = Some(OutReason::RefreshRefused);
    }
    Ok(record)
}

fn account(object: &Object<'_>, id: CredentialId) -> Result<Record, Problem> {
    let access = object.filled_text("access_token")?;
    let mut tokens = TokenSet::new(access);
    if let Some(refresh) = object.optional_text("refresh_token")?.filter(|token| !token.is_empty()) {
        tokens = tokens.with_refresh(refresh);
    }
    if let Some(expiry) = Claims::of(access).expiry() {
        tokens = tokens.expires_at(expiry);
    }
    let claims = object.optional_text("id_token")?.map(Claims::of).unwrap_or_default();
    let account = object.optional_text("account_id")?.filter(|account| !account.is_empty());
    let mut credential = Credential::new(id, tokens);
    if let Some(subject) = account.map(str::to_owned).or_else(|| claims.text("sub")) {
        credential = credential.subject(subject);
    }
    if let Some(label) = claims.text("email") {
        credential = credential.label(&label);
    }
    if let Some(account) = account {
        credential = credential.extra_header(ACCOUNT_HEADER, account);
    }
    Ok(first(credential))
}

fn key(root: &Object<'_>, file: &mut AuthFile) -> Result<(), Problem> {
    match root.optional_text("OPENAI_API_KEY")? {
        None | Some("") => Ok(()),
        Some(key) => {
            let credential = Credential::new("key", Secret::new(key));
            file.add(&root.place_of("OPENAI_API_KEY"), PROVIDER, first(credential))
        }
    }
}
