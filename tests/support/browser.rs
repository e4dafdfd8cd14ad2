//! A browser by script: cookies, redirects, forms. It stops at the callback, which the test visits when it wants to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// A browser; a clone shares the cookies.
#[derive(Clone)]
pub(crate) struct Browser {
    client: Client<HttpConnector, Full<Bytes>>,
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
}

/// A page that the browser shows: its status, headers and text.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), cookies: Arc::default() }
    }

    /// Logs in as `user` on whatever pages the server shows, and consents. Returns where the server sends the browser at the
    /// end: the callback, not yet visited; `None` if it ends on a page of its own.
    pub(crate) async fn log_in(&self, url: &str, user: &str) -> Option<String> {
        let server = origin(url).to_owned();
        let mut next = (url.to_owned(), None);
        for _ in 0..20 {
            let shown = self.ask(&next.0, next.1.take()).await;
            if let Some(location) = shown.headers.get(LOCATION) {
                let location = location.to_str().unwrap();
                let location =
                    if location.starts_with('/') { format!("{server}{location}") } else { location.to_owned() };
                if origin(&location) != server {
                    return Some(location);
                }
                next = (location, None);
                continue;
            }
            assert_eq!(shown.status, 200, "{}", shown.html);
            let form = Form::find(&shown.html)?;
            next = (form.action, Some(fill(form.fields, user)));
        }
        panic!("the server's pages do not end");
    }

    /// Sends one GET request, without following redirects.
    pub(crate) async fn visit(&self, url: &str) -> Shown {
        self.ask(url, None).await
    }

    async fn ask(&self, url: &str, form: Option<String>) -> Shown {
        let cookies =
            self.cookies.lock().unwrap().iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("; ");
        let mut request = Request::builder().uri(url);
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies);
        }
        let request = match form {
            Some(form) => {
                request.method("POST").header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(Full::from(form))
            }
            None => request.body(Full::default()),
        };
        self.send(request.unwrap()).await
    }

    /// Sends this request as it is, and keeps the cookies of its answer.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Shown {
        let (head, body) = self.client.request(request).await.unwrap().into_parts();
        for cookie in head.headers.get_all(SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            let mut cookies = self.cookies.lock().unwrap();
            match value {
                "" => cookies.remove(name),
                value => cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        let html = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Shown { status: head.status, headers: head.headers, html }
    }
}

fn origin(url: &str) -> &str {
    let end = url.match_indices(['/', '?']).nth(2).map_or(url.len(), |(at, _)| at);
    &url[..end]
}

struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

impl Form {
    /// The first form of a page, with its fields.
    fn find(html: &str) -> Option<Self> {
        let form = html.split("<form").nth(1)?.split("</form>").next()?;
        let field = |input: &str| Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default()));
        let fields = form.split("<input").skip(1).filter_map(|input| field(input.split('>').next()?)).collect();
        Some(Self { action: attribute(form.split('>').next()?, "action")?, fields })
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    Some(tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?.to_owned())
}

fn fill(fields: Vec<(String, String)>, user: &str) -> String {
    let fields = fields.into_iter().map(|(name, value)| match &*name {
        "login" => (name, user.to_owned()),
        "password" => (name, "any".to_owned()),
        _ => (name, value),
    });
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
