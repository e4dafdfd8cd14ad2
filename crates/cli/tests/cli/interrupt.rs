//! Ctrl-C: a login ends at once and leaves nothing; a refresh that has begun is completed.

use oauth_marathon::Credential;

use crate::run::{Home, tokens};
use crate::server::OAuthServer;

#[tokio::test]
async fn a_login_ends_at_once() {
    let (home, server) = (Home::new(), OAuthServer::start().await);
    let args = [&["auth", "login", "x", "--no-browser"], &server.args()[..]].concat();
    let mut running = home.start(&args);
    running.says("/authorize?").await;
    running.interrupt();
    let ran = running.ended().await.failed(130, "error: interrupted");
    assert_eq!(ran.out, "");
    assert_eq!(server.asked(), 0);
    assert_eq!(home.ids("x").await, [""; 0]);
}

#[tokio::test]
async fn a_refresh_that_has_begun_is_completed() {
    let (home, server) = (Home::new(), OAuthServer::start().await);
    home.add("x", Credential::new("a", tokens("a"))).await;
    server.knows("c4n4ry-refresh-a", "alice");
    server.hold();
    let args = [&["auth", "refresh", "x"], &server.args()[..]].concat();
    let mut running = home.start(&args);
    server.was_asked().await;
    running.interrupt();
    running.says("A refresh is on its way and is completed first").await;
    server.release();
    running.ended().await.failed(130, "error: interrupted");
    let held = home.load("x", "a").await.unwrap();
    assert_eq!((held.generation.get(), held.intent), (2, None));
}
