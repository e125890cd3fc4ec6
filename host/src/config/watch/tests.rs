//! Every way in which editors, deployments and clusters replace a file.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Receiver;

use super::{PATIENCE, Pending, Watcher};

const QUIET: Duration = Duration::from_millis(20);

struct Watched {
    watcher: Watcher,
    changed: Receiver<()>,
    directory: tempfile::TempDir,
}

impl Watched {
    fn new(arrange: impl FnOnce(&Path), paths: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        arrange(directory.path());
        let paths = paths.iter().map(|path| directory.path().join(path)).collect();
        let (watcher, changed) = Watcher::new(paths, QUIET).unwrap();
        Self { watcher, changed, directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn wait(&mut self, limit: Duration) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let signal = self.changed.recv();
        runtime.block_on(async { tokio::time::timeout(limit, signal).await }).is_ok()
    }

    #[track_caller]
    fn sees(&mut self, change: impl FnOnce(&Self)) {
        change(self);
        assert!(self.wait(Duration::from_secs(10)), "the change was not told");
    }

    #[track_caller]
    fn ignores(&mut self, change: impl FnOnce(&Self)) {
        change(self);
        assert!(!self.wait(QUIET * 6), "this is no change");
    }
}

fn one_file(directory: &Path) {
    fs::write(directory.join("a"), "1").unwrap();
}

#[test]
fn writing_renaming_over_deleting_and_writing_anew() {
    let mut watched = Watched::new(one_file, &["a"]);
    watched.sees(|w| fs::write(w.path("a"), "2").unwrap());
    watched.sees(|w| {
        fs::write(w.path("a.tmp"), "3").unwrap();
        fs::rename(w.path("a.tmp"), w.path("a")).unwrap();
    });
    watched.sees(|w| fs::write(w.path("a"), "4").unwrap());
    watched.sees(|w| fs::remove_file(w.path("a")).unwrap());
    watched.sees(|w| fs::write(w.path("a"), "5").unwrap());
    watched.sees(|w| {
        // as vim saves: the old file moves away, a new one takes its name
        fs::rename(w.path("a"), w.path("a~")).unwrap();
        fs::write(w.path("a"), "6").unwrap();
    });
}

#[test]
fn neighbours_and_readers_are_no_change() {
    let mut watched = Watched::new(one_file, &["a"]);
    watched.ignores(|w| fs::write(w.path("b"), "1").unwrap());
    watched.ignores(|w| assert_eq!(fs::read_to_string(w.path("a")).unwrap(), "1"));
}

#[test]
fn a_directory_tells_of_names_and_not_of_contents() {
    let arrange = |directory: &Path| {
        fs::create_dir(directory.join("conf.d")).unwrap();
        fs::write(directory.join("conf.d/log"), "1").unwrap();
    };
    let mut watched = Watched::new(arrange, &["conf.d"]);
    watched.ignores(|w| fs::write(w.path("conf.d/log"), "22").unwrap());
    watched.sees(|w| fs::write(w.path("conf.d/a.toml"), "1").unwrap());
    watched.sees(|w| fs::remove_file(w.path("conf.d/a.toml")).unwrap());
}

#[test]
fn a_config_map_is_swapped() {
    let arrange = |directory: &Path| {
        for generation in ["..1", "..2"] {
            fs::create_dir(directory.join(generation)).unwrap();
            fs::write(directory.join(generation).join("a"), generation).unwrap();
        }
        symlink("..1", directory.join("..data")).unwrap();
        symlink("..data/a", directory.join("a")).unwrap();
    };
    let mut watched = Watched::new(arrange, &["a"]);
    for generation in ["..2", "..1", "..2"] {
        watched.sees(|w| {
            symlink(generation, w.path("..tmp")).unwrap();
            fs::rename(w.path("..tmp"), w.path("..data")).unwrap();
        });
    }
    // and the file behind the links is still watched, the one that they left is not
    watched.sees(|w| fs::write(w.path("..2/a"), "new").unwrap());
    watched.ignores(|w| fs::write(w.path("..1/a"), "new").unwrap());
}

#[test]
fn what_is_missing_may_come() {
    let mut watched = Watched::new(|_| {}, &["x/y/a"]);
    watched.sees(|w| fs::create_dir(w.path("x")).unwrap());
    watched.sees(|w| fs::create_dir(w.path("x/y")).unwrap());
    watched.sees(|w| fs::write(w.path("x/y/a"), "1").unwrap());
    watched.sees(|w| fs::write(w.path("x/y/a"), "2").unwrap());
    watched.sees(|w| fs::remove_dir_all(w.path("x")).unwrap());
    watched.sees(|w| {
        fs::create_dir_all(w.path("x/y")).unwrap();
        fs::write(w.path("x/y/a"), "3").unwrap();
    });
    watched.sees(|w| fs::write(w.path("x/y/a"), "4").unwrap());
}

#[test]
fn a_directory_is_replaced() {
    let arrange = |directory: &Path| {
        for name in ["now", "next"] {
            fs::create_dir(directory.join(name)).unwrap();
            fs::write(directory.join(name).join("a"), name).unwrap();
        }
    };
    let mut watched = Watched::new(arrange, &["now/a"]);
    watched.sees(|w| {
        fs::rename(w.path("now"), w.path("old")).unwrap();
        fs::rename(w.path("next"), w.path("now")).unwrap();
    });
    watched.sees(|w| fs::write(w.path("now/a"), "1").unwrap());
    watched.ignores(|w| fs::write(w.path("old/a"), "1").unwrap());
}

#[test]
fn other_paths_take_the_place_of_the_first() {
    let arrange = |directory: &Path| {
        for name in ["x", "y"] {
            fs::create_dir(directory.join(name)).unwrap();
            fs::write(directory.join(name).join("a"), name).unwrap();
        }
    };
    let mut watched = Watched::new(arrange, &["x/a"]);
    assert!(watched.watcher.watch(vec![watched.path("y/a")]));
    assert!(!watched.watcher.watch(vec![watched.path("y/a")]));
    watched.sees(|w| fs::write(w.path("y/a"), "1").unwrap());
    watched.ignores(|w| fs::write(w.path("x/a"), "1").unwrap());
}

#[test]
fn links_that_lead_in_circles_are_left() {
    let arrange = |directory: &Path| {
        symlink("b", directory.join("a")).unwrap();
        symlink("a", directory.join("b")).unwrap();
    };
    let mut watched = Watched::new(arrange, &["a"]);
    watched.sees(|w| {
        fs::remove_file(w.path("b")).unwrap();
        fs::write(w.path("b"), "1").unwrap();
    });
}

#[test]
fn a_dropped_watcher_says_so() {
    let watched = Watched::new(one_file, &["a"]);
    let Watched { watcher, mut changed, .. } = watched;
    drop(watcher);
    assert_eq!(changed.blocking_recv(), None);
}

#[test]
fn a_change_waits_for_quiet_but_not_for_ever() {
    let start = Instant::now();
    let mut pending = Pending::after(None, start, QUIET);
    assert_eq!(pending.due, start + QUIET);
    for events in 1..100 {
        pending = Pending::after(Some(pending), start + (QUIET / 2) * events, QUIET);
    }
    assert_eq!(pending.due, start + QUIET * PATIENCE);
}
