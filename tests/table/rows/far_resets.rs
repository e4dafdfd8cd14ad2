//! A quota whose reset is far away is probed before its time.

use oauth_marathon::RequestContext;
use oauth_marathon::config::{OnBan, WhenAllCooling};
use oauth_marathon::verdict::Kind;
use oauth_marathon::verdict::OutReason;
use oauth_marathon_test::{Reply, ScriptedProvider};
use tokio::time::Instant;

use crate::scripted_verdicts::{banned, chat, cooling_models, model_used_up, stage, used_up};
use crate::support::stage::{Stage, names, pass, pool, post, seconds, settings, under};

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// Sends a request every minute for so long, and says at which minutes they went out.
async fn sent(stage: &Stage, minutes: u64, model: &str) -> Vec<u64> {
    let (start, before) = (Instant::now(), stage.provider.requests().len());
    for _ in 0..minutes {
        pass(60).await;
        stage.send(chat(model)).await;
    }
    stage.provider.requests().iter().skip(before).map(|seen| (seen.at - start).as_secs() / 60).collect()
}

#[tokio::test(start_paused = true)]
async fn a_reset_in_eighteen_days_cools_for_eight_and_is_probed_at_growing_intervals() {
    fastrand::seed(1);
    let stage = stage(pool(&["a"]), ScriptedProvider::new().always("a", used_up(18 * DAY)));
    stage.post().await;
    assert_eq!(stage.cooldown("a"), Some((Kind::QuotaExhausted, seconds(8 * DAY))));
    let check = stage.of("a").next_probe.unwrap();
    assert!((6 * HOUR..=6 * HOUR + 36 * 60).contains(&check.as_secs()), "{check:?}");
    let probes = sent(&stage, 2 * 24 * 60, "large").await;
    assert!((7..=8).contains(&probes.len()), "every six hours and a little more: {probes:?}");
    for (first, second) in probes.iter().zip(&probes[1..]) {
        assert!((360..=397).contains(&(second - first)), "{probes:?}");
    }
    assert_eq!(stage.cooldown("a").unwrap().0, Kind::QuotaExhausted);
}

