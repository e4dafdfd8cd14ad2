//! Auto traits and sizes: what can be sent, shared, cloned and printed, which traits are object-safe, how large a
//! request's future is.

use std::fmt::Debug;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::clock::{SystemClock, WallClock};
use oauth_marathon::config::{OAuthServer, ProviderOAuth, Settings};
use oauth_marathon::context::Attempt;
use oauth_marathon::events::{Event, EventStream, Notifier, Notifiers, Toast};
use oauth_marathon::layers::classify::{ClassifyBody, ClassifyLayer};
use oauth_marathon::layers::credential::{CredentialLayer, LeaseBody, OriginGuardLayer};
use oauth_marathon::layers::notify::NotifyLayer;
use oauth_marathon::layers::replay::{ReplayBody, ReplayLayer};
use oauth_marathon::layers::retry::RetryLayer;
use oauth_marathon::pool::{Candidate, CredentialSnapshot, Lease, Pool, PoolBuilder, PoolSnapshot, Standing, Strategy};
use oauth_marathon::providers::quota::{Quota, Window};
use oauth_marathon::store::{
    CasOutcome, ChangeNotifier, Changes, Cooldown, Entry, FileStore, Health, HealthChange, Intent, MemoryStore, Record,
    Revision, StoreKey, StoreLease,
};
use oauth_marathon::tokens::login::{
    CodeLogin, DeviceLogin, LoggedIn, Login, LoginError, LoginErrorKind, Merge, Progress,
};
use oauth_marathon::tokens::refresh::{OAuth2, RefreshError, RefreshRequest};
use oauth_marathon::verdict::Verdict;
use oauth_marathon::verdict::{Answer, Classifier, StandardClassifier};
use oauth_marathon::{
    BoxError, Credential, CredentialId, Error, ErrorKind, Generation, Marathon, MarathonBody, MarathonLayer, Material,
    RequestContext, Secret, TokenSet,
};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service};

type Body = Full<Bytes>;
type Hyper = Client<HttpConnector, Body>;

fn data<T: Send + Sync + Clone + Debug + Unpin + 'static>() {}
fn unique<T: Send + Sync + Debug + Unpin + 'static>() {}
fn sent<T: Send + Debug + 'static>() {}

#[test]
fn what_holds_data_can_be_sent_shared_and_printed() {
    data::<Pool>();
    data::<Credential>();
    data::<CredentialId>();
    data::<Material>();
    data::<Secret>();
    data::<TokenSet>();
    data::<Generation>();
    data::<RequestContext>();
    data::<Attempt>();
    data::<Verdict>();
    data::<PoolSnapshot>();
    data::<CredentialSnapshot>();
    data::<Standing>();
    data::<Candidate>();
    data::<Quota>();
    data::<Window>();
    data::<Settings>();
    data::<OAuthServer>();
    data::<ProviderOAuth>();
    data::<Event>();
    data::<Toast>();
    data::<Notifiers>();
    data::<ErrorKind>();
    data::<RefreshError>();
    data::<RefreshRequest>();
    data::<MemoryStore>();
    data::<StoreKey>();
    data::<Record>();
    data::<Entry>();
    data::<FileStore>();
    data::<Revision>();
    data::<Intent>();
    data::<Health>();
    data::<Cooldown>();
    data::<HealthChange>();
    data::<ChangeNotifier>();
    unique::<Changes>();
    unique::<StoreLease>();
    data::<CasOutcome>();
    data::<SystemClock>();
    data::<StandardClassifier>();
    data::<Login>();
    data::<LoggedIn>();
    data::<LoginErrorKind>();
    data::<Merge>();
    data::<Progress>();
    unique::<Error>();
    unique::<Lease>();
    unique::<EventStream>();
    unique::<OAuth2<HttpClient<Body>, Body>>();
    sent::<PoolBuilder>();
    unique::<LoginError>();
    sent::<CodeLogin>();
    sent::<DeviceLogin>();
}

#[test]
fn a_login_can_be_awaited_on_any_thread() {
    fn can_move<F: Send>(_: impl Fn() -> F) {}
    let (login, code, device) =
        (|| -> &'static Login { todo!() }, || -> CodeLogin { todo!() }, || -> DeviceLogin { todo!() });
    can_move(|| login().by_code());
    can_move(|| login().by_device());
    can_move(|| login().discover());
    can_move(|| code().finish());
    can_move(|| device().finish());
}

#[test]
fn layers_and_services_can_be_sent_shared_cloned_and_printed() {
    fn both<L>()
    where
        L: Layer<Hyper> + Send + Sync + Clone + Debug + Unpin + 'static,
        L::Service: Send + Sync + Clone + Debug + Unpin + 'static,
    {
        data::<L>();
        data::<L::Service>();
    }
    both::<NotifyLayer>();
    both::<ReplayLayer>();
    both::<RetryLayer>();
    both::<CredentialLayer>();
    both::<ClassifyLayer>();
    both::<OriginGuardLayer>();
    both::<MarathonLayer>();
    data::<HttpClient<Body>>();
}

#[test]
fn futures_and_bodies_can_be_sent_where_their_parts_can() {
    fn future<L>()
    where
        L: Layer<Hyper>,
        L::Service: Service<Request<Body>, Future: Send + Debug + 'static>,
    {
        sent::<<L::Service as Service<Request<Body>>>::Future>();
    }
    future::<NotifyLayer>();
    future::<RetryLayer>();
    future::<CredentialLayer>();
    future::<ClassifyLayer>();
    future::<OriginGuardLayer>();
    future::<MarathonLayer>();
    unique::<MarathonBody<Incoming>>();
    unique::<LeaseBody<Incoming>>();
    unique::<ClassifyBody<Incoming>>();
    unique::<ReplayBody<Incoming>>();
}

#[test]
fn the_traits_for_users_are_objects_where_the_library_keeps_them_as_such() {
    let _: Option<&dyn Strategy> = None;
    let _: Option<&dyn WallClock> = None;
    let classifiers: Vec<Box<dyn Classifier>> = vec![Box::new(StandardClassifier::new())];
    let notifiers: Vec<Box<dyn Notifier>> = vec![Box::new(|_: &Event| {})];
    assert_eq!((classifiers.len(), notifiers.len()), (1, 1));
    let _: fn(&dyn Classifier, &Answer<'_>) -> Option<Verdict> = |classifier, answer| classifier.answer(answer);
}

fn stack() -> Marathon<Hyper> {
    let pool = Pool::builder("openai").origin("https://api.example.com").build().unwrap();
    MarathonLayer::new(pool).layer(Client::builder(hyper_util::rt::TokioExecutor::new()).build_http())
}

#[test]
fn the_stack_over_a_client_can_be_boxed_and_shared() {
    let boxed: BoxCloneSyncService<Request<Body>, Response<MarathonBody<Incoming>>, BoxError> =
        BoxCloneSyncService::new(stack());
    drop(boxed);
}

#[test]
fn the_future_of_a_request_stays_small() {
    fn size<S: Service<Request<Body>>>(_: &S) -> usize {
        size_of::<S::Future>()
    }
    let stack = stack();
    let (whole, client) = (size(&stack), size(stack.get_ref()));
    println!(
        "the future of a request: {whole} bytes, of which {client} are the client's; the stack: {} bytes",
        size_of_val(&stack)
    );
    assert!(whole <= 2048, "{whole}");
    assert!(size_of_val(&stack) <= 512, "{}", size_of_val(&stack));
}
