//! A save that is killed, or fails, at each of its system calls in turn.

use crate::file_store::child::ACKNOWLEDGED;
use crate::file_store::traced_save::{Call, End, Save};

/// The system calls of a save that is not disturbed.
async fn plan() -> Option<Vec<Call>> {
    let save = Save::prepare().await;
    let (end, calls) = save.run(None)?;
    assert_eq!(end, End::Stored);
    assert_eq!(save.after().await, save.before + 1);
    assert!(calls.len() >= 12, "{calls:#?}");
    Some(calls)
}

#[tokio::test]
async fn killed_at_each_system_call_it_leaves_the_old_content_or_the_new() {
    let Some(calls) = plan().await else { return };
    let mut save = Save::prepare().await;
    let mut killed = 0;
    for Call { name, number, line } in &calls {
        let inject = format!("{name}:signal=KILL:when={number}");
        let (end, _) = save.run(Some(&inject)).unwrap();
        let kept = save.after().await;
        // A wake of another thread may come later than in the plan.
        killed += usize::from(end == End::Killed);
        assert!(end != End::Stored || kept == save.before + 1, "{line}");
        assert_ne!(end, End::Failed, "{line}");
        save.again().await;
    }
    assert!(killed >= calls.len() - 2, "{killed} of {}", calls.len());
    eprintln!("killed at {killed} of {} system calls", calls.len());
}

#[tokio::test]
async fn whatever_system_call_fails_the_store_stays_whole_and_what_is_stored_is_kept() {
    let Some(calls) = plan().await else { return };
    let mut save = Save::prepare().await;
    let mut failed = 0;
    for Call { name, number, line } in &calls {
        for error in ["EIO", "ENOSPC"] {
            let inject = format!("{name}:error={error}:when={number}");
            let (end, _) = save.run(Some(&inject)).unwrap();
            let kept = save.after().await;
            failed += usize::from(end == End::Failed);
            assert!(end != End::Stored || kept == save.before + 1, "{line}");
            assert_ne!(end, End::Killed, "{line}");
            // Only when the new content was in its place already may a failure leave it there.
            let placed = line.contains("fsync") && *number == 2 || line.contains("O_DIRECTORY") || name == "close";
            assert!(
                end != End::Failed || kept == save.before || placed || after_rename(&calls, name, *number),
                "{line}"
            );
            save.again().await;
        }
    }
    assert!(failed >= 8, "{failed}");
}

/// Some file systems cannot let two files change places.
#[tokio::test]
async fn where_files_cannot_change_places_the_new_one_takes_the_place_of_the_old() {
    for error in ["EINVAL", "ENOSYS", "EOPNOTSUPP"] {
        let save = Save::prepare().await;
        let Some((end, calls)) = save.run(Some(&format!("renameat2:error={error}"))) else { return };
        assert_eq!((end, save.after().await), (End::Stored, save.before + 1), "{error}");
        assert!(calls.iter().any(|call| call.line.contains(error)), "{calls:#?}");
    }
}

fn after_rename(calls: &[Call], name: &str, number: usize) -> bool {
    let rename = calls.iter().position(|call| call.name.starts_with("rename")).unwrap();
    let this = calls.iter().position(|call| call.name == name && call.number == number).unwrap();
    this > rename
}

#[tokio::test]
async fn content_and_folder_are_synced_before_a_save_is_acknowledged() {
    let Some(calls) = plan().await else { return };
    let at = |what: &dyn Fn(&Call) -> bool| -> Vec<usize> {
        calls.iter().enumerate().filter(|(_, call)| what(call)).map(|(at, _)| at).collect()
    };
    let temporary = |call: &Call| call.line.contains("/.credentials.json.");
    let writes = at(&|call| call.name == "write" && temporary(call));
    let content = at(&|call| call.name == "fsync" && temporary(call));
    let renames = at(&|call| call.name.starts_with("rename"));
    let folder = at(&|call| call.name == "fsync" && !temporary(call));
    let [[content], [rename], [folder]] = [&content[..], &renames[..], &folder[..]] else { panic!("{calls:#?}") };
    assert!(writes.last().unwrap() < content && content < rename && rename < folder, "{calls:#?}");
    let acknowledged = at(&|call| call.line.contains(ACKNOWLEDGED));
    assert!(acknowledged.len() == 1 && *folder < acknowledged[0], "{calls:#?}");
    assert!(calls[*rename].line.contains("credentials.json"), "{calls:#?}");
    let made = at(&|call| call.line.contains("O_EXCL") && temporary(call) && call.line.contains("0600"));
    assert_eq!(made.len(), 1, "{calls:#?}");
}
