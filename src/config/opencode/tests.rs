//! Tests of reading `opencode.json`: what is read, and the errors with their places.

use std::time::Duration;

use super::*;
use crate::ErrorKind;

const NAME: &str = "opencode.json";

/// A configuration with this `oauth` of the provider `openai`.
fn with_oauth(oauth: &str) -> String {
    format!(r#"{{ "provider": {{ "openai": {{ "oauth": {oauth} }} }} }}"#)
}

fn refused(text: &str) -> String {
    let error = OpencodeConfig::parse(text, NAME).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    error.to_string()
}

#[test]
fn a_whole_configuration_is_read_for_its_oauth_objects_only() {
    let text = r#"{
        // The user's own.
        "$schema": "https://opencode.ai/config.json",
        "theme": "dark", "theme": "light",
        "mcp": { "x": { "command": ["{env:OAUTH_MARATHON_NOT_SET}"] } },
        "provider": {
            "plain": { "models": {}, "options": { "apiKey": "{file:/nowhere}" } },
            "openai": {
                "options": { "timeout": 1e3 },
                "oauth": {
                    "maxAttempts": 2, /* of three */
                    "rateLimitCooldownMs": 1000,
                    "strategy": "round-robin",
                    "clientId": "mine",
                    "scopes": ["openid", "offline_access",],
                    "extraHeaders": { "x-org": "one" },
                },
            },
            "empty": { "oauth": {} },
        },
    }"#;
    let config = OpencodeConfig::parse(text, NAME).unwrap();
    assert_eq!(config.providers().map(|(id, _)| id).collect::<Vec<_>>(), ["empty", "openai"]);
    assert_eq!(config.provider("empty"), Some(&ProviderOAuth::default()));
    assert_eq!(config.provider("plain"), None);

    let openai = config.provider("openai").unwrap();
    assert_eq!(openai.settings.rate_limit_cooldown, Duration::from_secs(1));
    assert_eq!(openai.server.scopes, ["openid", "offline_access"]);
    assert_eq!(openai.server.extra_headers["x-org"].expose(), "one");
}

#[test]
fn a_byte_order_mark_and_a_file_without_providers_are_fine() {
    for text in ["{}", "\u{feff}{}", "/* none */ {} // yet", r#"{ "provider": {} }"#] {
        assert_eq!(OpencodeConfig::parse(text, NAME).unwrap(), OpencodeConfig::default(), "{text}");
    }
}

