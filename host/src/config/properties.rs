//! What holds for any input.

use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

use jsonschema::Validator;
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::json;

use super::amount::{
    AMOUNT, AMOUNT_PATTERN, QUANTITY, QUANTITY_PATTERN, mend as mend_amount, parse_amount, parse_quantity,
};
use super::golden::{TestEnvironment, cases};
use super::pattern::{HostPattern, PathPattern, Segment};
use super::quantity::{
    DURATION_PATTERN, SIZE_PATTERN, mend_duration, mend_size, parse_duration, parse_size, show_duration,
    show_size,
};
use super::{Problems, load};

fn validator(pattern: &str) -> Validator {
    jsonschema::validator_for(&json!({ "pattern": pattern })).unwrap()
}

static DURATION: LazyLock<Validator> = LazyLock::new(|| validator(DURATION_PATTERN));
static AMOUNT_TEXT: LazyLock<Validator> = LazyLock::new(|| validator(AMOUNT_PATTERN));
static QUANTITY_TEXT: LazyLock<Validator> = LazyLock::new(|| validator(QUANTITY_PATTERN));
static SIZE: LazyLock<Validator> = LazyLock::new(|| validator(SIZE_PATTERN));

/// Texts that are nearly quantities, and any others.
fn quantities() -> impl Strategy<Value = String> {
    prop_oneof!["[0-9]{0,14} ?(us|µs|ms|s|m|h|d|B|KB|kib|MiB|GB|G|)", any::<String>()]
}

fn segments() -> impl Strategy<Value = Segment> {
    prop_oneof!["[a-z0-9._~-]{1,8}[a-z]".prop_map(Segment::Literal), proptest::strategy::Just(Segment::Any),]
}

/// A path; names of segments differ by their numbers.
fn paths() -> impl Strategy<Value = PathPattern> {
    (
        prop::collection::vec(
            prop_oneof![segments(), proptest::strategy::Just(Segment::Named(String::new()))],
            0..6,
        ),
        any::<bool>(),
    )
        .prop_map(|(mut segments, rest)| {
            for (at, segment) in segments.iter_mut().enumerate() {
                if let Segment::Named(name) = segment {
                    *name = format!("n{at}");
                }
            }
            PathPattern { segments, rest }
        })
}

fn load_text(text: &str) -> Result<super::Config, Problems> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.toml");
    fs::write(&path, text).unwrap();
    load(&path, &TestEnvironment)
}

/// Whatever is wrong with a text can be shown.
fn shows(result: Result<super::Config, Problems>) {
    if let Err(problems) = result {
        assert!(!problems.is_empty());
        assert!(problems.render(false).contains("error: "));
        assert!(problems.render(true).contains("error"));
        assert!(problems.to_json().is_array());
    }
}

/// All valid and invalid files of the golden cases: the seeds of damaged ones.
static SEEDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut seeds = Vec::new();
    for folder in ["valid", "invalid"] {
        for entry in fs::read_dir(cases().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let file = if path.is_dir() { path.join("gateway.toml") } else { path };
            seeds.extend(fs::read_to_string(file).ok());
        }
    }
    seeds.sort();
    seeds
});

proptest! {
    #[test]
    fn durations_follow_their_pattern(text in quantities()) {
        let parsed = parse_duration(&text);
        prop_assert_eq!(parsed.is_ok(), DURATION.is_valid(&json!(text)), "{:?}", text);
        if let Some(mended) = mend_duration(&text) {
            prop_assert!(parse_duration(&mended).is_ok());
        }
    }

    #[test]
    fn sizes_follow_their_pattern(text in quantities()) {
        let parsed = parse_size(&text);
        prop_assert_eq!(parsed.is_ok(), SIZE.is_valid(&json!(text)), "{:?}", text);
        if let Some(mended) = mend_size(&text) {
            prop_assert!(parse_size(&mended).is_ok());
        }
    }

    #[test]
    fn amounts_and_quantities_follow_their_patterns(text in prop_oneof!["[0-9]{0,20}([.,]?[0-9]{0,14})", any::<String>()]) {
        prop_assert_eq!(parse_amount(&text).is_some(), AMOUNT_TEXT.is_valid(&json!(text)), "{:?}", text);
        prop_assert_eq!(parse_quantity(&text).is_some(), QUANTITY_TEXT.is_valid(&json!(text)), "{:?}", text);
    }

    #[test]
    fn mended_amounts_and_quantities_are_right(text in prop_oneof!["-?[0-9_ ]{0,9}[.]?[0-9]{0,9}(e-?[0-9]{1,2})?", any::<String>()]) {
        for (words, parse) in [(AMOUNT, parse_amount as fn(&str) -> _), (QUANTITY, parse_quantity)] {
            if let Some(mended) = mend_amount(words, &text) {
                prop_assert!(parse(mended.trim_matches('"')).is_some(), "{:?} {}", text, mended);
            }
        }
    }

    #[test]
    fn shown_quantities_read_back(micros in 0_u64..1_000_000_000_000, size in 0_u64..1_000_000_000) {
        let duration = Duration::from_micros(micros);
        prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
        prop_assert_eq!(parse_size(&show_size(size)), Ok(size));
    }

    #[test]
    fn paths_read_back(path in paths()) {
        prop_assert_eq!(PathPattern::parse(&path.to_string()), Ok(path));
    }

    #[test]
    fn any_path_is_parsed_or_refused(text in prop_oneof![any::<String>(), "/?([a-z*{}/.%?# -]|\\*\\*|//)*"]) {
        if let Ok(path) = PathPattern::parse(&text) {
            prop_assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn any_host_is_parsed_or_refused(text in prop_oneof![any::<String>(), "(\\*\\.)?[a-zA-Z0-9.-]{0,12}(:[0-9]*)?"]) {
        if let Ok(host) = HostPattern::parse(&text) {
            prop_assert_eq!(HostPattern::parse(&host.to_string()), Ok(host));
        }
    }

    #[test]
    fn any_text_is_loaded_or_explained(text in any::<String>()) {
        shows(load_text(&text));
    }

    #[test]
    fn nearly_toml_is_loaded_or_explained(text in "([\\[\\]{}=\",.'#$\n ]|\\[routes\\.|include|bind|\\$\\{env:|[0-9a-z])*") {
        shows(load_text(&text));
    }

    #[test]
    fn damaged_files_are_loaded_or_explained(
        seed in any::<prop::sample::Index>(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, "[\\[\\]{}=\",.'a1\n]{0,3}"), 1..4),
    ) {
        let mut text: Vec<char> = seed.get(&SEEDS).chars().collect();
        for (at, length, replacement) in cuts {
            let at = at.index(text.len() + 1);
            let end = (at + length).min(text.len());
            text.splice(at..end, replacement.chars());
        }
        let text: String = text.into_iter().collect();
        shows(load_text(&text));
    }
}

#[test]
fn deep_nesting_is_explained() {
    for text in [
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}1{}", "{a=".repeat(5_000), "}".repeat(5_000)),
        format!("{}=1", vec!["a"; 20_000].join(".")),
    ] {
        shows(load_text(&text));
    }
}
