//! One of the processes: it sends requests with all accounts, whose tokens live for two seconds, until the run ends it.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::config::Settings;
use oauth_marathon::store::FileStore;
use oauth_marathon::tokens::refresh::OAuth2;
use oauth_marathon::{MarathonLayer, Pool};
use tower::{Layer, ServiceExt};

use crate::support::children;

/// Where the function of the process is.
pub(crate) const MODULE: &str = module_path!();

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn process() {
    let Some(task) = children::task() else { return };
    let [path, origin, process, exchange, logins, end] = &task[..] else { panic!("{task:?}") };
    let exchange = Duration::from_millis(exchange.parse().unwrap());
    let accounts = logins.split(',').map(|login| {
        let account = Account {
            path: path.clone(),
            origin: origin.clone(),
            process: process.clone(),
            login: login.to_owned(),
            exchange,
            end: end.clone(),
        };
        tokio::spawn(account.run())
    });
    for account in accounts.collect::<Vec<_>>() {
        account.await.unwrap();
    }
}

struct Account {
    path: String,
    origin: String,
    process: String,
    login: String,
    exchange: Duration,
    /// The file whose coming ends all.
    end: String,
}

impl Account {
    async fn run(self) {
        let Some(pool) = self.opened().await else { return };
        let url = format!("{}/{}", self.origin, self.process);
        let client = HttpClient::<Full<Bytes>>::new().unwrap();
        let stack = MarathonLayer::new(pool.clone()).layer(client);
        while !self.is_over() {
            let request = http::Request::get(&url).body(Full::default()).unwrap();
            // Whatever comes of it: what counts is what the server sees, and what the store says in the end.
            drop(stack.clone().oneshot(request).await);
            tokio::time::sleep(Duration::from_millis(fastrand::u64(10..100))).await;
        }
        pool.shutdown().await;
    }

    /// A pool over the file, as soon as it is there.
    async fn opened(&self) -> Option<Pool> {
        while !self.is_over() {
            if let Ok(pool) = self.open().await {
                if !pool.snapshot().credentials.is_empty() {
                    return Some(pool);
                }
                pool.shutdown().await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        None
    }

    async fn open(&self) -> Result<Pool, oauth_marathon::Error> {
        let client = HttpClient::<Full<Bytes>>::new().unwrap();
        let source = OAuth2::new(format!("{}/token", self.origin), "mine", client);
        let source = source.parameter("process", self.process.as_str()).timeout(self.exchange);
        let mut settings = Settings::default();
        settings.exchange_timeout = self.exchange;
        settings.lease = self.exchange * 2;
        // No cooldown is long.
        settings.rate_limit_cooldown = SECOND;
        settings.auth_failure_cooldown = SECOND;
        settings.payment_cooldown = SECOND;
        settings.max_cooldown = SECOND;
        settings.max_grown_cooldown = SECOND;
        let store = FileStore::open(&self.path).await?;
        let pool = Pool::builder(self.login.as_str()).origin(self.origin.as_str()).settings(settings);
        pool.token_source(source).store(store).open().await
    }

    fn is_over(&self) -> bool {
        Path::new(&self.end).exists()
    }
}
