//! Tests of reading whose tokens they are.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::tokens::login::LoginErrorKind;

const ISSUER: &str = "https://auth.example.com";

fn id_token(claims: &Value) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn whose(answer: &Value) -> Whose {
    Whose::read(answer.to_string().as_bytes())
}

fn identity(subject: Option<&str>, label: Option<&str>) -> Identity {
    Identity { subject: subject.map(Into::into), label: label.map(Into::into) }
}

#[test]
fn the_claims_of_an_id_token_for_this_client_are_read() {
    for aud in [json!("me"), json!(["other", "me"])] {
        let token = id_token(&json!({ "iss": ISSUER, "aud": aud, "sub": "1", "email": "a@example.com", "name": "é" }));
        for token in [token.clone(), token.replace('.', "=.").replacen("e30=", "e30", 1)] {
            let claims = whose(&json!({ "id_token": token })).claims(Some(ISSUER), "me").unwrap().unwrap();
            assert_eq!(of_claims(&claims, None), identity(Some("1"), Some("a@example.com")));
        }
    }
    let token = id_token(&json!({ "iss": "any", "aud": "me" }));
    let claims = whose(&json!({ "id_token": token })).claims(None, "me").unwrap().unwrap();
    assert_eq!(of_claims(&claims, None), Identity::default());
    for none in [json!({}), json!({ "id_token": "" }), json!({ "id_token": null }), json!([])] {
        assert!(whose(&none).claims(Some(ISSUER), "me").unwrap().is_none(), "{none}");
    }
}

#[test]
fn an_id_token_of_others_or_for_others_is_not_trusted() {
    for (claims, expected) in [
        (json!({ "iss": "https://evil.example.com", "aud": "me", "sub": "1" }), "another issuer"),
        (json!({ "aud": "me", "sub": "1" }), "another issuer"),
        (json!({ "iss": ISSUER, "aud": "you", "sub": "1" }), "another client"),
        (json!({ "iss": ISSUER, "aud": ["you"], "sub": "1" }), "another client"),
        (json!({ "iss": ISSUER, "sub": "1" }), "another client"),
    ] {
        let error = whose(&json!({ "id_token": id_token(&claims) })).claims(Some(ISSUER), "me").unwrap_err();
        assert_eq!(error.kind(), LoginErrorKind::Untrusted);
        assert!(error.to_string().contains(expected), "{error}");
    }
    for token in ["x", "a.b", "e30.e30.x.y", "e30.!!.x", "e30.W10.x", "e30.e30"] {
        let error = whose(&json!({ "id_token": token })).claims(None, "me").unwrap_err();
        assert!(error.to_string().contains("malformed"), "{token}: {error}");
    }
}

#[test]
fn the_subject_is_where_the_caller_says_and_else_in_sub_or_id() {
    let claims = json!({ "sub": "1", "id": 2, "login": "octo", "https://api.example.com/auth": { "account": "3" } });
    for (pointer, expected) in [
        (None, Some("1")),
        (Some("/id"), Some("2")),
        (Some("/https:~1~1api.example.com~1auth/account"), Some("3")),
        (Some("/https:~1~1api.example.com~1auth"), None),
        (Some("/nowhere"), None),
    ] {
        assert_eq!(of_claims(&claims, pointer), identity(expected, Some("octo")), "{pointer:?}");
    }
    assert_eq!(of_claims(&json!({ "id": 583231 }), None).subject.as_deref(), Some("583231"));
    assert_eq!(of_claims(&json!({ "sub": "" }), None).subject, None);
    assert_eq!(of_claims(&json!("text"), None), Identity::default());
}

#[test]
fn what_people_read_is_one_short_line() {
    let label = |name: &str| of_claims(&json!({ "name": name }), None).label;
    assert_eq!(label(" a\u{1b}[31m\nb "), Some("a[31mb".to_owned()));
    assert_eq!(label("\r\n"), None);
    assert_eq!(label(&"é".repeat(500)).unwrap().chars().count(), 100);
    assert_eq!(of_claims(&json!({ "sub": "a\nb" }), None).subject, None);
}

#[test]
fn the_account_fields_of_a_token_response_are_the_last_resort() {
    for (answer, subject, label) in [
        (json!({ "account_id": "a1", "user_id": "u1" }), Some("a1"), None),
        (json!({ "user_id": 7 }), Some("7"), None),
        (json!({ "account": { "uuid": "b1", "email_address": "b@example.com" } }), Some("b1"), Some("b@example.com")),
        (json!({ "user": { "id": "c1", "name": "Cy" } }), Some("c1"), Some("Cy")),
        (json!({ "access_token": "at", "refresh_token": "user_id" }), None, None),
        (json!({ "account": "text", "user": [] }), None, None),
    ] {
        assert_eq!(whose(&answer).account(), identity(subject, label), "{answer}");
    }
    assert_eq!(Whose::read(b"access_token=at&user_id=1").account(), Identity::default());
}
