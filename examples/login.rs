//! Three logins: through the browser, on another device, and the first person once more. Each comes to where it belongs.
//!
//! The OAuth server is one on a free port of this machine, the browser is a function, and the people are quick. For
//! a real server only the settings change, and people do the rest.
//!
//! ```text
//! cargo run --example login
//! ```

mod support;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use oauth_marathon::clients::HttpClient;
use oauth_marathon::config::OAuthServer;
use oauth_marathon::tokens::login::{LoggedIn, Login, Merge, Progress, merge};
use oauth_marathon::{BoxError, Pool};
use tower::ServiceExt;

use self::support::Provider;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let provider = Provider::start([]).await?;
    let http = HttpClient::<Full<Bytes>>::new()?;
    let mut server = OAuthServer::default();
    server.issuer = Some(provider.origin.clone());
    server.client_id = Some("my-client-id".to_owned());
    server.scopes = vec!["openid".to_owned(), "offline_access".to_owned()];
    let login = Login::new(server, http.clone()).on_progress(|step: &Progress| println!("   {step}"));
    let pool = Pool::builder("example").origin("https://api.example.com").build()?;

    println!("1. Through the browser");
    let started = login.by_code().await?;
    println!("   Open {}...", started.url().split('?').next().unwrap_or_default());
    let url = format!("{}&login=alice", started.url());
    let (logged_in, page) = tokio::join!(started.finish(), browse(&http, &url));
    println!("   The browser shows: {}", page?);
    keep(&pool, logged_in?)?;

    println!("2. With a code on another device");
    let started = login.by_device().await?;
    println!("   Open {} and type {}", started.verification_uri(), started.user_code());
    let url = format!("{}?user_code={}&login=bob", started.verification_uri(), started.user_code());
    let (logged_in, page) = tokio::join!(started.finish(), browse(&http, &url));
    println!("   The other device shows: {}", page?);
    keep(&pool, logged_in?)?;

    println!("3. The first one again");
    let started = login.by_code().await?;
    let url = format!("{}&login=alice", started.url());
    let (logged_in, page) = tokio::join!(started.finish(), browse(&http, &url));
    println!("   The browser shows: {}", page?);
    keep(&pool, logged_in?)?;

    let accounts: Vec<_> = pool.snapshot().credentials.iter().map(|account| account.id.to_string()).collect();
    println!("The pool holds {}.", accounts.join(" and "));
    assert_eq!(accounts, ["alice", "bob"]);
    Ok(())
}

/// Adds a login to the pool, or updates the credential of the same account.
fn keep(pool: &Pool, logged_in: LoggedIn) -> Result<(), BoxError> {
    let snapshot = pool.snapshot();
    let known = snapshot.credentials.iter().map(|account| (&account.id, account.subject.as_deref()));
    match merge(known, &logged_in) {
        Merge::Update(id) => {
            pool.update(id.as_str(), logged_in.tokens)?;
            println!("   {id} is known, and has new tokens.");
        }
        Merge::Add(id) => {
            println!("   {id} is new here.");
            pool.add(logged_in.into_credential(id))?;
        }
        other => return Err(format!("not expected: {other:?}").into()),
    }
    Ok(())
}

/// A browser: goes where it is sent, and says what the last page is called.
async fn browse(http: &HttpClient<Full<Bytes>>, url: &str) -> Result<String, BoxError> {
    let mut url = url.to_owned();
    loop {
        let answer = http.clone().oneshot(Request::get(&url).body(Full::default())?).await?;
        if let Some(location) = answer.headers().get("location") {
            url = location.to_str()?.to_owned();
            continue;
        }
        let html = answer.into_body().collect().await?.to_bytes();
        let html = String::from_utf8_lossy(&html).into_owned();
        return Ok(html.split(['<', '>']).skip_while(|part| *part != "h1").nth(1).unwrap_or(&html).to_owned());
    }
}
