//! `auth import` of every form.

use serde_json::json;

use crate::run::{Home, tokens};
use oauth_marathon::Credential;

const OPENCODE: &str = r#"{
  "x": { "type": "oauth", "refresh": "c4n4ry-refresh-1", "access": "c4n4ry-access-1", "expires": 1900000000000, "accountId": "1" },
  "y": { "type": "api", "key": "c4n4ry-key" },
  "https://wk.example.com": { "type": "wellknown", "key": "NAME", "token": "c4n4ry" }
}"#;

#[tokio::test]
async fn a_flat_file_of_opencode_once_and_again() {
    let home = Home::new();
    let file = home.write("auth.json", OPENCODE);
    let ran = home.run(&["auth", "import", &file]).await.done();
    assert_eq!(ran.out, "default of x is added.\nkey of y is added.\n");
    assert!(ran.err.starts_with("Left out /https://wk.example.com: a \"wellknown\" entry names"), "{}", ran.err);
    assert!(ran.err.contains("log out there, or use them here only"), "{}", ran.err);
    let listed = home.listed("x", "default").await;
    assert_eq!((&listed["subject"], &listed["expiresAt"]), (&"1".into(), &1_900_000_000_000_u64.into()));

    let ran = home.run(&["auth", "import", &file]).await.done();
    assert_eq!(
        ran.out,
        "default of x is as new as in the file, and stays as it is.\nkey of y is as new as in the file, and stays as it is.\n"
    );
    let newer = OPENCODE.replace("refresh-1", "refresh-2").replace("1900000000000", "1900000000001");
    let newer = home.write("newer.json", &newer);
    let ran = home.run(&["auth", "import", &newer, "--provider", "x"]).await.done();
    assert_eq!(ran.out, "default of x has the tokens of the file.\n");
    assert_eq!(home.load("x", "default").await.unwrap().generation.get(), 2);
    // The refresh token of the first file is spent by now.
    let ran = home.run(&["auth", "import", &file, "--provider", "x"]).await.done();
    assert_eq!(ran.out, "default of x is as new as in the file, and stays as it is.\n");
}

#[tokio::test]
async fn another_account_gets_another_id() {
    let home = Home::new();
    home.add("x", Credential::new("default", tokens("other")).subject("2")).await;
    let file = home.write("auth.json", OPENCODE);
    let ran = home.run(&["auth", "import", &file, "--quiet", "--provider", "x"]).await.done();
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
    assert_eq!(home.ids("x").await, ["default", "default-2"]);
}

#[tokio::test]
async fn version_2_of_opencode_and_both_forms_of_codex() {
    let home = Home::new();
    let record = |id: &str| json!({ "id": id, "refresh": format!("c4n4ry-r{id}"), "access": "c4n4ry-a", "expires": 1 });
    let v2 = json!({ "version": 2, "providers": { "v2": {
        "type": "oauth", "order": { "default": ["02", "01"] }, "records": [record("01"), record("02")],
    } } });
    home.run(&["auth", "import", &home.write("v2.json", &v2.to_string())]).await.done();
    assert_eq!(home.ids("v2").await, ["02", "01"]);

    let account = |name: &str| json!({ "access_token": format!("c4n4ry-a{name}"), "refresh_token": format!("c4n4ry-r{name}"), "account_id": name });
    let codex = json!({ "OPENAI_API_KEY": null, "tokens": account("one"), "last_refresh": "2026-01-01T00:00:00Z" });
    let ran = home.run(&["auth", "import", &home.write("codex.json", &codex.to_string())]).await.done();
    assert_eq!(ran.out, "codex of openai is added.\n");

    let records = ["one", "two"].map(|name| json!({ "id": name, "label": name, "tokens": account(name) }));
    let rotation = json!({ "version": 2, "providers": { "openai": { "type": "oauth", "records": records } } });
    let ran = home.run(&["auth", "import", &home.write("rotation.json", &rotation.to_string())]).await.done();
    assert_eq!(ran.out, "codex of openai is as new as in the file, and stays as it is.\ntwo of openai is added.\n");
    assert_eq!(home.ids("openai").await, ["codex", "two"]);
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_taken() {
    let home = Home::new();
    for (text, code, expected) in [
        ("", 1, "it is empty"),
        ("{", 1, "no valid JSON at line 1"),
        (r#"{ "accounts": ["c4n4ry"] }"#, 1, "of an unknown form; what can be read is opencode's auth.json"),
        (r#"{ "x": { "type": "oauth", "access": "c4n4ry" } }"#, 1, "at /x/refresh: a text was expected"),
        (r#"{ "y": { "type": "api", "key": "c4n4ry" }, "x": { "type": "api", "key": 5 } }"#, 1, "at /x/key: a text"),
        ("{}", 3, "opencode's auth.json holds no credentials"),
    ] {
        let file = home.write("wrong.json", text);
        let ran = home.run(&["auth", "import", &file]).await.failed(code, expected);
        assert!(ran.err.contains("wrong.json: "), "{}", ran.err);
    }
    home.run(&["auth", "import", "/nowhere/auth.json"]).await.failed(1, "/nowhere/auth.json: cannot be read: ");
    let file = home.write("auth.json", OPENCODE);
    home.run(&["auth", "import", &file, "--provider", "z"]).await.failed(3, "holds no credentials of \"z\"");
    assert_eq!(home.run(&["auth", "list", "--json"]).await.done().out, "{\n  \"providers\": []\n}\n");
}

#[tokio::test]
async fn names_from_a_foreign_file_cannot_harm_the_terminal() {
    let home = Home::new();
    let text = r#"{ "x\u001b[2J": { "type": "api", "key": "c4n4ry" }, "y\u009b": { "type": "z\u001b" } }"#;
    let ran = home.run(&["auth", "import", &home.write("auth.json", text)]).await.done();
    assert_eq!(ran.out, "key of x\\u{1b}[2J is added.\n");
    let listed = home.run(&["auth", "list"]).await.done();
    for shown in [&ran.out, &ran.err, &listed.out] {
        assert!(!shown.contains(['\u{1b}', '\u{9b}']), "{shown:?}");
    }
}
