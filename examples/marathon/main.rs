//! The whole story in a few seconds: one provider, three accounts, and everything that goes wrong on the way.
//!
//! A provider and an OAuth server run on free ports of this machine. All requests are real; so is every line.
//!
//! ```text
//! cargo run --example marathon
//! ```

mod oauth_server;
mod paint;
mod provider;
mod scenes;
mod server;
mod story;
mod world;

use std::sync::Arc;

use oauth_marathon::clients::HttpClient;
use oauth_marathon::tokens::refresh::OAuth2;
use oauth_marathon::{BoxError, Credential, MarathonLayer, Pool};
use tower::ServiceBuilder;

use self::paint::Paint;
use self::story::Story;
use self::world::World;

const ACCOUNTS: [&str; 3] = ["work", "home", "spare"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let (log, wire) = tokio::sync::mpsc::unbounded_channel();
    let world = Arc::new(World::new(&ACCOUNTS, log));
    let api = provider::start(world.clone()).await?;
    let auth = oauth_server::start(world.clone()).await?;

    // This is all that an application writes.
    let http = HttpClient::new()?;
    let pool = Pool::builder("demo")
        .origin(format!("http://{api}"))
        .credentials(ACCOUNTS.map(|name| Credential::new(name, world.login(name))))
        .token_source(OAuth2::new(format!("http://{auth}/token"), oauth_server::CLIENT_ID, http.clone()))
        .build()?;
    let client = ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(http);

    let mut paint = Paint::default();
    paint.title("One provider, three accounts, and what goes wrong on the way");
    paint.note("provider", format_args!("http://{api}"));
    paint.note("oauth", format_args!("http://{auth}"));
    paint.note("accounts", ACCOUNTS.join(", "));

    let (url, events) = (format!("http://{api}/v1/echo"), pool.events());
    let mut story = Story { world, pool, client, url, wire, events, paint, scene: 0 };
    scenes::play(&mut story).await?;
    scenes::curtain(&mut story)?;
    story.pool.shutdown().await;
    Ok(())
}
