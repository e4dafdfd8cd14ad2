//! A closure that judges is wrapped in `classify_fn`.

use oauth_marathon::classify::{Answer, ClassifyLayer};

fn main() {
    let _ = ClassifyLayer::with(|_: &Answer<'_>| None);
}
