//! The port that is open for the callback: for how long, and for whom.

use std::time::Duration;

use oauth_marathon::tokens::login::LoginErrorKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::code::common::{TOKENS, address, within};
use crate::support::browser::Browser;
use crate::support::login::{Script, callback, says, value};

#[tokio::test]
async fn the_port_closes_after_one_use_in_time_and_when_dropped() {
    within(async {
        let open = async |address: &str| TcpStream::connect(address).await.is_ok();
        // After one use.
        let script = Script::new([says(200, TOKENS)]);
        let login = script.login().by_code().await.unwrap();
        let (url, browser) = (login.url().to_owned(), Browser::new());
        let callback = callback(&url, "code=c");
        let (logged_in, _) = tokio::join!(login.finish(), browser.visit(&callback));
        logged_in.unwrap();
        assert!(!open(&address(&url)).await);

        // When it is dropped, and when its future is.
        let login = script.login().by_code().await.unwrap();
        let address = address(login.url());
        assert!(open(&address).await);
        drop(login);
        closed(&address).await;
        let login = script.login().by_code().await.unwrap();
        let address = self::address(login.url());
        let finish = tokio::spawn(login.finish());
        assert!(open(&address).await);
        finish.abort();
        closed(&address).await;

        // In time.
        let login = script.login().time_limit(Duration::ZERO).by_code().await.unwrap();
        let address = self::address(login.url());
        assert_eq!(login.finish().await.unwrap_err().kind(), LoginErrorKind::Expired);
        closed(&address).await;
    })
    .await;
}

/// A task that is aborted ends the next time it is looked at.
async fn closed(address: &str) {
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_five_minutes_are_over_when_they_are() {
    let begun = tokio::time::Instant::now();
    let login = Script::new([]).login().by_code().await.unwrap();
    tokio::time::advance(Duration::from_secs(100)).await;
    assert_eq!(login.time_left(), Duration::from_secs(200));
    assert_eq!(login.finish().await.unwrap_err().kind(), LoginErrorKind::Expired);
    assert_eq!(begun.elapsed().as_secs(), 300);
}

#[tokio::test]
async fn slow_and_huge_requests_do_not_keep_the_browser_out() {
    within(async {
        let script = Script::new([says(200, TOKENS)]);
        let login = script.login().by_code().await.unwrap();
        let (url, browser) = (login.url().to_owned(), Browser::new());
        let finish = tokio::spawn(login.finish());
        let mut slow = Vec::new();
        for _ in 0..50 {
            let mut stream = TcpStream::connect(address(&url)).await.unwrap();
            stream.write_all(b"GET /callback?code=").await.unwrap();
            slow.push(stream);
        }
        let mut huge = TcpStream::connect(address(&url)).await.unwrap();
        let _ = huge.write_all(format!("GET /{} HTTP/1.1\r\n", "x".repeat(100_000)).as_bytes()).await;
        let mut answer = Vec::new();
        let _ = huge.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
        let shown = browser.visit(&callback(&url, "code=c")).await;
        assert_eq!(shown.status, 200);
        finish.await.unwrap().unwrap();
        drop(slow);
    })
    .await;
}

#[tokio::test]
async fn however_many_connect_and_ask_for_nothing_the_browser_is_let_in() {
    within(async {
        let script = Script::new([says(200, TOKENS)]);
        let login = script.login().by_code().await.unwrap();
        let (url, browser) = (login.url().to_owned(), Browser::new());
        let finish = tokio::spawn(login.finish());
        let mut silent = Vec::new();
        for _ in 0..300 {
            let mut stream = TcpStream::connect(address(&url)).await.unwrap();
            let _ = stream.write_all(b"GET /callback?code=").await;
            silent.push(stream);
        }
        assert_eq!(browser.visit(&callback(&url, "code=c")).await.status, 200);
        finish.await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_request_that_does_not_end_is_given_up_long_before_the_login() {
    let login = Script::new([]).login().by_code().await.unwrap();
    let mut slow = TcpStream::connect(address(login.url())).await.unwrap();
    slow.write_all(b"GET /callback?code=").await.unwrap();
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let gone = async {
        let mut answer = Vec::new();
        let _ = slow.read_to_end(&mut answer).await;
    };
    let time = async {
        loop {
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    };
    tokio::select! { () = gone => {}, () = time => {} }
    let took = begun.elapsed().as_secs();
    tokio::time::resume();
    // At 300 s the login itself would have closed it.
    assert!((5..=200).contains(&took), "{took}");
    assert!(login.time_left() > Duration::from_secs(90));
}

#[tokio::test]
async fn a_fixed_port_and_path_are_used_and_a_port_in_use_is_named() {
    within(async {
        let script = Script::new([says(200, TOKENS)]);
        let busy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = busy.local_addr().unwrap().port();
        let login = script.login().redirect_uri(format!("http://localhost:{port}/auth/callback"));
        let error = login.by_code().await.unwrap_err();
        assert_eq!(error.kind(), LoginErrorKind::Listen);
        assert!(error.to_string().contains(&port.to_string()), "{error}");
        drop(busy);
        let login = login.by_code().await.unwrap();
        assert_eq!(login.redirect_uri(), format!("http://localhost:{port}/auth/callback"));
        let (browser, url) = (Browser::new(), callback(login.url(), "code=c"));
        let (logged_in, shown) = tokio::join!(login.finish(), browser.visit(&url));
        assert_eq!(shown.status, 200);
        logged_in.unwrap();
        assert_eq!(
            value(&script.asked()[0].body, "redirect_uri").unwrap(),
            format!("http://localhost:{port}/auth/callback")
        );
    })
    .await;
}
