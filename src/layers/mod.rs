//! The layers of the stack. Each does one thing, works alone and knows no other; they meet in the
//! [`RequestContext`](crate::RequestContext) and the [`Verdict`](crate::verdict::Verdict).
//!
//! A layer may touch its request, its answer and the context. The credential layer alone changes the credentials of the
//! pool; the retry layer draws on the pool's budget of resends. It is not one service, because each part is of use alone (under tower's own retry, or over a client without a pool), and each can be
//! tested alone. What two layers have to tell each other goes through the context, never from one to the other.
//!
//! # The life of a call
//!
//! 1. [`notify`] opens the context of the call.
//! 2. [`replay`], where the body does not clone for free, records it while it is sent.
//! 3. [`retry`] keeps a spare of the request and starts an attempt. It is the only layer that loops.
//! 4. [`credential`] leases a credential from the pool, injects it, and passes the request on.
//! 5. Your client sends it.
//! 6. [`classify`] reads what came back and notes the verdict with the attempt.
//! 7. [`credential`] settles the attempt with the pool, and notes what the pool could offer next.
//! 8. [`retry`] decides: return the answer, the same credential again, failover to the next one, or wait.
//!
//! [`MarathonLayer`](crate::MarathonLayer) is all of them in this order.
//!
//! # Without a `ServiceBuilder`
//!
//! Each service has tower's two constructors: `layer` for its layer, and `new` for the service over another.
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use oauth_marathon::layers::classify::Classify;
//! use oauth_marathon::layers::credential::CredentialService;
//! use oauth_marathon::layers::notify::Notify;
//! use oauth_marathon::layers::retry::Retry;
//! use oauth_marathon::{Credential, Pool, Secret};
//! use oauth_marathon_test::{Reply, ScriptedProvider};
//! use tower::{Layer, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
//! let pool = Pool::builder("openai")
//!     .origin("https://api.example.com")
//!     .credential(Credential::new("work", Secret::new("t-work")))
//!     .credential(Credential::new("home", Secret::new("t-home")))
//!     .build()?;
//! let client = ScriptedProvider::new().on("t-work", [Reply::limited(20)]);
//! let each_attempt = CredentialService::new(Classify::new(client), pool.clone());
//! let client = Notify::layer().layer(Retry::new(each_attempt, &pool));
//! let request = http::Request::get("https://api.example.com/v1/models").body(Full::<Bytes>::default())?;
//! assert_eq!(client.oneshot(request).await?.status(), 200);
//! # Ok(()) }
//! ```

#[macro_use]
mod macros;

pub(crate) mod check;
pub mod classify;
pub mod credential;
pub(crate) mod marathon;
pub mod notify;
pub mod replay;
pub(crate) mod replayable;
pub mod retry;

pub use self::check::CloneService;
