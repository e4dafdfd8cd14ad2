//! Help, version and completions.

use crate::run::Home;

#[tokio::test]
async fn help_is_short_and_says_what_the_exit_codes_mean() {
    let home = Home::new();
    assert_eq!(home.run(&["--help"]).await.done().out, include_str!("help.txt"));
    assert_eq!(home.run(&["auth", "--help"]).await.done().out, include_str!("help_auth.txt"));
    let version = home.run(&["--version"]).await.done();
    assert_eq!(version.out, format!("marathon {}\n", env!("CARGO_PKG_VERSION")));
    home.run(&[]).await.failed(2, "Usage: marathon");
}

/// Every command has a line that says what it does, and so has every option.
#[tokio::test]
async fn everything_is_explained() {
    let home = Home::new();
    for command in ["login", "list", "remove", "use", "clear", "refresh", "import", "export"] {
        let ran = home.run(&["auth", command, "--help"]).await.done();
        for line in ran.out.lines().filter(|line| line.trim_start().starts_with("--")) {
            let words = line.split("  ").filter(|words| !words.is_empty()).count();
            assert!(words >= 2, "{command}: {line}");
        }
    }
}

#[tokio::test]
async fn completions_for_every_shell() {
    let home = Home::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = home.run(&["completions", shell]).await.done().out;
        assert!(script.contains("marathon") && script.contains("token-stdin"), "{shell}");
    }
}
