//! The parameter of a notifier needs its type written out.

use oauth_marathon::Pool;

fn main() {
    let _ = Pool::builder("openai").notifier(|event| println!("{event}"));
}
