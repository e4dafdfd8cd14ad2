//! Finds the OAuth server of a provider, in the arguments and in a configuration.
//!
//! Without `--config` only the user's own configuration is read, never one in the current folder: a foreign project
//! could name its own token endpoint there and receive the refresh tokens.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use oauth_marathon::Secret;
use oauth_marathon::config::{OAuthServer, OpencodeConfig, Settings};
use zeroize::Zeroizing;

use super::args;
use super::failure::{Code, Failure};

#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) server: OAuthServer,
    pub(super) settings: Settings,
    /// The places where a configuration was looked for.
    searched: Vec<PathBuf>,
    from: Option<PathBuf>,
}

/// The server of the configuration, with the arguments in place of the same settings.
pub(super) fn find(provider: &str, args: &args::Server) -> Result<Found, Failure> {
    let mut found = match &args.config {
        Some(path) => named(provider, path)?,
        None => of_user(provider, &user_files())?,
    };
    let server = &mut found.server;
    let given = [
        (&args.issuer, &mut server.issuer),
        (&args.client_id, &mut server.client_id),
        (&args.token_url, &mut server.token_url),
    ];
    for (argument, setting) in given {
        if argument.is_some() {
            setting.clone_from(argument);
        }
    }
    Ok(found)
}

fn named(provider: &str, path: &Path) -> Result<Found, Failure> {
    let oauth = OpencodeConfig::read(path)?.provider(provider).cloned();
    let from = oauth.is_some().then(|| path.to_owned());
    let oauth = oauth.unwrap_or_default();
    Ok(Found { server: oauth.server, settings: oauth.settings, searched: vec![path.to_owned()], from })
}

/// The first file with settings of the provider. Files that do not exist have none.
fn of_user(provider: &str, files: &[PathBuf]) -> Result<Found, Failure> {
    for path in files.iter().filter(|path| path.exists()) {
        let found = named(provider, path)?;
        if found.from.is_some() {
            return Ok(found);
        }
    }
    Ok(Found { searched: files.to_vec(), ..Found::default() })
}

/// opencode keeps it in the same place on all systems.
fn user_files() -> Vec<PathBuf> {
    let Ok(folders) = etcetera::base_strategy::Xdg::new() else { return Vec::new() };
    let folder = folders.config_dir().join("opencode");
    ["opencode.json", "opencode.jsonc"].map(|name| folder.join(name)).to_vec()
}

impl Found {
    /// An error that says how to name the server, if something is missing.
    pub(super) fn check(
        &self,
        provider: &str,
        is_enough: impl Fn(&OAuthServer) -> bool,
        needs: &str,
    ) -> Result<(), Failure> {
        if is_enough(&self.server) && self.server.client_id.is_some() {
            return Ok(());
        }
        let files: Vec<_> = self.searched.iter().map(|path| path.display().to_string()).collect();
        let files = if files.is_empty() { "a configuration".to_owned() } else { files.join(" or ") };
        let message = format!(
            "the OAuth server of {provider:?} is not known: give {needs}, or set provider.{provider}.oauth in {files}"
        );
        Err(Failure::new(Code::Usage, message))
    }

    /// Where the settings are from, for people.
    pub(super) fn origin(&self) -> String {
        match &self.from {
            Some(path) => format!("as {} says", path.display()),
            None => "as the arguments say".to_owned(),
        }
    }
}

/// The secret of a confidential client.
pub(super) fn client_secret(args: &args::Server) -> Result<Option<Secret>, Failure> {
    let Some(path) = &args.client_secret_file else { return Ok(None) };
    let wrong = |what: String| Failure::new(Code::Failed, format!("--client-secret-file {}: {what}", path.display()));
    let text = read_small(path).map_err(|error| wrong(format!("it cannot be read: {error}")))?;
    match text.trim() {
        "" => Err(wrong("it is empty; write the secret into it, alone".to_owned())),
        secret => Ok(Some(Secret::new(secret))),
    }
}

fn read_small(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(4096));
    std::fs::File::open(path)?.take(4096).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_outranks_the_configuration_and_the_first_file_that_says_something_counts() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let silent = write("a.json", r#"{ "provider": { "other": { "oauth": {} } } }"#);
        let first = write(
            "b.json",
            r#"{ "provider": { "x": { "oauth": { "clientId": "b", "issuer": "https://b.example" } } } }"#,
        );
        let second = write("c.json", r#"{ "provider": { "x": { "oauth": { "clientId": "c" } } } }"#);
        let absent = folder.path().join("none.json");
        let found = of_user("x", &[absent, silent.clone(), first.clone(), second]).unwrap();
        assert_eq!((found.server.client_id.as_deref(), found.from.as_ref()), (Some("b"), Some(&first)));

        let args = args::Server { config: Some(first), client_id: Some("mine".to_owned()), ..args::Server::default() };
        let found = find("x", &args).unwrap();
        assert_eq!(found.server.client_id.as_deref(), Some("mine"));
        assert_eq!(found.server.issuer.as_deref(), Some("https://b.example"));

        let nothing = of_user("x", &[silent]).unwrap();
        let error = nothing.check("x", |server| server.issuer.is_some(), "--issuer and --client-id").unwrap_err();
        assert_eq!(error.code(), Code::Usage);
        assert!(error.to_string().contains("--issuer and --client-id, or set provider.x.oauth in "), "{error}");
        assert!(error.to_string().contains("a.json"), "{error}");
    }
}
