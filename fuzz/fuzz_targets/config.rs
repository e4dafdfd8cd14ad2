//! Reads `opencode.json` and `opencode.jsonc` from any text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oauth_marathon::config::OpencodeConfig;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // It would read files of this machine, and devices among them.
    if text.contains("file") {
        return;
    }
    match OpencodeConfig::parse(text, "opencode.json") {
        Ok(config) => {
            for (id, oauth) in config.providers() {
                oauth.validate().expect("what was read is valid");
                assert_eq!(config.provider(id), Some(oauth));
            }
        }
        Err(error) => assert!(error.to_string().starts_with("opencode.json: "), "{error}"),
    }
});
