//! Writers that are killed at random moments lose nothing that they have acknowledged, and leave nothing broken.

use std::time::Duration;

use oauth_marathon::store::{FileStore, Store};

use crate::file_store::child::{Process, command};
use crate::file_store::place::{Place, count, generation, key};

const WRITERS: usize = 4;

#[tokio::test]
async fn killed_writers_lose_nothing_that_was_acknowledged() {
    let place = Place::new();
    let kills = count("OAUTH_MARATHON_KILLS", 500);
    let start = |writer: usize| Process::start(command(&format!("count w{writer}"), &place.path));
    let mut writers: Vec<_> = (0..WRITERS).map(start).collect();
    let store = FileStore::open(&place.path).await.unwrap();
    let mut acknowledged = [0; WRITERS];
    let mut shared = 0;
    for kill in 0..kills {
        let victim = fastrand::usize(0..WRITERS);
        // The process has to have begun. Otherwise only its start is killed.
        writers[victim].heard("own");
        let (pause, spins) = (fastrand::u64(0..4_000), fastrand::u32(0..20_000));
        if pause < 3_000 {
            tokio::time::sleep(Duration::from_micros(pause)).await;
        } else {
            (0..spins).for_each(|_| std::hint::spin_loop());
        }
        let said = std::mem::replace(&mut writers[victim], start(victim)).kill();
        acknowledged[victim] = said["own"];
        shared = shared.max(said.get("shared").copied().unwrap_or(0));
        let own = format!("w{victim}");
        let kept = generation(&own, store.load(&key(&own)).await.unwrap().as_ref());
        assert!(
            kept >= acknowledged[victim],
            "kill {kill}: {own} is {kept}, {} was acknowledged",
            acknowledged[victim]
        );
        let kept = generation("shared", store.load(&key("shared")).await.unwrap().as_ref());
        assert!(kept >= shared, "kill {kill}: {kept} of {shared}");
    }
    for (writer, process) in writers.into_iter().enumerate() {
        process.heard("own");
        acknowledged[writer] = process.kill()["own"];
    }
    let store = FileStore::open(&place.path).await.unwrap();
    assert_eq!(place.leftovers(), [""; 0]);
    for (writer, acknowledged) in acknowledged.into_iter().enumerate() {
        let own = format!("w{writer}");
        let kept = generation(&own, store.load(&key(&own)).await.unwrap().as_ref());
        // The last change may have been stored without a report.
        assert!(kept == acknowledged || kept == acknowledged + 1, "{own} is {kept}, {acknowledged} was acknowledged");
    }
    eprintln!("{kills} kills, {shared} saves of the record of all");
}

#[tokio::test]
async fn the_death_of_its_holder_frees_a_lease() {
    let place = Place::new();
    let store = FileStore::open(&place.path).await.unwrap();
    let holder = Process::start(command("lease", &place.path));
    assert_eq!(holder.heard("held"), 1);
    assert!(store.lease(&key("work"), Duration::ZERO).await.unwrap().is_none());
    assert!(store.lease(&key("home"), Duration::ZERO).await.unwrap().is_some());
    holder.kill();
    assert!(store.lease(&key("work"), Duration::ZERO).await.unwrap().is_some());
}
