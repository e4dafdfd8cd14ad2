//! A record as plain values, for a database whose columns you choose.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use oauth_marathon::store::{self, Health, Intent, LastStatus, Record};
use oauth_marathon::{BoxError, Credential, Generation, Material, Secret, TokenSet};

/// All that a record holds: texts, numbers and flags. Times are milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each column is the field of the record that has its name")]
#[non_exhaustive]
pub struct Row {
    pub id: String,
    pub generation: u64,
    pub label: Option<String>,
    pub subject: Option<String>,
    pub header: Option<String>,
    pub scheme: Option<String>,
    pub base_url: Option<String>,
    pub extra_headers: Vec<(String, Secret)>,
    pub key: Option<Secret>,
    pub access: Option<Secret>,
    pub refresh: Option<Secret>,
    pub expires_at: Option<u64>,
    pub out: Option<String>,
    pub last_status: Option<(u16, u64)>,
    pub cooldowns: Vec<Cooldown>,
    pub intent_of: Option<u64>,
    pub intent_began: Option<u64>,
    pub intent_process: Option<String>,
    pub intent_ended: bool,
}

/// A cooldown: a row of a second table.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each column is the field of the cooldown that has its name")]
#[non_exhaustive]
pub struct Cooldown {
    pub cause: String,
    pub scope: String,
    pub model: Option<String>,
    pub until: u64,
    pub guessed: bool,
}

impl Row {
    /// Takes a record apart.
    ///
    /// # Errors
    ///
    /// If its secret is of a kind that this crate does not know.
    pub fn of(record: &Record) -> Result<Self, BoxError> {
        let Record { credential, generation, health, intent, .. } = record;
        let mut row = Self {
            id: credential.id().to_string(),
            generation: generation.get(),
            label: credential.label_ref().map(str::to_owned),
            subject: credential.subject_ref().map(str::to_owned),
            header: credential.header_ref().map(str::to_owned),
            scheme: credential.scheme_ref().map(str::to_owned),
            base_url: credential.base_url_ref().map(str::to_owned),
            extra_headers: credential.extra_headers().map(|(name, value)| (name.to_owned(), value.clone())).collect(),
            out: health.out.map(|reason| reason.as_str().to_owned()),
            last_status: health.last_status.map(|last| (last.status.as_u16(), millis(last.at))),
            cooldowns: health.cooldowns.iter().map(Cooldown::of).collect(),
            intent_of: intent.as_ref().map(|intent| intent.generation.get()),
            intent_began: intent.as_ref().map(|intent| millis(intent.began)),
            intent_process: intent.as_ref().map(|intent| intent.process.clone()),
            intent_ended: intent.as_ref().is_some_and(|intent| intent.ended),
            ..Self::default()
        };
        match credential.material() {
            Material::OAuth(tokens) => {
                row.access = Some(tokens.access().clone());
                row.refresh = tokens.refresh().cloned();
                row.expires_at = tokens.expiry().map(millis);
            }
            Material::Key(key) => row.key = Some(key.clone()),
            _ => return Err("a secret of a later version".into()),
        }
        Ok(row)
    }

    /// Puts the record together again.
    ///
    /// # Errors
    ///
    /// If a word or a status is not one, or the secret is missing.
    pub fn record(&self) -> Result<Record, BoxError> {
        let mut credential = Credential::new(self.id.as_str(), self.material()?);
        if let Some(label) = &self.label {
            credential = credential.label(label);
        }
        if let Some(subject) = &self.subject {
            credential = credential.subject(subject);
        }
        if let Some(header) = &self.header {
            credential = credential.header(header);
        }
        if let Some(scheme) = &self.scheme {
            credential = credential.scheme(scheme);
        }
        if let Some(url) = &self.base_url {
            credential = credential.base_url(url);
        }
        for (name, value) in &self.extra_headers {
            credential = credential.extra_header(name, value.clone());
        }
        let mut record = Record::new(credential, Generation::new(self.generation));
        record.health = self.health()?;
        if let (Some(of), Some(began)) = (self.intent_of, self.intent_began) {
            let mut intent = Intent::new(Generation::new(of), time(began));
            intent.process = self.intent_process.clone().unwrap_or_default();
            intent.ended = self.intent_ended;
            record.intent = Some(intent);
        }
        Ok(record)
    }

    fn material(&self) -> Result<Material, BoxError> {
        if let Some(key) = &self.key {
            return Ok(key.clone().into());
        }
        let mut tokens = TokenSet::new(self.access.clone().ok_or("neither a token nor a key")?);
        if let Some(refresh) = &self.refresh {
            tokens = tokens.with_refresh(refresh.clone());
        }
        if let Some(expiry) = self.expires_at {
            tokens = tokens.expires_at(time(expiry));
        }
        Ok(tokens.into())
    }

    fn health(&self) -> Result<Health, BoxError> {
        let mut health = Health::default();
        health.out = self.out.as_deref().map(str::parse).transpose()?;
        if let Some((status, at)) = self.last_status {
            health.last_status = Some(LastStatus::new(StatusCode::from_u16(status)?, time(at)));
        }
        for row in &self.cooldowns {
            let mut cooldown = store::Cooldown::new(row.cause.parse()?, time(row.until)).with_scope(row.scope.parse()?);
            cooldown.model.clone_from(&row.model);
            health.cooldowns.push(cooldown.with_guessed(row.guessed));
        }
        Ok(health)
    }
}

impl Cooldown {
    fn of(cooldown: &store::Cooldown) -> Self {
        Self {
            cause: cooldown.cause.to_string(),
            scope: cooldown.scope.to_string(),
            model: cooldown.model.clone(),
            until: millis(cooldown.until),
            guessed: cooldown.guessed,
        }
    }
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn time(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}
