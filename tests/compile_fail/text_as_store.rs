//! Whatever keeps tokens implements `Store`.

use oauth_marathon::Pool;

fn main() {
    let _ = Pool::builder("openai").store("/var/lib/tokens");
}
