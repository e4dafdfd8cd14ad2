//! The scenes, in order: what goes wrong, and what has to come of it.

use oauth_marathon::BoxError;
use oauth_marathon::pool::Standing;
use oauth_marathon::verdict::Kind;

use crate::story::Story;
use crate::support::Trouble;

pub(crate) async fn play(story: &mut Story) -> Result<(), BoxError> {
    all_is_well(story).await?;
    rate_limited(story).await?;
    expired(story).await?;
    broken(story).await?;
    revoked(story).await?;
    all_cooling(story).await?;
    streamed(story).await
}

async fn all_is_well(story: &mut Story) -> Result<(), BoxError> {
    story.scene("All is well: the first account answers", "Nothing is wrong.");
    let outcome = story.ask("on your marks").await?;
    story.expect(&outcome, 200, &[("work", Kind::Success)], &[])
}

async fn rate_limited(story: &mut Story) -> Result<(), BoxError> {
    story.scene("Rate limited: the next account answers", "The provider limits work for 30 s.");
    story.provider.trouble("work", Trouble::Limited(30));
    let outcome = story.ask("the first mile").await?;
    let attempts = [("work", Kind::Throttled), ("home", Kind::Success)];
    story.expect(&outcome, 200, &attempts, &["cooling_down", "failed_over"])
}

async fn expired(story: &mut Story) -> Result<(), BoxError> {
    story.scene("Token expired: refreshed, and the same account answers", "The access token of home expires.");
    story.provider.trouble("home", Trouble::Expired);
    let outcome = story.ask("a sip of water").await?;
    let attempts = [("home", Kind::Unauthorized), ("home", Kind::Success)];
    story.expect(&outcome, 200, &attempts, &["refreshed"])
}

async fn broken(story: &mut Story) -> Result<(), BoxError> {
    story.scene(
        "Connection broken: tried again at once, then after a pause, then the next account answers",
        "The provider drops the next three connections of home.",
    );
    story.provider.trouble("home", Trouble::Breaks(3));
    let outcome = story.ask("a loose shoelace").await?;
    let home = ("home", Kind::Network);
    story.expect(&outcome, 200, &[home, home, home, ("spare", Kind::Success)], &["failed_over"])
}

async fn revoked(story: &mut Story) -> Result<(), BoxError> {
    story.scene(
        "Login revoked: a person has to log in again, and the next account answers",
        "The login of spare is revoked, its refresh token too.",
    );
    story.provider.trouble("spare", Trouble::Revoked);
    let outcome = story.ask("a stitch in the side").await?;
    let attempts = [("spare", Kind::Unauthorized), ("home", Kind::Success)];
    story.expect(&outcome, 200, &attempts, &["out", "failed_over"])
}

async fn all_cooling(story: &mut Story) -> Result<(), BoxError> {
    story.scene(
        "All cooling: the last answer, with the time to come back",
        "The provider limits home for 2 s. No other account is left.",
    );
    story.provider.trouble("home", Trouble::Limited(2));
    let outcome = story.ask("the wall").await?;
    story.expect(&outcome, 429, &[("home", Kind::Throttled)], &["cooling_down", "exhausted"])?;

    story.paint.setting("Asked again at once, the pool answers by itself and sends nothing.");
    let outcome = story.ask("the wall, again").await?;
    story.expect(&outcome, 429, &[("the pool", Kind::Throttled)], &[])?;
    if outcome.seen != 0 || !matches!(outcome.retry_after, Some(1..=2)) {
        let (seen, stated) = (outcome.seen, outcome.retry_after);
        return Err(format!("nothing was to be sent, and 2 s to be stated: {seen} requests, {stated:?}").into());
    }

    story.paint.setting("The caller waits for as long as it was told.");
    story.provider.trouble("home", Trouble::Nothing);
    match story.recovery().await?.as_str() {
        "home" => Ok(()),
        other => Err(format!("home was to recover, and {other} did").into()),
    }
}

async fn streamed(story: &mut Story) -> Result<(), BoxError> {
    story.scene("Streamed: the answer is passed on as it arrives", "home has recovered.");
    let (outcome, parts) = story.ask_for_stream("twenty six miles and three hundred eighty five yards").await?;
    story.expect(&outcome, 200, &[("home", Kind::Success)], &[])?;
    if parts != 9 {
        return Err(format!("nine words were to arrive one by one, and {parts} parts did").into());
    }
    Ok(())
}

/// How the accounts are at the end, and that no token was printed.
pub(crate) fn curtain(story: &mut Story) -> Result<(), BoxError> {
    story.paint.title("\nThe accounts now");
    for credential in story.pool.snapshot().credentials {
        let standing = match credential.standing {
            Standing::Ready => "ready".to_owned(),
            Standing::Cooling { cooldown, .. } => format!("cools for {} s", cooldown.as_secs() + 1),
            Standing::Out { reason, .. } => reason.to_string(),
            _ => String::new(),
        };
        let (good, bad) = (credential.successes, credential.failures);
        story.paint.account(credential.id.as_str(), &format!("{good} answered, {bad} failed, {standing}"));
    }
    if story.provider.leaks_in(story.paint.printed()) {
        return Err("a token was printed".into());
    }
    let lines = story.paint.printed().lines().count();
    story.paint.title(format_args!("\n{} scenes came out as told. No token is in these {lines} lines.", story.scene));
    Ok(())
}
