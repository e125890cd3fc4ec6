//! Runs every case under `tests/config`. `BLESS=1` writes down what came out.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Environment, Problems, load};

/// In every value that no message may show.
const NEVER_SHOWN: &str = "hunter2";

/// What the cases may refer to.
pub(super) struct TestEnvironment;

impl Environment for TestEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        match name {
            "PEPPER" | "SECRET" => Some(format!("{NEVER_SHOWN}-and-more")),
            "BIND" => Some("127.0.0.1:0".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }
}

/// The folder with the cases: beside the crate, or wherever `SLUICE_TEST_CONFIG` says.
pub(super) fn cases() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/config");
    std::env::var_os("SLUICE_TEST_CONFIG").map_or_else(beside, PathBuf::from)
}

fn sorted(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn rendered(problems: &Problems, directory: &Path) -> String {
    let prefix = format!("{}/", directory.display());
    problems.render(false).replace(&prefix, "")
}

#[test]
fn invalid_files_are_explained() {
    let bless = std::env::var_os("BLESS").is_some();
    let directories = sorted(&cases().join("invalid"));
    assert!(directories.len() >= 25, "where are the cases?");
    let mut wrong = Vec::new();
    for directory in directories {
        let problems = load(&directory.join("gateway.toml"), &TestEnvironment)
            .expect_err(&directory.display().to_string());
        let text = rendered(&problems, &directory);
        assert!(!text.contains(NEVER_SHOWN), "a secret is shown:\n{text}");
        assert!(!problems.to_json().to_string().contains(NEVER_SHOWN));
        assert!(!format!("{problems:?}").contains(NEVER_SHOWN));
        let expected = directory.join("expected.err");
        if bless {
            fs::write(&expected, &text).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != text {
            wrong.push(format!("--- {}\n{text}", directory.display()));
        }
    }
    assert!(wrong.is_empty(), "BLESS=1 takes these for right:\n{}", wrong.join("\n"));
}

#[test]
fn valid_files_are_taken() {
    let files: Vec<PathBuf> = sorted(&cases().join("valid"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    assert!(files.len() >= 5, "where are the cases?");
    for file in files {
        let config = load(&file, &TestEnvironment)
            .unwrap_or_else(|problems| panic!("{}:\n{problems}", file.display()));
        assert!(!format!("{config:?}").contains(NEVER_SHOWN));
        let again = load(&file, &TestEnvironment).unwrap();
        assert!(config == again, "{} means the same twice", file.display());
    }
}
