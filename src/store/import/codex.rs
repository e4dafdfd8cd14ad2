//! codex's `auth.json`: one account, and its form for several.

use serde_json::{Map, Value};

use super::claims::Claims;
use super::opencode::{first, records, text};
use super::{Import, Record};
use crate::credentials::Secret;
use crate::credentials::TokenSet;
use crate::credentials::{Credential, CredentialId};
use crate::store::format::members::{At, Problem};
use crate::verdict::OutReason;

/// The provider of its accounts, in opencode's words.
const PROVIDER: &str = "openai";

/// The header that names the account of a token.
const ACCOUNT_HEADER: &str = "chatgpt-account-id";

pub(super) fn one_account(root: &Map<String, Value>, import: &mut Import) -> Result<(), Problem> {
    let at = At::root();
    if let Some(members) = at.optional_object(root, "tokens")? {
        let at = at.key("tokens");
        let record = account(&at, members, "codex".into())?;
        import.add(&at, PROVIDER, record)?;
    }
    key(&at, root, import)
}

pub(super) fn rotation(root: &Map<String, Value>, import: &mut Import) -> Result<(), Problem> {
    let at = At::root();
    if let Some(providers) = at.optional_object(root, "providers")? {
        let at = at.key("providers");
        for (provider, value) in providers {
            let at = at.key(provider);
            for (index, members) in records(&at, at.object(value)?)?.unwrap_or_default() {
                let at = at.key("records");
                let at = at.index(index);
                import.add(&at, provider, record(&at, members)?)?;
            }
        }
    }
    key(&at, root, import)
}

fn record(at: &At<'_>, members: &Map<String, Value>) -> Result<Record, Problem> {
    let id = text(at, members, "id")?;
    let tokens = at.optional_object(members, "tokens")?;
    let tokens = tokens.ok_or_else(|| at.key("tokens").problem("an object was expected"))?;
    let mut record = account(&at.key("tokens"), tokens, id.into())?;
    if let Some(label) = at.optional_text(members, "label")?.filter(|label| !label.is_empty()) {
        record.credential.label = Some(label.into());
    }
    if let Some(health) = at.optional_object(members, "health")?
        && at.key("health").optional_flag(health, "requires_relogin")? == Some(true)
    {
        record.health.out = Some(OutReason::RefreshRefused);
    }
    Ok(record)
}

fn account(at: &At<'_>, members: &Map<String, Value>, id: CredentialId) -> Result<Record, Problem> {
    let access = text(at, members, "access_token")?;
    let mut tokens = TokenSet::new(access);
    if let Some(refresh) = at.optional_text(members, "refresh_token")?.filter(|token| !token.is_empty()) {
        tokens = tokens.with_refresh(refresh);
    }
    if let Some(expiry) = Claims::of(access).expiry() {
        tokens = tokens.expires_at(expiry);
    }
    let claims = at.optional_text(members, "id_token")?.map(Claims::of).unwrap_or_default();
    let account = at.optional_text(members, "account_id")?.filter(|account| !account.is_empty());
    let mut credential = Credential::new(id, tokens);
    credential.subject = account.map(str::to_owned).or_else(|| claims.text("sub"));
    credential.label = claims.text("email").map(Into::into);
    if let Some(account) = account {
        credential = credential.extra_header(ACCOUNT_HEADER, account);
    }
    Ok(first(credential))
}

fn key(at: &At<'_>, root: &Map<String, Value>, import: &mut Import) -> Result<(), Problem> {
    match at.optional_text(root, "OPENAI_API_KEY")? {
        None | Some("") => Ok(()),
        Some(key) => {
            let at = at.key("OPENAI_API_KEY");
            import.add(&at, PROVIDER, first(Credential::new("key", Secret::new(key))))
        }
    }
}
