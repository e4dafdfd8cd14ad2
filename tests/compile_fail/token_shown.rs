//! A token has no `Display`.

use oauth_marathon::TokenSet;

fn main() {
    let tokens = TokenSet::new("access");
    println!("the token is {}", tokens.access());
}
