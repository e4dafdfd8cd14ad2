//! Several writers at once lose no update, and each sees the changes of the others.

use std::time::Duration;

use oauth_marathon::store::{FileStore, Store};

use crate::file_store::child::{Process, command};
use crate::file_store::place::{Place, count, generation, key, raise};

const WRITERS: u64 = 8;

#[tokio::test]
async fn eight_processes_lose_no_update() {
    let place = Place::new();
    let each = count("OAUTH_MARATHON_WRITES", 20) as u64;
    let start = |_| Process::start(command(&format!("raise {each}"), &place.path));
    let writers: Vec<_> = (0..WRITERS).map(start).collect();
    for writer in &writers {
        assert_eq!(writer.heard("done"), each);
    }
    let store = FileStore::open(&place.path).await.unwrap();
    assert_eq!(generation("shared", store.load(&key("shared")).await.unwrap().as_ref()), WRITERS * each);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_tasks_lose_no_update() {
    let place = Place::new();
    let each = count("OAUTH_MARATHON_WRITES", 20) as u64;
    let stores = [FileStore::open(&place.path).await.unwrap(), FileStore::open(&place.path).await.unwrap()];
    let tasks: Vec<_> = (0..WRITERS as usize)
        .map(|writer| {
            let store = stores[writer % 2].clone();
            tokio::spawn(async move {
                let mut done = 0;
                while done < each {
                    done += u64::from(raise(&store, "shared").await.unwrap().is_some());
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(generation("shared", stores[0].load(&key("shared")).await.unwrap().as_ref()), WRITERS * each);
}

#[tokio::test(start_paused = true)]
async fn changes_of_another_process_are_seen_within_two_seconds() {
    let place = Place::new();
    let store = FileStore::open(&place.path).await.unwrap();
    let mut changes = store.watch();
    for seen in 1..=3 {
        let writer = Process::start(command("raise 1", &place.path));
        writer.heard("done");
        // The runtime's time stands still while the other process works.
        tokio::time::timeout(Duration::from_secs(2), changes.changed()).await.unwrap();
        assert_eq!(generation("shared", store.load(&key("shared")).await.unwrap().as_ref()), seen);
    }
}

#[tokio::test]
async fn the_default_place_is_in_the_folder_for_data() {
    let place = Place::new();
    let path = place.folder.path().canonicalize().unwrap().join("oauth-marathon").join("credentials.json");
    let mut command = command("default", &path);
    let process = Process::start({
        command.env("XDG_DATA_HOME", place.folder.path());
        command
    });
    assert_eq!(process.heard("opened"), 1);
}
