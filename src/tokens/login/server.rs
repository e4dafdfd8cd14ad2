//! The small HTTP server on this machine that waits for the browser.
//!
//! It hands the first answer to the login, and holds all requests that bring the same answer until the outcome is known:
//! a reload or a prefetch gets the same page, and causes no second exchange.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::callback::{Callback, Expected, Ruling, judge, same};
use super::error::{LoginError, LoginErrorKind};
use super::page::Page;
use super::progress::{CallbackRefusal, Progress, Reporter};
use super::redirect::Redirect;
use super::visitors::Visitors;
use crate::credentials::Secret;
use crate::sync::{Mutex, lock};

/// The time limit for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of a head. It is this much because browsers send the cookies of every program that has ever served on
/// this host.
const HEAD_LIMIT: usize = 64 * 1024;
/// How long connections without a request are kept once the outcome is known: a browser opens some in advance.
const IDLE_GRACE: Duration = Duration::from_millis(250);
/// How long it may take to deliver the last pages.
const DELIVERY: Duration = Duration::from_secs(2);

/// A port of this machine. Dropping it closes the port.
pub(super) struct Port {
    listener: TcpListener,
    pub(super) number: u16,
}

impl Port {
    pub(super) async fn open(redirect: &Redirect) -> Result<Self, LoginError> {
        let failed = |source: std::io::Error| {
            let message = match redirect.port {
                Some(port) => {
                    format!("port {port} of this machine could not be opened; is another login waiting on it?")
                }
                None => "no port of this machine could be opened".to_owned(),
            };
            LoginError::new(LoginErrorKind::Listen, message).with_source(source)
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, redirect.port.unwrap_or(0))).await.map_err(failed)?;
        let number = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, number })
    }
}

/// The running server. Dropping it closes the port and every connection.
pub(super) struct CallbackServer {
    tasks: JoinSet<()>,
    answer: oneshot::Receiver<Callback>,
    outcome: watch::Sender<Option<Page>>,
    stop: oneshot::Sender<()>,
}

impl CallbackServer {
    /// Waits for an answer until `deadline`, and closes if there is none.
    pub(super) fn start(port: Port, expected: Expected, deadline: Instant, reporter: Reporter) -> Self {
        let (answered, answer) = oneshot::channel();
        let (outcome, page) = watch::channel(None);
        let (stop, stopped) = oneshot::channel();
        let desk = Arc::new(Desk { expected, reporter, state: Mutex::new(State::Waiting(answered)), page });
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(port.listener, desk, deadline, stopped));
        Self { tasks, answer, outcome, stop }
    }

    /// The answer of the browser; `None` if there was none in time.
    pub(super) async fn answer(&mut self) -> Option<Callback> {
        (&mut self.answer).await.ok()
    }

    /// Shows this page on every connection that brought the answer, and closes.
    pub(super) async fn close(mut self, page: Page) {
        let _ = self.outcome.send(Some(page));
        let _ = self.stop.send(());
        let _ = tokio::time::timeout(DELIVERY, self.tasks.join_next()).await;
    }
}

/// What all connections share: the expected answer, whether it has come, and the page to show.
struct Desk {
    expected: Expected,
    reporter: Reporter,
    state: Mutex<State>,
    page: watch::Receiver<Option<Page>>,
}

enum State {
    Waiting(oneshot::Sender<Callback>),
    /// The answer has come. This is its code, if it had one.
    Answered(Option<Secret>),
}

async fn serve(listener: TcpListener, desk: Arc<Desk>, deadline: Instant, mut stop: oneshot::Receiver<()>) {
    let mut visitors = Visitors::default();
    let (busy, mut idle) = watch::channel(0_usize);
    loop {
        tokio::select! {
            // A connection that came before the end is served before the server ends.
            biased;
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    visitors.admit(|has_asked| connection(stream, desk.clone(), Busy::new(busy.clone(), has_asked)));
                }
                // Most likely the process has no file descriptor left.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            _ = &mut stop => break,
            () = tokio::time::sleep_until(deadline), if desk.is_waiting() => if desk.is_waiting() { return },
        }
    }
    drop(listener);
    if tokio::time::timeout(IDLE_GRACE, visitors.gone()).await.is_err() {
        let _ = idle.wait_for(|busy| *busy == 0).await;
    }
}

async fn connection(stream: TcpStream, desk: Arc<Desk>, busy: Busy) {
    let service = service_fn(|request: Request<Incoming>| {
        busy.begin();
        let desk = desk.clone();
        async move { Ok::<_, Infallible>(desk.answer(request).await) }
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_LIMIT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Counts a connection from its request until all of its answer has been written.
struct Busy {
    count: watch::Sender<usize>,
    begun: Arc<AtomicBool>,
}

impl Busy {
    fn new(count: watch::Sender<usize>, begun: Arc<AtomicBool>) -> Self {
        Self { count, begun }
    }

    fn begin(&self) {
        if !self.begun.swap(true, Ordering::SeqCst) {
            self.count.send_modify(|count| *count += 1);
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if self.begun.load(Ordering::SeqCst) {
            self.count.send_modify(|count| *count -= 1);
        }
    }
}

impl Desk {
    fn is_waiting(&self) -> bool {
        matches!(&*lock(&self.state), State::Waiting(_))
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, _) = request.into_parts();
        let page = match judge(&head, &self.expected) {
            Ruling::Accepted(callback) => match self.hand_over(callback) {
                true => self.outcome().await,
                false => self.refuse(CallbackRefusal::Replayed),
            },
            Ruling::Refused(refusal) => self.refuse(refusal),
            Ruling::NotFound => Page::not_found(),
            Ruling::MethodNotAllowed => Page::method_not_allowed(),
        };
        page.response()
    }

    /// Hands the answer to the login. True if it is the first one, or the same one again.
    fn hand_over(&self, callback: Callback) -> bool {
        let code = match &callback {
            Callback::Code(code) => Some(code.clone()),
            Callback::Error(_) | Callback::OtherIssuer => None,
        };
        let login = {
            let mut state = lock(&self.state);
            match (&*state, &code) {
                (State::Answered(Some(first)), Some(code)) => return same(first, code),
                (State::Answered(first), code) => return first.is_none() && code.is_none(),
                (State::Waiting(_), _) => std::mem::replace(&mut *state, State::Answered(code)),
            }
        };
        if let State::Waiting(login) = login {
            let _ = login.send(callback);
        }
        true
    }

    fn refuse(&self, refusal: CallbackRefusal) -> Page {
        self.reporter.report(Progress::CallbackRefused(refusal));
        Page::refused(refusal.sentence())
    }

    async fn outcome(&self) -> Page {
        let mut page = self.page.clone();
        let page = page.wait_for(Option::is_some).await.ok().and_then(|page| page.clone());
        page.unwrap_or_else(Page::closed)
    }
}
