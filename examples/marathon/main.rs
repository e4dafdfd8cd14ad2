//! The whole story in a few seconds: one provider, three accounts, and everything that goes wrong on the way.
//!
//! A provider with an OAuth server runs on a free port of this machine. All requests are real; so is every line.
//!
//! ```text
//! cargo run --example marathon
//! ```

mod paint;
mod scenes;
mod story;
#[path = "../support/mod.rs"]
mod support;

use oauth_marathon::clients::HttpClient;
use oauth_marathon::tokens::refresh::OAuth2;
use oauth_marathon::{BoxError, Credential, MarathonLayer, Pool};
use tower::ServiceBuilder;

use self::paint::Paint;
use self::story::Story;
use self::support::Provider;

const ACCOUNTS: [&str; 3] = ["work", "home", "spare"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let provider = Provider::start(ACCOUNTS).await?;
    let (origin, token_url) = (provider.origin.clone(), format!("{}/oauth/token", provider.origin));

    // This is all that an application writes.
    let http = HttpClient::new()?;
    let pool = Pool::builder("demo")
        .origin(&origin)
        .credentials(ACCOUNTS.map(|name| Credential::new(name, provider.login(name))))
        .token_source(OAuth2::new(&token_url, "my-client-id", http.clone()))
        .build()?;
    let client = ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(http);

    let mut paint = Paint::default();
    paint.title("One provider, three accounts, and what goes wrong on the way");
    paint.note("provider", &origin);
    paint.note("oauth", &token_url);
    paint.note("accounts", ACCOUNTS.join(", "));

    let events = pool.events();
    let mut story = Story { provider, pool, client, events, paint, scene: 0 };
    scenes::play(&mut story).await?;
    scenes::curtain(&mut story)?;
    story.pool.shutdown().await;
    Ok(())
}
