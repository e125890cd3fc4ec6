//! What the fuzzer starts from and what it once found, without the fuzzer.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use super::TARGETS;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("host/ lies in the repository")
        .join("fuzz")
        .join(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn seeds_and_regressions_hold() {
    for (name, target) in TARGETS {
        let seeds = files(&folder("seeds").join(name));
        assert!(!seeds.is_empty(), "fuzz/seeds/{name} is empty");
        for path in seeds.into_iter().chain(files(&folder("regressions").join(name))) {
            let bytes = fs::read(&path).unwrap();
            assert!(catch_unwind(|| target(&bytes)).is_ok(), "{} does not hold", path.display());
        }
    }
}

#[test]
fn each_target_has_a_program_and_no_folder_is_left_behind() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stems = |name: &str| -> BTreeSet<String> {
        let stem = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
        files(&folder(name)).into_iter().map(stem).collect()
    };
    assert_eq!(stems("targets"), targets);
    assert_eq!(stems("seeds"), targets);
    for rest in ["dictionaries", "regressions"] {
        assert!(stems(rest).is_subset(&targets), "fuzz/{rest}");
    }
}
