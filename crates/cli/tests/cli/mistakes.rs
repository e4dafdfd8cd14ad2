//! Wrong input: each message names the place and the remedy.

use std::os::unix::fs::{PermissionsExt, symlink};

use crate::run::{Home, mode};

#[tokio::test]
async fn wrong_arguments() {
    let home = Home::new();
    for (args, expected) in [
        (&["auth"][..], "Usage: marathon auth"),
        (&["auth", "lst"], "a similar subcommand exists: 'list'"),
        (&["auth", "login"], "<PROVIDER>"),
        (&["auth", "login", "x", "--device", "--no-browser"], "cannot be used with"),
        (&["auth", "login", "x", "--token", "c4n4ry"], "unexpected argument '--token'"),
        (&["auth", "login", "x", "--parameter", "prompt"], "a name and a value with = between them"),
        (&["auth", "login", "x"], "give --issuer and --client-id, or set provider.x.oauth in "),
        (&["auth", "login", "x", "--issuer", "https://auth.example.com"], "give --issuer and --client-id"),
        (&["auth", "list", "--color", "sometimes"], "possible values: auto, always, never"),
        (&["completions", "cmd"], "possible values: bash"),
    ] {
        let ran = home.run(args).await;
        // What follows an unexpected argument is not repeated.
        ran.failed(2, expected);
    }
    for (args, expected) in [
        (&["--issuer", "http://auth.example.com", "--client-id", "a"][..], "issuer: must be an https:// URL"),
        (&["--issuer", "https://auth.example.com", "--client-id", ""], "clientId: must not be empty"),
        (&["--config", "/nowhere/a.json"], "/nowhere/a.json: cannot be read: "),
        (
            &["--issuer", "http://127.0.0.1:9", "--client-id", "a", "--client-secret-file", "/nowhere/s"],
            "--client-secret-file /nowhere/s: it cannot be read",
        ),
        (&["--issuer", "http://127.0.0.1:9", "--client-id", "a", "--redirect-uri", "https://a.example"], "127.0.0.1"),
    ] {
        home.run(&[&["auth", "login", "x", "--no-browser"], args].concat()).await.failed(1, expected);
    }
}

#[tokio::test]
async fn a_store_that_is_open_to_others_or_cannot_be_understood() {
    let home = Home::new();
    home.run_with_input(&["auth", "login", "x", "--token-stdin"], "c4n4ry").await.done();
    let file = home.path(".local/share/oauth-marathon/credentials.json");
    assert_eq!(mode(&file), 0o600);

    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    home.run(&["auth", "list"]).await.failed(1, "is open to others (mode 0644); close it (chmod 600 ");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();

    let link = home.path(".local/share/oauth-marathon/link.json");
    symlink(&file, &link).unwrap();
    home.run(&["auth", "list", "--store", link.to_str().unwrap()])
        .await
        .failed(1, "is a symbolic link; name the real file");

    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"revision\": 1", "\"revision\": 2")).unwrap();
    let ran = home.run(&["auth", "list"]).await;
    ran.failed(1, "its checksum does not match");
    std::fs::write(&file, &text[..text.len() / 2]).unwrap();
    home.run(&["auth", "list"]).await.failed(1, "it is left as it is: repair it, or move it away and log in again");
}

#[tokio::test]
async fn a_configuration_is_checked() {
    let home = Home::new();
    let check = async |text: &str| home.run(&["config", "check", &home.write("opencode.jsonc", text)]).await;
    let config = r#"{ "provider": { // two
        "a": { "oauth": { "issuer": "https://auth.example.com", "clientId": "mine", "extraHeaders": { "x": "c4n4ry" } } },
        "b": { "oauth": { "maxAttempts": 2, "tokenUrl": "https://auth.example.com/t", "clientId": "mine" } },
        "c": { "oauth": {} } } }"#;
    let ran = check(config).await.done();
    let expected = "\
no mistakes
  a: enough to refresh, log in through the browser, log in on another device
  b: enough to refresh
  c: settings only; no OAuth server
";
    assert!(ran.out.ends_with(expected), "{}", ran.out);
    assert!(check("{}").await.done().out.contains("no provider has an \"oauth\" object"));

    let wrong = |oauth: &str| format!(r#"{{ "provider": {{ "a": {{ "oauth": {oauth} }} }} }}"#);
    let slip = wrong(r#"{ "maxAtempts": 2 }"#);
    check(&slip)
        .await
        .failed(1, "opencode.jsonc: provider.a.oauth.maxAtempts: is not a setting; did you mean \"maxAttempts\"?");
    check(&wrong(r#"{ "maxWaitMs": "c4n4ry" }"#)).await.failed(1, "provider.a.oauth.maxWaitMs: must be a whole number");
    check(&wrong(r#"{ "clientId": "{env:C4N4RY}" }"#)).await.failed(1, "provider.a.oauth.clientId: ");
    check("{ \"provider\": ").await.failed(1, "opencode.jsonc: ");
    home.run(&["config", "check", "/nowhere/a.json"]).await.failed(1, "/nowhere/a.json: cannot be read");
}
