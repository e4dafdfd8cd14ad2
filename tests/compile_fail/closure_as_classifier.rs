//! A closure that judges is wrapped in `classify_fn`.

use oauth_marathon::verdict::Answer;
use oauth_marathon::layers::classify::ClassifyLayer;

fn main() {
    let _ = ClassifyLayer::with(|_: &Answer<'_>| None);
}