#[tokio::test(start_paused = true)]
async fn the_first_probe_of_a_reset_in_two_hours_comes_after_a_quarter_and_the_next_ones_later() {
    fastrand::seed(1);
    let stage = stage(pool(&["a"]), ScriptedProvider::new().on("a", [used_up(2 * HOUR)]).always("a", used_up(60)));
    stage.post().await;
    let probes = sent(&stage, 119, "large").await;
    assert_eq!(probes.len(), 3, "{probes:?}");
    let gaps = [probes[0], probes[1] - probes[0], probes[2] - probes[1]];
    assert!((15..=18).contains(&gaps[0]) && (30..=34).contains(&gaps[1]) && (60..=67).contains(&gaps[2]), "{probes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_succeeds_ends_the_cooldown_and_one_that_fails_begins_it_anew() {
    let provider = ScriptedProvider::new().on("a", [used_up(2 * DAY), used_up(3 * DAY)]);
    let stage = stage(pool(&["a"]), provider);
    let mut events = stage.pool.events();
    stage.post().await;
    pass(7 * HOUR).await;
    assert_eq!(stage.post().await.status, 429);
    assert_eq!(stage.cooldown("a"), Some((Kind::QuotaExhausted, seconds(3 * DAY))), "the later end wins");
    assert_eq!(stage.post().await.retry_after(), Some(&*(3 * DAY).to_string()), "the stated time is told");
    assert_eq!(stage.tokens().len(), 2);
    pass(7 * HOUR).await;
    assert_eq!(stage.post().await.status, 200);
    assert!(stage.all_ready());
    assert_eq!(names(&mut events), ["cooling_down", "exhausted", "recovered"]);
}

#[tokio::test(start_paused = true)]
async fn as_long_as_another_account_serves_the_stated_time_is_kept() {
    let stage = stage(pool(&["a", "b"]), ScriptedProvider::new().on("a", [used_up(DAY)]));
    stage.post().await;
    assert!(!sent(&stage, 60, "large").await.is_empty());
    pass(10 * HOUR).await;
    stage.post().await;
    assert_eq!(stage.tokens().iter().filter(|token| *token == "a").count(), 1);
    stage.provider.set("b", Reply::limited(600));
    assert_eq!(stage.post().await.status, 429);
    assert_eq!(stage.post().await.status, 200, "nobody else is left, and the probe was due");
    assert_eq!(stage.tokens().last().unwrap(), "a");
}

#[tokio::test(start_paused = true)]
async fn one_request_at_a_time_goes_to_see_and_it_alone() {
    for slow in [
        Reply::ok().after(seconds(30)),
        used_up(DAY).after(seconds(30)),
        Reply::error(std::io::ErrorKind::ConnectionRefused),
    ] {
        let stage = stage(pool(&["a"]), ScriptedProvider::new().on("a", [used_up(DAY)]).always("a", slow));
        stage.post().await;
        pass(4 * HOUR).await;
        let requests: Vec<_> = (0..20)
            .map(|_| {
                let stage = stage.clone();
                tokio::spawn(async move { stage.try_send(post()).await.map(|answer| answer.status) })
            })
            .collect();
        for request in requests {
            let _ = request.await.unwrap();
        }
        let probes = stage.tokens().len() - 1;
        assert_eq!(probes, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_keeps_no_other_from_probing_once_the_next_is_due() {
    fastrand::seed(1);
    let provider = ScriptedProvider::new().on("a", [used_up(100 * HOUR), Reply::pending()]);
    let no_limit = settings(|it| it.attempt_timeout = None);
    let stage = stage(pool(&["a"]).settings(no_limit), provider);
    stage.post().await;
    pass(7 * HOUR).await;
    let hanging = stage.spawn();
    pass(1).await;
    assert_eq!((stage.post().await.status, stage.tokens().len()), (429, 2), "one at a time");
    pass(7 * HOUR).await;
    assert_eq!((stage.post().await.status, stage.tokens().len()), (200, 3), "the next was due");
    assert!(stage.all_ready() && !hanging.is_finished(), "the first goes on");
    hanging.abort();
}

#[tokio::test(start_paused = true)]
async fn a_probe_of_all_that_are_cooling_or_of_one_model_counts_for_a_while_only() {
    let probing = || settings(|it| (it.when_all_cooling, it.attempt_timeout) = (WhenAllCooling::Probe, None));
    for refusal in [Reply::limited(DAY), model_used_up(DAY)] {
        let provider = ScriptedProvider::new().on("a", [refusal, Reply::pending(), Reply::pending()]);
        let stage = stage(pool(&["a"]).settings(probing()), provider);
        let send = || {
            let stage = stage.clone();
            tokio::spawn(async move { stage.send(chat("large")).await.status })
        };
        assert_eq!(send().await.unwrap(), 429);
        let first = send();
        pass(1).await;
        assert_eq!((send().await.unwrap(), stage.tokens().len()), (429, 2), "one at a time");
        pass(60).await;
        let second = send();
        pass(1).await;
        assert_eq!(stage.tokens().len(), 3);
        // The end of the first, which counts no more, makes room for no third.
        first.abort();
        assert!(first.await.is_err());
        assert_eq!((send().await.unwrap(), stage.tokens().len()), (429, 3));
        second.abort();
        assert!(second.await.is_err());
        assert_eq!(send().await.unwrap(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_caller_goes_away_is_not_made_again_at_once() {
    let stage = stage(pool(&["a"]), ScriptedProvider::new().on("a", [used_up(DAY), Reply::ok().after(seconds(30))]));
    stage.post().await;
    pass(4 * HOUR).await;
    let probe = stage.spawn();
    pass(1).await;
    probe.abort();
    assert!(probe.await.is_err());
    assert_eq!(stage.post().await.status, 429);
    pass(7 * HOUR).await;
    assert_eq!(stage.post().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn what_is_near_or_no_quota_or_to_be_an_error_is_not_probed() {
    let reply = |reply: Reply| ScriptedProvider::new().on("a", [reply]);
    let error = settings(|it| it.when_all_cooling = WhenAllCooling::Error);
    for (provider, pool, cooldown) in [
        (reply(used_up(HOUR)), pool(&["a"]), HOUR),
        (reply(Reply::limited(DAY)), pool(&["a"]), DAY),
        (reply(used_up(DAY)), pool(&["a"]).settings(error), DAY),
    ] {
        let stage = stage(pool, provider);
        stage.post().await;
        for _ in 0..59 {
            pass(cooldown / 60).await;
            let _ = stage.try_send(post()).await;
        }
        assert_eq!(stage.tokens().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pinned_request_probes_its_own_account_only() {
    let provider = ScriptedProvider::new().on("a", [used_up(DAY)]).on("b", [used_up(DAY)]);
    let stage = stage(pool(&["a", "b"]), provider);
    stage.post().await;
    pass(4 * HOUR).await;
    let pinned = under(&RequestContext::new().with_pin("b"), post());
    assert_eq!(stage.send(pinned).await.status, 200);
    assert_eq!(stage.tokens(), ["a", "b", "b"]);
    assert!(stage.cooldown("a").is_some() && stage.cooldown("b").is_none());
}

#[tokio::test(start_paused = true)]
async fn the_quota_of_a_model_is_probed_by_a_request_for_that_model() {
    let stage = stage(pool(&["a"]), ScriptedProvider::new().on("a", [model_used_up(DAY)]));
    stage.send(chat("large")).await;
    pass(4 * HOUR).await;
    assert_eq!(stage.send(chat("small")).await.status, 200);
    assert_eq!(cooling_models(&stage, "a").len(), 1, "another model proves nothing");
    assert_eq!(stage.send(chat("large")).await.status, 200);
    assert_eq!(cooling_models(&stage, "a"), []);
    assert_eq!(stage.tokens().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_week_that_is_used_up_dominates_the_five_hours_that_are_too() {
    let provider =
        ScriptedProvider::new().on("a", [used_up(7 * DAY).after(seconds(1)), used_up(5 * HOUR).after(seconds(2))]);
    let stage = stage(pool(&["a", "b"]), provider);
    for request in [stage.spawn(), stage.spawn()] {
        request.await.unwrap();
    }
    assert_eq!(stage.cooldown("a"), Some((Kind::QuotaExhausted, seconds(7 * DAY - 1))));
    pass(6 * HOUR).await;
    stage.post().await;
    assert_eq!(stage.tokens().last().unwrap(), "b");
}

#[tokio::test(start_paused = true)]
async fn a_ban_can_be_carried_to_the_next_account_by_a_setting() {
    let carried = settings(|it| it.on_ban = OnBan::Next);
    let stage = stage(pool(&["a", "b"]).settings(carried), ScriptedProvider::new().always("a", banned()));
    let mut events = stage.pool.events();
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "b"]);
    assert_eq!(stage.out("a"), Some(OutReason::Banned));
    assert_eq!(names(&mut events), ["out", "failed_over"]);

    stage.pool.clear("a", oauth_marathon::verdict::Scope::Credential);
    stage.provider.set("b", banned());
    stage.provider.set("a", Reply::limited(60).body("limited"));
    let answer = stage.post().await;
    assert_eq!((answer.status, answer.body.as_str()), (429, "limited"), "an answer about one account is the lesser");
    stage.pool.clear("a", oauth_marathon::verdict::Scope::Credential);
    stage.provider.set("a", banned());
    assert_eq!(stage.post().await.body, "verify yourself", "nobody is left to carry it to");
}

#[tokio::test(start_paused = true)]
async fn a_ban_is_returned_even_after_another_failure() {
    let provider = ScriptedProvider::new().always("a", Reply::limited(60)).always("b", banned());
    let stage = stage(pool(&["a", "b", "c"]), provider);
    assert_eq!(stage.post().await.body, "verify yourself");
    assert_eq!(stage.tokens(), ["a", "b"]);
}
