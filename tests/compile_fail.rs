//! The likely mistakes do not compile, and the compiler says what to do.

/// What the compiler prints differs between its versions; the expected texts are of this one.
const TEXTS_ARE_OF: &str = "rustc 1.95.";

#[test]
fn the_likely_mistakes_are_named_with_their_cures() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(rustc).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    if !version.starts_with(TEXTS_ARE_OF) {
        eprintln!("skipped: the expected texts are of {TEXTS_ARE_OF}x, this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
