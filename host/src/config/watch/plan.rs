//! Which directories to watch for which names.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// As many as the kernel follows.
const MOST_LINKS: usize = 40;

/// Device and inode: a directory that was replaced has another one.
pub(super) type Identity = (u64, u64);

/// What matters in one directory.
#[derive(Debug, Default)]
struct Interest {
    names: BTreeSet<OsString>,
    /// Every name that comes or goes.
    all: bool,
    identity: Identity,
}

/// Where some paths lead at this moment.
#[derive(Debug, Default)]
pub(super) struct Plan {
    directories: BTreeMap<PathBuf, Interest>,
}

impl Plan {
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        let mut plan = Self::default();
        for path in paths {
            if let Ok(path) = std::path::absolute(path) {
                let mut links = 0;
                plan.follow(&path, &mut links);
            }
        }
        for (directory, interest) in &mut plan.directories {
            // one that has gone since has none, and cannot be watched either
            if let Ok(metadata) = fs::metadata(directory) {
                interest.identity = (metadata.dev(), metadata.ino());
            }
        }
        plan
    }

    /// Walks down a path; every symbolic link on the way and its end are of interest.
    fn follow(&mut self, path: &Path, links: &mut usize) {
        let mut at = PathBuf::new();
        let mut rest = path.components();
        while let Some(component) = rest.next() {
            let Component::Normal(name) = component else {
                if component == Component::ParentDir {
                    at.pop();
                } else {
                    at.push(component);
                }
                continue;
            };
            let here = at.join(name);
            let Ok(metadata) = fs::symlink_metadata(&here) else {
                // it may come: until then this directory is the nearest one there is
                return self.mark(&at, name);
            };
            if metadata.is_symlink() {
                self.mark(&at, name);
                *links += 1;
                let Ok(target) = fs::read_link(&here) else { return };
                if *links <= MOST_LINKS {
                    self.follow(&at.join(target).join(rest.as_path()), links);
                }
                return;
            }
            if rest.as_path().as_os_str().is_empty() {
                self.end(&at, name, metadata.is_dir());
            }
            at = here;
        }
    }

    fn end(&mut self, parent: &Path, name: &OsStr, is_directory: bool) {
        self.mark(parent, name);
        if is_directory {
            self.directories.entry(parent.join(name)).or_default().all = true;
        } else if let (Some(above), Some(name)) = (parent.parent(), parent.file_name()) {
            // whoever replaces the whole directory does that one level up
            self.mark(above, name);
        }
    }

    fn mark(&mut self, directory: &Path, name: &OsStr) {
        self.directories.entry(directory.to_owned()).or_default().names.insert(name.to_owned());
    }

    pub(super) fn identity(&self, directory: &Path) -> Option<Identity> {
        Some(self.directories.get(directory)?.identity)
    }

    pub(super) fn directories(&self) -> impl Iterator<Item = (&PathBuf, Identity)> {
        self.directories.iter().map(|(directory, interest)| (directory, interest.identity))
    }

    /// Whether an event at `path` matters; `names` if it is about a name that comes or goes.
    pub(super) fn concerns(&self, path: &Path, names: bool) -> bool {
        // what happens to a watched directory itself changes everything in it
        if names && self.directories.contains_key(path) {
            return true;
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return false };
        let interest = self.directories.get(parent);
        interest.is_some_and(|interest| interest.names.contains(name) || (interest.all && names))
    }
}
