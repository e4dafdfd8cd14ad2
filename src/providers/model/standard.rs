//! Finds the model where most providers take it from: the path, and the field `model` of a JSON body.

use super::{ModelRequest, ModelSource};

/// The source that is asked last: the path, then the body.
///
/// | where | example |
/// |---|---|
/// | `/models/{model}:{method}` | `/v1beta/models/gemini-2.5-pro:generateContent` |
/// | `/deployments/{name}/` | `/openai/deployments/gpt-5/chat/completions` |
/// | `/model/{model}/{method}` | `/model/anthropic.claude-v2/invoke` |
/// | the member `model` of a JSON object | `{"model": "gpt-5", "messages": []}` |
///
/// The names of a path are taken as they stand, without decoding. Of a body, the first 64 KiB are searched.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct StandardModelSource;

/// The most bytes of a body that are searched.
const SEARCHED: usize = 64 * 1024;

impl ModelSource for StandardModelSource {
    fn model(&self, request: &ModelRequest<'_>) -> Option<String> {
        in_path(request.uri().path()).map(str::to_owned).or_else(|| in_body(request.body()?))
    }
}

fn in_path(path: &str) -> Option<&str> {
    let mut segments = path.split('/');
    while let Some(segment) = segments.next() {
        let next = || segments.clone().next().filter(|name| !name.is_empty());
        let found = match segment {
            "models" => next().and_then(|name| name.split_once(':')).map(|(name, _)| name),
            // Something has to follow the name. Otherwise the path lists the deployments, or describes one.
            "deployments" | "model" if segments.clone().nth(1).is_some_and(|method| !method.is_empty()) => next(),
            _ => None,
        };
        if let Some(name) = found.filter(|name| !name.is_empty()) {
            return Some(name);
        }
    }
    None
}

/// Reads the member `model` of the outermost object. It steps over the other members without building any of them.
fn in_body(body: &[u8]) -> Option<String> {
    let mut scan = Scan { rest: body.get(..SEARCHED).unwrap_or(body) };
    scan.expect(b'{')?;
    loop {
        let key = scan.string()?;
        scan.expect(b':')?;
        if key == br#""model""# {
            // A string with its quotes, which serde_json unescapes.
            return serde_json::from_slice(scan.string()?).ok();
        }
        scan.skip_value()?;
        scan.expect(b',')?;
    }
}

struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    /// Steps over white space and this byte; `None` if another one stands there.
    fn expect(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.trim_ascii_start();
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        (*first == byte).then_some(())
    }

    /// Steps over a string, and returns it with its quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.rest = self.rest.trim_ascii_start();
        let text = self.rest;
        self.expect(b'"')?;
        let mut escaped = false;
        let end = self.rest.iter().position(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        })?;
        self.rest = self.rest.get(end + 1..)?;
        text.get(..end + 2)
    }

    /// Steps over one value of any kind.
    fn skip_value(&mut self) -> Option<()> {
        self.rest = self.rest.trim_ascii_start();
        let mut depth = 0_usize;
        loop {
            match self.rest.first()? {
                b'"' => {
                    self.string()?;
                    if depth == 0 {
                        return Some(());
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth <= 1 => {
                    // The bracket that ends the outermost object is left for the caller.
                    let steps = depth;
                    self.rest = self.rest.get(steps..)?;
                    return Some(());
                }
                b'}' | b']' => depth -= 1,
                b',' if depth == 0 => return Some(()),
                _ => {}
            }
            self.rest = self.rest.get(1..)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn paths_that_name_a_model() {
        for (path, expected) in [
            ("/v1beta/models/gemini-2.5-pro:generateContent", Some("gemini-2.5-pro")),
            (
                "/v1/projects/p/locations/l/publishers/google/models/gemini-pro:streamGenerateContent",
                Some("gemini-pro"),
            ),
            ("/openai/deployments/gpt-5/chat/completions", Some("gpt-5")),
            ("/model/anthropic.claude-v2%3A1/invoke", Some("anthropic.claude-v2%3A1")),
            ("/v1/models", None),
            ("/v1/models/gpt-5", None),
            ("/v1/models/:generateContent", None),
            ("/openai/deployments/gpt-5", None),
            ("/openai/deployments//chat", None),
            ("/v1/chat/completions", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(in_path(path), expected, "{path}");
        }
    }

    #[test]
    fn bodies_that_name_a_model() {
        for (body, expected) in [
            (r#"{"model":"gpt-5"}"#, Some("gpt-5")),
            (" {\n \"stream\" : true ,\"n\":1.5e3, \"x\":null,\"model\" : \"gpt-5\" , \"messages\": [", Some("gpt-5")),
            (r#"{"messages":[{"model":"inner","content":"\"}]{\\"}],"model":"outer"}"#, Some("outer")),
            (r#"{"model":"open\u0061i\/gpt"}"#, Some("openai/gpt")),
            (r#"{"metadata":{"model":"inner"}}"#, None),
            (r#"{"text":"\"model\":\"no\""}"#, None),
            (r#"{"model":5}"#, None),
            (r#"{"model":null,"x":1}"#, None),
            (r#"{"model":"cut"#, None),
            (r#"{"a":1}{"model":"second document"}"#, None),
            (r#"["model","gpt-5"]"#, None),
            (r#"{}"#, None),
            ("", None),
            ("model=gpt-5", None),
        ] {
            assert_eq!(in_body(body.as_bytes()).as_deref(), expected, "{body}");
        }
        assert_eq!(in_body(b"{\"a\":\"\xff\xfe\",\"model\":\"gpt-5\"}").as_deref(), Some("gpt-5"));
        assert_eq!(in_body(b"{\"model\":\"\xff\"}"), None);
    }

    #[test]
    fn only_the_beginning_is_searched() {
        let body = |length: usize| json!({ "a": "x".repeat(length), "model": "m" }).to_string();
        assert_eq!(in_body(body(1_000).as_bytes()).as_deref(), Some("m"));
        assert_eq!(in_body(body(SEARCHED).as_bytes()), None);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-z\"\\\\{}\\[\\],: \u{e9}]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map("model|[a-z\"]{0,4}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_finds_what_a_parser_finds(value in value(), pretty: bool) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            let expected = value.as_object().and_then(|object| object.get("model")).and_then(Value::as_str);
            let found = in_body(text.as_bytes());
            prop_assert_eq!(found.as_deref(), expected, "{}", text);
        }

        #[test]
        fn any_bytes_do_no_harm(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = in_body(&body);
            let _ = in_path(&String::from_utf8_lossy(&body));
        }
    }
}
