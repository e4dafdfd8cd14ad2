//! `auth export`, and the way back.

use oauth_marathon::{Credential, Secret};

use crate::run::{CANARY, Home, mode, tokens};

async fn filled() -> Home {
    let home = Home::new();
    home.add("x", Credential::new("a", tokens("a")).subject("1").label("alice").extra_header("x-org", "c4n4ry-org"))
        .await;
    home.add("y", Credential::new("key", Secret::new("c4n4ry-key")).header("x-api-key")).await;
    home
}

#[tokio::test]
async fn without_secrets_it_is_what_list_shows() {
    let home = filled().await;
    let exported = home.run(&["auth", "export"]).await.done();
    assert_eq!(exported.out, home.run(&["auth", "list", "--json"]).await.done().out);
    let file = home.path("out.json");
    home.run(&["auth", "export", "--output", file.to_str().unwrap()]).await.done();
    assert_eq!(std::fs::read_to_string(file).unwrap(), exported.out.trim_end());
}

#[tokio::test]
async fn with_secrets_it_is_a_file_for_one_user_that_can_be_imported() {
    let home = filled().await;
    let file = home.path("backup.json");
    let name = file.to_str().unwrap();
    home.run(&["auth", "export", "--with-secrets"]).await.failed(2, "--output");
    let ran = home.run(&["auth", "export", "--with-secrets", "--output", name]).await.done();
    assert_eq!(ran.out, format!("Wrote 2 credentials to {name}.\n"));
    assert!(std::fs::read_to_string(&file).unwrap().contains(CANARY));
    assert_eq!(mode(&file), 0o600);
    home.run(&["auth", "export", "--with-secrets", "-o", name]).await.failed(1, "nothing is overwritten: remove it");
    home.run(&["auth", "export", "--with-secrets", "-o", "/nowhere/a"]).await.failed(1, "/nowhere/a could not be made");

    let other = Home::new();
    other.run(&["auth", "import", name]).await.done();
    for (provider, id) in [("x", "a"), ("y", "key")] {
        let (there, here) = (other.load(provider, id).await.unwrap(), home.load(provider, id).await.unwrap());
        assert_eq!(there, here);
    }
}
