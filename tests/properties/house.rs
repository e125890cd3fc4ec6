//! Rules for every file.

use super::source::{Source, root, sources, words};

const FOLDERS: &[&str] = &["host", "plugin-sdk", "plugins", "tests", "xtask", "bench", "fuzz"];

/// The longest file, in lines.
const MAX_LINES: usize = 600;

/// Where `unsafe` may stand: the SDK's imports and what the macro writes, and the loading of precompiled modules.
const UNSAFE: &[&str] = &["plugin-sdk/src/host/ffi.rs", "plugin-sdk/macros/src/", "host/src/wasm/cache.rs"];

fn everything() -> impl Iterator<Item = Source> {
    FOLDERS.iter().flat_map(|folder| sources(folder))
}

#[test]
fn no_file_is_longer_than_a_room() {
    for source in everything() {
        let lines = source.text.lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", source.path);
    }
}

#[test]
fn every_file_says_what_lives_in_it() {
    for source in everything() {
        // Snippets that must not compile are shown to the compiler as they are.
        if source.path.starts_with("plugin-sdk/tests/plugin/") {
            continue;
        }
        assert!(source.text.starts_with("//! "), "{} does not open with a `//!` line", source.path);
    }
}

#[test]
fn unsafe_code_stands_where_it_was_agreed() {
    for source in everything() {
        let agreed = UNSAFE.iter().any(|place| source.path.starts_with(place));
        assert!(
            agreed || !words(&source.code()).any(|word| word == "unsafe"),
            "{} has unsafe code",
            source.path
        );
    }
}

#[test]
fn nothing_is_left_for_later() {
    for source in everything() {
        let code = source.code();
        for stub in ["todo!(", "unimplemented!("] {
            assert!(!code.contains(stub), "{} has `{stub}`", source.path);
        }
        assert!(!code.contains("#[ignore"), "{} ignores a test", source.path);
    }
}

#[test]
fn a_changelog_and_a_licence_are_there() {
    for file in [
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "README.md",
        "ARCHITECTURE.md",
        "deny.toml",
        ".ci/run",
    ] {
        assert!(root().join(file).is_file(), "{file} is missing");
    }
}
