//! Configurations: any text is read, or every problem with it can be shown at its place.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use crate::config::{Config, Environment, Language, Place, Problem, Problems, load_in};

static LANGUAGE: LazyLock<Language> = LazyLock::new(Language::new);

/// A few variables.
struct Variables;

impl Environment for Variables {
    fn var(&self, name: &str) -> Option<String> {
        match name {
            "PORT" => Some("8080".to_owned()),
            "SECRET" => Some("b\u{fc}chse\n\"of secrets\"".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }
}

/// Any bytes as `gateway.toml`, alone in its directory.
///
/// # Panics
/// Where a property does not hold.
pub fn config(bytes: &[u8]) {
    // There, some files never end.
    let text = String::from_utf8_lossy(bytes);
    if ["/dev", "/proc", "/sys"].iter().any(|folder| text.contains(folder)) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory for the file");
    let path = directory.path().join("gateway.toml");
    fs::write(&path, bytes).expect("the file can be written");
    let Err(problems) = load(&path) else {
        assert!(load(&path).is_ok(), "read once, refused once");
        return;
    };
    assert!(!problems.is_empty());
    for color in [false, true] {
        assert!(problems.render(color).contains("error"));
    }
    let sorted = problems.sorted();
    let shown = problems.to_json();
    assert_eq!(shown.as_array().map(Vec::len), Some(sorted.len()));
    for problem in sorted {
        assert!(!problem.message.is_empty());
        check(problem);
    }
}

fn load(path: &Path) -> Result<Config, Problems> {
    load_in(&LANGUAGE, path, &Variables)
}

/// Whether a problem stands where it says.
fn check(problem: &Problem) {
    let is_of_a_file = problem.message.starts_with("cannot read `");
    assert!(is_of_a_file || problem.place.is_some(), "{} stands nowhere", problem.message);
    for place in problem.place.iter().chain(problem.related.iter().map(|(place, _)| place)) {
        let Place { file, span } = place;
        assert!(span.start <= span.end && span.end <= file.text.len(), "{span:?} of {}", file.text.len());
        let (line, column) = place.line_column();
        let there = file.text.split('\n').nth(line - 1).expect("there is such a line");
        assert!(column <= there.chars().count() + 1, "{line}:{column} of {there:?}");
    }
}
