//! The same stack for users of reqwest: as a middleware of reqwest-middleware, and over a plain client.
//!
//! The room converts requests and answers both ways and adds no rule of its own. It is not a plain conversion, because
//! a middleware borrows the chain below it, and because reqwest hides the URL and the source of an error and follows
//! redirects by itself.
//!
//! ```
//! use oauth_marathon::clients::reqwest::{MarathonMiddleware, redirect_policy};
//! use oauth_marathon::{Credential, Pool, RequestContext, Secret};
//! use reqwest_middleware::ClientBuilder;
//!
//! # async fn provider() -> Result<String, oauth_marathon::BoxError> {
//! #     use axum::http::{HeaderMap, StatusCode};
//! #     let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! #     let origin = format!("http://{}", listener.local_addr()?);
//! #     let chat = async |headers: HeaderMap, body: String| match headers["x-api-key"].as_bytes() {
//! #         b"limited" => (StatusCode::TOO_MANY_REQUESTS, String::new()),
//! #         _ => (StatusCode::OK, format!("you said {body}")),
//! #     };
//! #     let app = axum::Router::new().route("/v1/chat", axum::routing::post(chat));
//! #     tokio::spawn(async move { axum::serve(listener, app).await });
//! #     Ok(origin)
//! # }
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
//! let origin = "https://api.example.com";
//! # let origin = provider().await?;
//! let pool = Pool::builder("openai")
//!     .origin(&*origin)
//!     .credential(Credential::new("work", Secret::new("limited")).header("x-api-key"))
//!     .credential(Credential::new("home", Secret::new("fresh")).header("x-api-key"))
//!     .build()?;
//! let client = reqwest::Client::builder()
//!     // No credential leaves its origins when reqwest follows redirects.
//!     .redirect(redirect_policy(&pool))
//!     .build()?;
//! let client = ClientBuilder::new(client).with(MarathonMiddleware::from(pool)).build();
//!
//! let response = client.post(format!("{origin}/v1/chat")).body("hello").send().await?;
//! let attempts = RequestContext::of(response.extensions()).map(RequestContext::attempts);
//! assert_eq!(attempts.expect("it took more than one").len(), 2);
//! assert_eq!(response.text().await?, "you said hello");
//! # Ok(()) }
//! ```
//!
//! Over a plain client, [`ReqwestLayer`] stands below [`MarathonLayer`](crate::MarathonLayer):
//!
//! ```
//! # use oauth_marathon::clients::reqwest::{ReqwestLayer, redirect_policy};
//! # use oauth_marathon::{MarathonLayer, Pool};
//! # fn service(pool: Pool) -> Result<(), reqwest::Error> {
//! let client = reqwest::Client::builder().redirect(redirect_policy(&pool)).build()?;
//! let client = tower::ServiceBuilder::new()
//!     .layer(MarathonLayer::new(pool))
//!     .layer(ReqwestLayer::new())
//!     .service(client);
//! # let _ = |request: http::Request<oauth_marathon::clients::reqwest::RequestBody>| tower::ServiceExt::oneshot(client, request);
//! # Ok(()) }
//! ```
//!
//! # What is kept
//!
//! | | through [`MarathonMiddleware`] | through [`ReqwestLayer`] |
//! |---|---|---|
//! | the answer's URL | as reqwest says; for an answer from the pool's memory, the request's | in the extensions, for `reqwest::Response::from` |
//! | its head, extensions, remote address, length | all | all |
//! | a request's timeout | holds for each attempt | the same, where the request was converted from reqwest's |
//! | a body of bytes | neither copied nor wrapped, sent again with each attempt | the same |
//! | a streamed body | sent once | sent once; again under a [`ReplayLayer`](crate::layers::replay::ReplayLayer) |
//! | an error from below | unchanged | unchanged in the box |
//!
//! An error of reading the answer's body is of the same kind as reqwest's own, one source deeper. An error of ours is a
//! `reqwest_middleware::Error::Middleware`; [`Error::find`](crate::Error::find) finds it there.
//!
//! # Other middlewares
//!
//! Each attempt runs the rest of the chain with its own copy of the extensions, and what the last one leaves goes back up. The
//! [`RequestContext`](crate::RequestContext) is among them: middlewares below see the attempts so far, those above see all of
//! them, also where they have given up waiting. A context that the caller adds with `with_extension` hands down its pin, its
//! deadline and its group, and shows the attempts afterwards.
//!
//! Where no middleware needs it, [`MarathonMiddleware::context_in_extensions`] leaves the context out, and
//! [`MarathonMiddleware::hold_until_body_ends`] hands a good answer that is no stream on without a wrapping of its body: nine
//! allocations less.
//!
//! # Redirects
//!
//! reqwest follows redirects by itself, below. It removes `authorization` where a redirect leads to another origin, but sends
//! every other header along: `x-api-key`, or an account's id. Turn to one of these:
//!
//! - [`redirect_policy`] follows to where the credential may go, and returns the 3xx answer of any other redirect. A client that
//!   also makes requests outside of the stack follows none of theirs to another origin.
//! - `reqwest::redirect::Policy::none()` follows none. A redirect layer *above* the stack can then follow, to other origins
//!   without a credential, with
//!   [`MarathonLayer::pass_other_origins`](crate::MarathonLayer::pass_other_origins).
//!
//! A client with neither, which has gone to another origin, is reported as a warning of `tracing`.
//!
//! # What else sends again
//!
//! | what | where | what happens |
//! |---|---|---|
//! | reqwest, by default | below | resends what the provider surely did not process: a refused HTTP/2 stream, a connection that closed before the request went out. One attempt in the log, one request that counts |
//! | `ClientBuilder::retry` | below | each attempt becomes several requests with the same token, **and the log shows one**: leave it at its default, or at `reqwest::retry::never()` |
//! | reqwest-retry | below | the same, and a streamed body is refused: put it above, or leave it out |
//! | reqwest-retry | above | each of its tries is a call with a log of its own; the caller's context shows the last one. Where every credential is cooling, further tries get the pool's answer and send nothing; server errors are sent again in each. Our errors end its tries. It refuses streamed bodies |
//!
//! reqwest-retry hides an error of the first try from the chain of sources: it is inside of `RetryError::Error`.

mod adapter;
mod answer;
mod body;
mod convert;
mod middleware;
mod next;
mod redirect;

pub use self::adapter::{ReqwestLayer, ReqwestService, ResponseFuture};
pub use self::body::RequestBody;
pub use self::middleware::MarathonMiddleware;
pub use self::redirect::redirect_policy;
