//! `auth export`.

use std::io::{self, Write};
use std::path::Path;

use oauth_marathon::store::StoreContent;

use super::list::{json, views};
use crate::args;
use crate::context::Context;
use crate::failure::{Code, Failure};

pub(super) async fn run(context: &Context, args: args::Export) -> Result<(), Failure> {
    let store = context.store().await?;
    if !args.with_secrets {
        let text = json(&views(&store, None).await?)?;
        return match &args.output {
            None => context.terminal.show(&text),
            Some(path) => {
                write(path, text.as_bytes())?;
                context.terminal.say(&format!("Wrote what `auth list` shows to {}.", path.display()))
            }
        };
    }
    let Some(path) = &args.output else {
        return Err(Failure::new(Code::Usage, "tokens are written to a file only: give --output FILE"));
    };
    let content = StoreContent::load(&store).await?;
    let count: usize = content.providers.values().map(Vec::len).sum();
    write(path, content.to_text()?.expose().as_bytes())?;
    context.terminal.say(&format!("Wrote {count} credentials to {}.", path.display()))?;
    context.terminal.note("The file holds everything that is needed to act as these accounts: keep it to yourself.")
}

/// Makes a file that only this user may read, whole or not at all.
fn write(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        let remedy = match error.kind() {
            io::ErrorKind::AlreadyExists => "nothing is overwritten: remove it, or name another file",
            _ => "name a file in a folder that this user may write to",
        };
        Failure::new(Code::Failed, format!("{} could not be made: {error}; {remedy}", path.display()))
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| failed(error.error))?;
    Ok(())
}
