//! Reads the `oauth` objects out of the text of an opencode configuration.

use std::collections::BTreeSet;

use jsonc_parser::ast::{Object, Value as Node};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Map, Number, Value};

use crate::config::substitute::Sources;

/// JSON with comments and trailing commas, and no other extension.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The id of a provider, and its `oauth` object.
type OAuthOf = (String, Map<String, Value>);

/// Every `provider.<id>.oauth`, with the references in its strings resolved. The parser bounds the nesting.
pub(super) fn oauths(text: &str, sources: &Sources<'_>) -> Result<Vec<OAuthOf>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT).map_err(|error| error.to_string())?;
    let root = parsed.value.ok_or("is empty; write {} for a configuration without settings")?;
    let Some(providers) = member(object(&root, "the file")?, "provider", "provider")? else { return Ok(Vec::new()) };

    let mut oauths = Vec::new();
    let mut ids = BTreeSet::new();
    for property in &object(providers, "provider")?.properties {
        let id = property.name.as_str();
        let path = format!("provider.{id}");
        if !ids.insert(id) {
            return Err(twice(&path));
        }
        let path_of_oauth = format!("{path}.oauth");
        if let Some(oauth) = member(object(&property.value, &path)?, "oauth", &path_of_oauth)? {
            oauths.push((id.to_owned(), to_map(object(oauth, &path_of_oauth)?, &path_of_oauth, sources)?));
        }
    }
    Ok(oauths)
}

fn object<'n, 'a>(node: &'n Node<'a>, path: &str) -> Result<&'n Object<'a>, String> {
    node.as_object().ok_or_else(|| format!("{path}: must be an object"))
}

/// The value of a key. A key that stands there twice is an error.
fn member<'n, 'a>(object: &'n Object<'a>, name: &str, path: &str) -> Result<Option<&'n Node<'a>>, String> {
    let mut found = object.properties.iter().filter(|property| property.name.as_str() == name);
    let first = found.next();
    match found.next() {
        Some(_) => Err(twice(path)),
        None => Ok(first.map(|property| &property.value)),
    }
}

fn to_map(object: &Object<'_>, path: &str, sources: &Sources<'_>) -> Result<Map<String, Value>, String> {
    let mut map = Map::new();
    for property in &object.properties {
        let name = property.name.as_str();
        let path = format!("{path}.{name}");
        if map.insert(name.to_owned(), to_value(&property.value, &path, sources)?).is_some() {
            return Err(twice(&path));
        }
    }
    Ok(map)
}

fn to_value(node: &Node<'_>, path: &str, sources: &Sources<'_>) -> Result<Value, String> {
    Ok(match node {
        Node::NullKeyword(_) => Value::Null,
        Node::BooleanLit(literal) => Value::Bool(literal.value),
        Node::NumberLit(literal) => {
            let number: Number =
                literal.value.parse().map_err(|_| format!("{path}: is out of the range of numbers"))?;
            Value::Number(number)
        }
        Node::StringLit(literal) => {
            let text = sources.substitute(&literal.value).map_err(|problem| format!("{path}: {problem}"))?;
            Value::String(text.into_owned())
        }
        Node::Object(object) => Value::Object(to_map(object, path, sources)?),
        Node::Array(array) => {
            let elements = array.elements.iter().enumerate();
            elements
                .map(|(at, element)| to_value(element, &format!("{path}[{at}]"), sources))
                .collect::<Result<_, _>>()?
        }
    })
}

fn twice(path: &str) -> String {
    format!("{path}: stands there twice; keep one")
}
