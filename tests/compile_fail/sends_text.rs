//! A text as the body of a request.

use http::Request;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::{Marathon, Pool};

fn main() {
    let pool = Pool::builder("openai").origin("https://api.example.com").build().unwrap();
    let client = Marathon::new(HttpClient::new().unwrap(), pool);
    let _ = client.send(Request::new("{}".to_owned()));
}
