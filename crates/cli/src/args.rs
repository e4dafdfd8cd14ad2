//! The arguments. No secret is among them: every user of the machine can read arguments.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

const AFTER_HELP: &str = "\
Exit codes:
  0    done
  1    failed
  2    wrong arguments, or a question and no terminal to ask it on
  3    there is no such provider or credential
  4    somebody has to log in: a login was refused or not finished, or a refresh token is of no more use
  130  interrupted

NO_COLOR and CLICOLOR_FORCE are honoured. No secret is taken from arguments or from the environment.";

const GLOBAL: &str = "Global options";

/// The accounts that requests run with: log in, list, reorder, refresh, remove.
#[derive(Debug, Parser)]
#[command(name = "marathon", version, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, clap::Args)]
pub(super) struct Global {
    /// The file with the credentials [default: credentials.json of this user].
    #[arg(long, global = true, value_name = "FILE", help_heading = GLOBAL)]
    pub(super) store: Option<PathBuf>,
    /// Whether to use colours.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto, help_heading = GLOBAL)]
    pub(super) color: Color,
    /// Print only what was asked for, and errors.
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    pub(super) quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one value of it")]
pub(super) enum Command {
    /// Log in and look after the credentials.
    #[command(subcommand)]
    Auth(Auth),
    /// Look after the settings.
    #[command(subcommand)]
    Config(Config),
    /// Print the completions of a shell.
    Completions(Completions),
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one value of it")]
pub(super) enum Auth {
    /// Log in, or add a key. The same account again gets its new tokens; another one is added.
    Login(Login),
    /// Show the credentials in their order of use, without secrets.
    List(List),
    /// Forget a credential.
    Remove(Remove),
    /// Put a credential to the front, so that it is used first.
    Use(One),
    /// End what keeps credentials from being used: cooldowns, bans, lost logins.
    Clear(Several),
    /// Replace access tokens now.
    Refresh(Refresh),
    /// Take credentials over from the auth.json of opencode or codex, or from an export.
    Import(Import),
    /// Write down what `list` shows, or everything.
    Export(Export),
}

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Look for mistakes in a configuration.
    Check(Check),
}

#[derive(Debug, clap::Args)]
pub(super) struct Login {
    /// The id of the provider, such as openai.
    pub(super) provider: String,
    /// Log in with a code that is typed in on another device.
    #[arg(long, conflicts_with_all = ["token_stdin", "no_browser", "redirect_uri"])]
    pub(super) device: bool,
    /// Do not open a browser; print the address only.
    #[arg(long, conflicts_with = "token_stdin")]
    pub(super) no_browser: bool,
    /// Add a key or a token that does not change, read from the standard input.
    #[arg(long)]
    pub(super) token_stdin: bool,
    /// What people call the account.
    #[arg(long)]
    pub(super) label: Option<String>,
    /// The id of the credential [default: after the label or the account].
    #[arg(long)]
    pub(super) id: Option<String>,
    /// Where requests with this credential go, in place of the origin that they are addressed to.
    #[arg(long, value_name = "URL")]
    pub(super) base_url: Option<String>,
    /// The header that carries the token [default: authorization].
    #[arg(long, value_name = "NAME")]
    pub(super) header: Option<String>,
    #[command(flatten)]
    pub(super) server: Server,
    /// The authorization endpoint, if the issuer does not name it.
    #[arg(long, value_name = "URL", help_heading = "OAuth server")]
    pub(super) authorization_url: Option<String>,
    /// The device authorization endpoint, if the issuer does not name it.
    #[arg(long, value_name = "URL", help_heading = "OAuth server")]
    pub(super) device_authorization_url: Option<String>,
    /// What to ask for; may be given several times.
    #[arg(long, value_name = "SCOPE", help_heading = "OAuth server")]
    pub(super) scope: Vec<String>,
    /// Where the browser brings its answer, if the server knows one address only.
    #[arg(long, value_name = "URL", help_heading = "OAuth server")]
    pub(super) redirect_uri: Option<String>,
    /// Where to ask who has logged in, if no id token says so.
    #[arg(long, value_name = "URL", help_heading = "OAuth server")]
    pub(super) userinfo_url: Option<String>,
    /// Which claim tells accounts apart, as a JSON pointer [default: /sub].
    #[arg(long, value_name = "POINTER", help_heading = "OAuth server")]
    pub(super) subject_claim: Option<String>,
    /// A further parameter of the request that opens the login; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair, help_heading = "OAuth server")]
    pub(super) parameter: Vec<(String, String)>,
}

/// Where the OAuth server is. An argument outranks the configuration.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "OAuth server")]
pub(super) struct Server {
    /// The configuration with provider.PROVIDER.oauth [default: that of opencode in the user's folder].
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The server, whose metadata names the endpoints.
    #[arg(long, value_name = "URL")]
    pub(super) issuer: Option<String>,
    /// Your client id at the server.
    #[arg(long, value_name = "ID")]
    pub(super) client_id: Option<String>,
    /// The token endpoint, if the issuer does not name it.
    #[arg(long, value_name = "URL")]
    pub(super) token_url: Option<String>,
    /// The file with the secret of a confidential client.
    #[arg(long, value_name = "FILE")]
    pub(super) client_secret_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only this provider.
    pub(super) provider: Option<String>,
    /// Print JSON; times are milliseconds since 1970.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Remove {
    #[command(flatten)]
    pub(super) one: One,
    /// Do not ask.
    #[arg(long, short)]
    pub(super) yes: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct One {
    /// The id of the provider.
    pub(super) provider: String,
    /// The id of the credential.
    pub(super) id: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct Several {
    /// The id of the provider.
    pub(super) provider: String,
    /// The id of the credential [default: all].
    pub(super) id: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Refresh {
    #[command(flatten)]
    pub(super) which: Several,
    #[command(flatten)]
    pub(super) server: Server,
}

#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The file of the other program.
    pub(super) file: PathBuf,
    /// Only the credentials of this provider.
    #[arg(long)]
    pub(super) provider: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// With tokens and keys, as a file that `import` reads.
    #[arg(long, requires = "output")]
    pub(super) with_secrets: bool,
    /// The file to make, for this user alone (mode 0600) [default: the standard output].
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// An opencode.json or opencode.jsonc, or a file with the same `provider` object.
    pub(super) file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// The shell.
    pub(super) shell: clap_complete::Shell,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a name and a value with = between them were expected")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Args::command().debug_assert();
    }
}
