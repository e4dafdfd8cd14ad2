//! Limits of a single model: the account stays in use for other models.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use oauth_marathon::config::WhenAllCooling;
use oauth_marathon::events::Event;
use oauth_marathon::layers::classify::ClassifyLayer;
use oauth_marathon::layers::credential::CredentialLayer;
use oauth_marathon::layers::replay::ReplayBody;
use oauth_marathon::layers::retry::RetryLayer;
use oauth_marathon::providers::model::ModelRequest;
use oauth_marathon::verdict::{Answer, classify_fn};
use oauth_marathon::verdict::{Kind, Scope, Verdict};
use oauth_marathon::{RequestContext, TokenSet};
use oauth_marathon_test::{Reply, ScriptedProvider};
use tokio::time::Instant;
use tower::{ServiceBuilder, ServiceExt};

use crate::scripted_verdicts::{chat, cooling_models, model_limited, stage};
use crate::support::stage::{login, names, pass, pool, post, seconds, settings, under};

fn to(uri: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::post(uri).body(Full::from(body)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn other_models_go_on_with_the_account_and_it_stays_the_active_one() {
    let stage = stage(pool(&["a", "b"]), ScriptedProvider::new().on("a", [model_limited(60)]));
    assert_eq!(stage.send(chat("large")).await.status, 200);
    assert_eq!(stage.send(chat("small")).await.status, 200);
    assert_eq!(stage.send(chat("large")).await.status, 200);
    assert_eq!(stage.tokens(), ["a", "b", "a", "b"]);
    assert_eq!(stage.order(), ["a", "b"]);
    assert!(stage.all_ready());
    assert_eq!(cooling_models(&stage, "a"), [("large".to_owned(), 60)]);

    pass(60).await;
    assert_eq!(stage.send(chat("large")).await.status, 200);
    assert_eq!(stage.tokens().last().unwrap(), "a", "the cooldown is over");
    assert_eq!(cooling_models(&stage, "a"), []);
}

#[tokio::test(start_paused = true)]
async fn the_events_name_the_model() {
    let provider = ScriptedProvider::new().on("a", [model_limited(60)]).on("b", [model_limited(30)]);
    let stage = stage(pool(&["a", "b"]), provider);
    let mut events = stage.pool.events();
    assert_eq!(stage.send(chat("large")).await.status, 429);
    pass(61).await;
    let events: Vec<_> = std::iter::from_fn(|| events.try_recv()).collect();
    let of: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::CoolingDown { credential, model, .. } | Event::Recovered { credential, model, .. } => {
                (event.name(), credential.id.as_str(), model.as_deref())
            }
            Event::Exhausted { retry_after, model, .. } => {
                assert_eq!(*retry_after, Some(seconds(30)));
                (event.name(), "", model.as_deref())
            }
            _ => (event.name(), "", None),
        })
        .collect();
    let large = Some("large");
    assert_eq!(
        of,
        [
            ("cooling_down", "a", large),
            ("failed_over", "", None),
            ("cooling_down", "b", large),
            ("exhausted", "", large),
            ("recovered", "b", large),
            ("recovered", "a", large),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_pin_is_kept_and_its_account_cools_for_the_model_alone() {
    let stage = stage(pool(&["a", "b"]), ScriptedProvider::new().on("a", [model_limited(60)]));
    let pinned = |model| under(&RequestContext::new().with_pin("a"), chat(model));
    assert_eq!(stage.send(pinned("large")).await.status, 429);
    let answer = stage.send(pinned("large")).await;
    assert_eq!((answer.status, answer.retry_after()), (429, Some("60")));
    assert_eq!(stage.tokens(), ["a"], "from memory");
    assert_eq!(stage.send(pinned("small")).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn when_all_are_cooling_for_a_model_its_own_answer_comes_with_its_own_recovery() {
    let provider = ScriptedProvider::new()
        .on("a", [model_limited(60).body("large of a"), model_limited(20).body("small of a")])
        .on("b", [model_limited(90).body("large of b"), model_limited(10).body("small of b")]);
    let stage = stage(pool(&["a", "b"]), provider);
    assert_eq!(stage.send(chat("large")).await.body, "large of b");
    assert_eq!(stage.send(chat("small")).await.body, "small of b");
    pass(5).await;
    let context = RequestContext::new();
    let answer = stage.send(under(&context, chat("large"))).await;
    assert_eq!((answer.body.as_str(), answer.retry_after()), ("large of b", Some("55")));
    assert_eq!(context.recovery(), Some(seconds(55)));
    let answer = stage.send(chat("small")).await;
    assert_eq!((answer.body.as_str(), answer.retry_after()), ("small of b", Some("5")));
    assert_eq!(stage.send(chat("other")).await.status, 200);
    assert_eq!(stage.tokens(), ["a", "b", "a", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_cooldown_of_the_whole_account_counts_beside_that_of_a_model() {
    let provider =
        ScriptedProvider::new().on("a", [model_limited(60), Reply::limited(90)]).on("b", [Reply::limited(70)]);
    let stage = stage(pool(&["a", "b"]), provider);
    assert_eq!(stage.send(chat("large")).await.status, 429, "a for the model, b as a whole");
    let answer = stage.send(chat("large")).await;
    assert_eq!((answer.status, answer.retry_after()), (429, Some("60")));
    assert_eq!(stage.send(chat("small")).await.status, 429, "now a as a whole too");
    let answer = stage.send(chat("large")).await;
    assert_eq!((answer.status, answer.retry_after()), (429, Some("70")), "a is ready for none before 90");
    assert_eq!(stage.tokens(), ["a", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_for_the_first_account_that_has_the_model_back() {
    let waits = settings(|it| it.when_all_cooling = WhenAllCooling::Wait);
    let provider = ScriptedProvider::new().on("a", [model_limited(5)]).on("b", [model_limited(50)]);
    let stage = stage(pool(&["a", "b"]).settings(waits), provider);
    let start = Instant::now();
    assert_eq!(stage.send(chat("large")).await.status, 200);
    assert_eq!(start.elapsed().as_secs(), 5);
    assert_eq!(stage.tokens(), ["a", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_guess_about_a_model_is_tried_once_half_of_it_is_over_by_one_at_a_time() {
    let guessed = Reply::status(429).header("x-kind", "throttled").header("x-scope", "model");
    let stage =
        stage(pool(&["a"]), ScriptedProvider::new().on("a", [guessed]).always("a", Reply::ok().after(seconds(5))));
    assert_eq!(stage.send(chat("large")).await.status, 429);
    pass(14).await;
    assert_eq!(stage.send(chat("large")).await.status, 429);
    pass(1).await;
    let clients = (stage.clone(), stage.clone());
    let first = tokio::spawn(async move { clients.0.send(chat("large")).await.status });
    pass(1).await;
    assert_eq!(stage.send(chat("large")).await.status, 429, "one at a time");
    assert_eq!(clients.1.send(chat("small")).await.status, 200, "of no matter to another model");
    assert_eq!(first.await.unwrap(), 200);
    assert_eq!(cooling_models(&stage, "a"), [], "it works again");
    assert_eq!(stage.tokens().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_the_cooldown_of_its_own_model_only() {
    let probing = settings(|it| it.when_all_cooling = WhenAllCooling::Probe);
    let provider = ScriptedProvider::new().on("a", [model_limited(600), model_limited(600)]);
    let stage = stage(pool(&["a"]).settings(probing), provider);
    let mut events = stage.pool.events();
    stage.send(chat("large")).await;
    stage.send(chat("small")).await;
    assert_eq!(stage.send(chat("other")).await.status, 200);
    assert_eq!(cooling_models(&stage, "a"), [("large".to_owned(), 600), ("small".to_owned(), 600)]);
    assert_eq!(stage.send(chat("small")).await.status, 200, "it probes");
    assert_eq!(cooling_models(&stage, "a"), [("large".to_owned(), 600)]);
    assert_eq!(names(&mut events), ["cooling_down", "exhausted", "cooling_down", "exhausted", "recovered"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_late_changes_nothing_that_came_after_it() {
    let provider = ScriptedProvider::new().on("a", [Reply::ok().after(seconds(10)), model_limited(600)]);
    let stage = stage(pool(&["a", "b"]), provider);
    let early = stage.clone();
    let early = tokio::spawn(async move { early.send(chat("large")).await.status });
    pass(1).await;
    stage.send(chat("large")).await;
    assert_eq!(early.await.unwrap(), 200);
    assert_eq!(cooling_models(&stage, "a"), [("large".to_owned(), 591)], "a success that began before it");

    stage.pool.clear("a", Scope::Credential);
    stage.provider.set("a", model_limited(600).after(seconds(10)));
    let late = stage.clone();
    let late = tokio::spawn(async move { late.send(chat("large")).await.status });
    pass(1).await;
    stage.pool.update("a", TokenSet::new("a2")).unwrap();
    assert_eq!(late.await.unwrap(), 200);
    assert_eq!(cooling_models(&stage, "a"), [], "a limit of an old token");
}

#[tokio::test(start_paused = true)]
async fn a_new_token_has_the_limits_of_its_account() {
    let stage = stage(pool(&["a", "b"]), ScriptedProvider::new().always("a", model_limited(600)));
    stage.send(chat("large")).await;
    stage.pool.update("a", TokenSet::new("a2")).unwrap();
    assert_eq!(cooling_models(&stage, "a"), [("large".to_owned(), 600)]);
    assert!(stage.pool.remove("a"));
    stage.pool.add(login("a")).unwrap();
    assert_eq!(cooling_models(&stage, "a"), [], "another account of the same name");
}

#[tokio::test(start_paused = true)]
async fn for_one_cause_the_later_end_wins() {
    let provider = ScriptedProvider::new()
        .on("a", [model_limited(60).after(seconds(1)), model_limited(5).after(seconds(2))])
        .always("a", model_limited(100).after(seconds(3)));
    let stage = stage(pool(&["a", "b"]), provider);
    let send = || {
        let stage = stage.clone();
        tokio::spawn(async move { stage.send(chat("large")).await.status })
    };
    let mut cooldowns = Vec::new();
    for request in [send(), send(), send()] {
        assert_eq!(request.await.unwrap(), 200);
        cooldowns.push(cooling_models(&stage, "a")[0].1);
    }
    assert_eq!(cooldowns, [60, 59, 100]);
}

#[tokio::test(start_paused = true)]
async fn clearing_ends_one_model_or_all_or_everything() {
    let provider = ScriptedProvider::new()
        .on("a", [model_limited(60), model_limited(60), model_limited(60)])
        .always("a", Reply::limited(60));
    let stage = stage(pool(&["a", "b"]), provider);
    for model in ["x", "y", "z"] {
        stage.send(chat(model)).await;
    }
    assert!(stage.pool.clear_model("a", "y") && !stage.pool.clear_model("a", "y"));
    assert!(!stage.pool.clear_model("nobody", "x"));
    assert_eq!(cooling_models(&stage, "a").len(), 2);
    stage.post().await;
    assert_eq!(stage.cooldown("a"), Some((Kind::Throttled, seconds(60))));
    stage.pool.clear("a", Scope::Network);
    assert_eq!(cooling_models(&stage, "a").len(), 2, "another scope");
    stage.pool.clear("a", Scope::Model);
    assert_eq!(cooling_models(&stage, "a"), []);
    assert_eq!(stage.cooldown("a"), Some((Kind::Throttled, seconds(60))));
    stage.pool.clear("a", Scope::Credential);
    assert!(stage.all_ready());
}

#[tokio::test(start_paused = true)]
async fn too_many_models_of_an_account_let_all_of_it_cool_for_the_shortest_time() {
    let script = (0..65).map(|at| model_limited(100 + at));
    let stage = stage(pool(&["a", "b"]), ScriptedProvider::new().on("a", script));
    for at in 0..64 {
        stage.send(chat(&format!("model-{at}"))).await;
    }
    assert!(stage.all_ready());
    stage.send(chat("one-more")).await;
    assert_eq!(cooling_models(&stage, "a").len(), 64);
    assert_eq!(stage.cooldown("a"), Some((Kind::Throttled, seconds(100))));
    assert!(!cooling_models(&stage, "a").iter().any(|(model, _)| model == "model-0"));
}

#[tokio::test(start_paused = true)]
async fn two_models_over_two_accounts_each_find_their_own() {
    let provider = ScriptedProvider::new().on("a", [model_limited(60)]).on("b", [Reply::ok(), model_limited(60)]);
    let stage = stage(pool(&["a", "b"]), provider);
    stage.send(chat("large")).await;
    let small = RequestContext::new().with_pin("b");
    stage.send(under(&small, chat("small"))).await;
    assert_eq!(cooling_models(&stage, "a"), [("large".to_owned(), 60)]);
    assert_eq!(cooling_models(&stage, "b"), [("small".to_owned(), 60)]);
    let before = stage.tokens().len();
    let requests = (0..40).map(|at| {
        let stage = stage.clone();
        tokio::spawn(async move { stage.send(chat(if at % 2 == 0 { "large" } else { "small" })).await.status })
    });
    for request in requests.collect::<Vec<_>>() {
        assert_eq!(request.await.unwrap(), 200);
    }
    let sent: Vec<_> = stage.provider.requests().into_iter().skip(before).collect();
    assert_eq!(sent.len(), 40, "nobody ran into a limit that was known");
    for seen in sent {
        let large = String::from_utf8_lossy(seen.body.as_deref().unwrap()).contains("large");
        assert_eq!(seen.token(), Some(if large { "b" } else { "a" }));
    }
}

#[tokio::test(start_paused = true)]
async fn the_model_is_found_in_the_path_or_named_by_the_context_or_by_a_source_of_ones_own() {
    let own = |request: &ModelRequest<'_>| request.headers().get("x-model")?.to_str().ok().map(str::to_owned);
    let provider = ScriptedProvider::new().on("a", [model_limited(60), model_limited(60), model_limited(60)]);
    let stage = stage(pool(&["a", "b"]).model_source(own), provider);
    let path = "https://api.example.com/v1beta/models/gemini:generateContent";
    stage.send(to(path, "{}")).await;
    stage.send(under(&RequestContext::new().with_model("named"), chat("large"))).await;
    let mut request = chat("large");
    request.headers_mut().insert("x-model", "own".parse().unwrap());
    stage.send(request).await;
    let names: Vec<_> = cooling_models(&stage, "a").into_iter().map(|(model, _)| model).collect();
    assert_eq!(names, ["gemini", "named", "own"]);
    let before = stage.tokens().len();
    stage.send(to(path, "{}")).await;
    stage.send(under(&RequestContext::new().with_model("named"), post())).await;
    stage.send(chat("large")).await;
    assert_eq!(stage.tokens()[before..], ["b", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_tells_its_model_after_it_was_sent() {
    let stage = stage(pool(&["a", "b"]), ScriptedProvider::new().on("a", [model_limited(60)]));
    let (head, body) = chat("large").into_parts();
    let streamed = Request::from_parts(head, ReplayBody::new(body, 1_000));
    assert_eq!(stage.send(streamed).await.status, 200);
    assert_eq!(cooling_models(&stage, "a"), [("large".to_owned(), 60)]);
}

#[tokio::test(start_paused = true)]
async fn requests_whose_model_nobody_knows_cool_together_and_apart_from_the_others() {
    let stage = stage(pool(&["a", "b"]), ScriptedProvider::new().on("a", [model_limited(60)]));
    stage.send(to("https://api.example.com/v1/chat", "no JSON")).await;
    assert_eq!(cooling_models(&stage, "a"), [(String::new(), 60)]);
    stage.send(chat("large")).await;
    stage.post().await;
    assert_eq!(stage.tokens(), ["a", "b", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_credential_layer_alone_goes_by_what_the_context_names() {
    let classify = ClassifyLayer::with(classify_fn(|answer: &Answer<'_>| {
        (answer.status() == 429).then(|| Verdict::new(Kind::Throttled).with_scope(Scope::Model))
    }));
    let pool = pool(&["a", "b"]).build().unwrap();
    let provider = ScriptedProvider::new().always("a", Reply::status(429));
    let client =
        ServiceBuilder::new().layer(CredentialLayer::new(pool.clone())).layer(classify).service(provider.clone());
    let send = |model: Option<&str>| {
        let context = RequestContext::new();
        let context = model.into_iter().fold(context, |context, model| context.with_model(model));
        client.clone().oneshot(under(&context, chat("in the body")))
    };
    for model in [Some("large"), None, Some("large"), None] {
        send(model).await.unwrap();
    }
    assert_eq!(provider.tokens(), ["a", "a", "b", "b"]);
    let names: Vec<_> = pool.snapshot().credential("a").unwrap().models.iter().map(|it| it.model.clone()).collect();
    assert_eq!(names, ["", "large"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_before_its_model_is_told_leaves_the_limit_behind() {
    let pool = pool(&["a", "b"]).build().unwrap();
    let classify = ClassifyLayer::with(classify_fn(|answer: &Answer<'_>| {
        (answer.status() == 429).then(|| Verdict::new(Kind::Throttled).with_scope(Scope::Model))
    }));
    let client = ServiceBuilder::new()
        .layer(RetryLayer::new(pool.settings()).models(pool.models().clone()))
        // It holds the answer back for ever.
        .map_future(|answer| async move {
            let answer = answer.await;
            std::future::pending::<()>().await;
            answer
        })
        .layer(CredentialLayer::new(pool.clone()))
        .layer(classify)
        .service(ScriptedProvider::new().always("a", Reply::status(429)));
    let models = || pool.snapshot().credential("a").unwrap().models.clone();
    let mut request = Box::pin(client.oneshot(chat("large")));
    assert!(tokio::time::timeout(seconds(1), &mut request).await.is_err());
    assert!(models().is_empty());
    drop(request);
    assert_eq!(models()[0].model, "", "nobody has told its name");
    assert_eq!(pool.snapshot().credential("a").unwrap().in_flight, 0);
}
