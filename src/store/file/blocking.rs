//! Runs blocking work on the threads that the runtime has for it.

use tokio::runtime::Handle;

use crate::error::{Error, ErrorKind};

/// Runs `work` that touches the disk on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let runtime = Handle::try_current()
        .map_err(|source| Error::new(ErrorKind::Store, "a file store needs a tokio runtime").with_source(source))?;
    let ended = runtime.spawn_blocking(work).await;
    ended.map_err(|_| Error::new(ErrorKind::Store, "the runtime ended before the store had done its work"))?
}
