//! A `String` is a body that is read once.

use oauth_marathon::check_request_body;

fn main() {
    check_request_body::<String>();
}