#[test]
fn wrong_syntax_is_refused_with_the_place() {
    let table = [
        ("", "is empty"),
        (" \n", "is empty"),
        ("// nothing", "is empty"),
        ("\u{feff}", "is empty"),
        ("[]", "the file: must be an object"),
        ("null", "the file: must be an object"),
        ("{", "Unterminated object on line 1"),
        ("{} {}", "more than one JSON value"),
        ("{ \"a\": 1\n  \"b\": 2 }", "Expected comma on line 1 column 9"),
        ("{ 'a': 1 }", "Single-quoted strings are not allowed"),
        ("{ a: 1 }", "on line 1 column 3"),
        ("{ \"a\": 0x10 }", "Hexadecimal numbers are not allowed"),
        ("{ \"a\": +1 }", "Unary plus on numbers is not allowed"),
        ("{ \"a\": .5 }", "on line 1 column 8"),
        ("{ \"a\": NaN }", "on line 1 column 8"),
        ("{ \"a\": /* open }", "Unterminated comment block"),
        (r#"{ "provider": {}, "provider": {} }"#, "provider: stands there twice"),
        (r#"{ "provider": { "a": { "oauth": {} }, "a": { "oauth": {} } } }"#, "provider.a: stands there twice"),
        (r#"{ "provider": { "a": {}, "a": { "oauth": {} } } }"#, "provider.a: stands there twice"),
        (r#"{ "provider": { "a": { "oauth": {}, "oauth": {} } } }"#, "provider.a.oauth: stands there twice"),
        (r#"{ "provider": [] }"#, "provider: must be an object"),
        (r#"{ "provider": { "a": "b" } }"#, "provider.a: must be an object"),
        (r#"{ "provider": { "a": { "oauth": true } } }"#, "provider.a.oauth: must be an object"),
    ];
    for (text, expected) in table {
        let message = refused(text);
        assert!(message.starts_with("opencode.json: ") && message.contains(expected), "{text:?}: {message}");
    }
}

#[test]
fn wrong_settings_are_refused_with_their_path_and_what_would_be_right() {
    let table = [
        (r#"{ "maxAtempts": 2 }"#, "maxAtempts: is not a setting; did you mean \"maxAttempts\"?"),
        (r#"{ "clientSecret": "s3cret" }"#, "clientSecret: is not a setting; the settings are maxAttempts, "),
        (r#"{ "maxWaitMs": 1, "maxWaitMs": 2 }"#, "maxWaitMs: stands there twice; keep one"),
        (r#"{ "maxAttempts": 0 }"#, "maxAttempts: must be a whole number, 1 or more"),
        (r#"{ "maxWaitMs": "s3cret" }"#, "maxWaitMs: must be a whole number of milliseconds, 0 or more"),
        (r#"{ "maxWaitMs": -1 }"#, "maxWaitMs: must be a whole number of milliseconds"),
        (r#"{ "maxWaitMs": 1.5 }"#, "maxWaitMs: must be a whole number of milliseconds"),
        (r#"{ "maxWaitMs": 1e999 }"#, "maxWaitMs: is out of the range of numbers"),
        (r#"{ "strategy": "s3cret" }"#, "strategy: must be \"sticky\" or \"round-robin\""),
        (r#"{ "resend": null }"#, "resend: must be \"always\" or \"safe\""),
        (r#"{ "clientId": 5417 }"#, "clientId: must be a string"),
        (r#"{ "scopes": "openid" }"#, "scopes: must be an array of strings"),
        (r#"{ "scopes": ["openid", 5417] }"#, "scopes[1]: scopes must be an array of strings"),
        (r#"{ "extraHeaders": { "x-a": [] } }"#, "extraHeaders.x-a: extraHeaders must be an object of strings"),
        (r#"{ "extraHeaders": { "x-a": "1", "x-a": "2" } }"#, "extraHeaders.x-a: stands there twice"),
        (r#"{ "attemptTimeoutMs": 0 }"#, "attemptTimeoutMs: must be from 1 to 86400000, or null"),
        (r#"{ "maxCooldownMs": 1000 }"#, "rateLimitCooldownMs: must be at most maxCooldownMs"),
        (r#"{ "tokenUrl": "http://s3cret.example.com" }"#, "tokenUrl: must be an https:// URL"),
        (
            r#"{ "clientId": "{env:OAUTH_MARATHON_NOT_SET}" }"#,
            "clientId: the environment variable \"OAUTH_MARATHON_NOT_SET\"",
        ),
        (r#"{ "scopes": ["{file:/no/such}"] }"#, "scopes[0]: the file \"/no/such\" cannot be read"),
    ];
    for (oauth, expected) in table {
        let message = refused(&with_oauth(oauth));
        assert!(message.starts_with(&format!("opencode.json: provider.openai.oauth.{expected}")), "{message}");
        assert!(!message.contains("s3cret") && !message.contains("5417"), "{message}");
    }
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    for open in ["[", "{\"a\":", "{\"provider\":", "[/**/"] {
        let message = refused(&open.repeat(200_000));
        assert!(message.contains("nesting depth"), "{message}");
    }
    // As deep as the parser lets through, where our own recursion follows.
    let deep = format!("{{ \"scopes\": {}{} }}", "[".repeat(500), "]".repeat(500));
    assert!(refused(&with_oauth(&deep)).contains("scopes[0]: scopes must be an array of strings"));
}

#[test]
fn a_reference_to_a_variable_that_holds_a_secret_never_shows_it() {
    let sources = Sources { env: &|_| Some("s3cret".to_owned()), folder: Path::new(""), home: None };
    for key in keys::KEYS {
        for oauth in
            [format!("{{ {:?}: \"{{env:X}}\" }}", key.name), format!("{{ {:?}: [[\"{{env:X}}\"]] }}", key.name)]
        {
            match OpencodeConfig::parse_with(&with_oauth(&oauth), &sources) {
                Ok(_) => assert!(key.name == "clientId" || key.name == "header", "{oauth}"),
                Err(message) => assert!(message.contains(key.name) && !message.contains("s3cret"), "{message}"),
            }
        }
    }
}

#[test]
fn files_are_read_from_the_folder_of_the_configuration_and_from_home() {
    let folder = std::env::temp_dir().join(format!("oauth-marathon-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("id.txt"), "  mine\n").unwrap();
    std::fs::write(folder.join("large.txt"), "x".repeat(70_000)).unwrap();
    let path = folder.join(NAME);

    std::fs::write(&path, with_oauth(r#"{ "clientId": "{file:id.txt}" }"#)).unwrap();
    let config = OpencodeConfig::read(&path).unwrap();
    assert_eq!(config.provider("openai").unwrap().server.client_id.as_deref(), Some("mine"));

    std::fs::write(&path, with_oauth(r#"{ "clientId": "{file:large.txt}" }"#)).unwrap();
    let message = OpencodeConfig::read(&path).unwrap_err().to_string();
    assert!(message.ends_with("the file \"large.txt\" cannot be read: it is larger than 64 KiB"), "{message}");

    let sources = Sources { env: &|_| None, folder: Path::new("/nowhere"), home: Some(folder.clone()) };
    let config = OpencodeConfig::parse_with(&with_oauth(r#"{ "clientId": "{file:~/id.txt}" }"#), &sources).unwrap();
    assert_eq!(config.provider("openai").unwrap().server.client_id.as_deref(), Some("mine"));

    std::fs::remove_dir_all(&folder).unwrap();
    let message = OpencodeConfig::read(&path).unwrap_err().to_string();
    assert!(message.contains(NAME) && message.contains("cannot be read"), "{message}");
}
