//! Which files a configuration consists of.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::assets::Assets;
use super::document::Document;
use super::places::join;
use super::problem::{Place, Problem, Problems};
use super::substitute::{Environment, reason};

/// The directory whose files hold consumers.
const CONSUMERS: &str = "consumers.d";

/// All files of a configuration, the main one first.
pub(super) struct Files {
    pub(super) documents: Vec<Document>,
    /// What to watch: files, and the directories of include patterns.
    pub(super) watched: Vec<PathBuf>,
    /// SHA-256 in hex over all bytes that were read.
    pub(super) digest: String,
    /// Of all files.
    pub(super) assets: Assets,
}

/// Reads the main file and everything that it includes.
pub(super) fn read(path: &Path, env: &dyn Environment, problems: &mut Problems) -> Files {
    let mut loader = Loader {
        env,
        problems,
        documents: Vec::new(),
        watched: Vec::new(),
        digest: Sha256::new(),
        assets: Assets::default(),
        done: BTreeSet::new(),
        open: Vec::new(),
    };
    loader.file(path, None);
    loader.consumers(path);
    let digest = loader.digest.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    });
    Files { documents: loader.documents, watched: loader.watched, digest, assets: loader.assets }
}

struct Loader<'a> {
    env: &'a dyn Environment,
    problems: &'a mut Problems,
    documents: Vec<Document>,
    watched: Vec<PathBuf>,
    digest: Sha256,
    assets: Assets,
    /// Canonical paths of files that were read.
    done: BTreeSet<PathBuf>,
    /// Those among them whose includes are being read, with the place that included them.
    open: Vec<(PathBuf, Option<Place>)>,
}

impl Loader<'_> {
    fn file(&mut self, path: &Path, included: Option<&Place>) {
        self.watch(path.to_owned());
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) => {
                let reason = reason(&error);
                let mut problem = Problem::new(format!("cannot read `{}`: {reason}", path.display()));
                problem.place = included.cloned();
                if included.is_none() && error.kind() == io::ErrorKind::NotFound {
                    problem.hint = Some("`--config FILE` names another file".to_owned());
                }
                return self.problems.push(problem);
            }
        };
        let canonical = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if let Some(place) = included
            && let Some(at) = self.open.iter().position(|(open, _)| *open == canonical)
        {
            return self.problems.push(self.a_loop(path, place, at));
        }
        if !self.done.insert(canonical.clone()) {
            // two patterns may well take the same file
            return;
        }
        self.open.push((canonical, included.cloned()));
        self.hash(text.as_bytes());
        let (document, read) = Document::parse(path, &text, self.env, self.problems);
        for (path, bytes) in read.files {
            self.watch(path);
            self.hash(&bytes);
        }
        self.assets.extend(read.assets);
        let includes = includes(&document);
        self.documents.push(document);
        for (pattern, place) in includes {
            self.include(path.parent().unwrap_or(Path::new("")), &pattern, &place);
        }
        self.open.pop();
    }

    fn a_loop(&self, path: &Path, place: &Place, at: usize) -> Problem {
        let message = format!("`{}` includes itself", path.display());
        let problem = Problem::new(message).at(place.clone()).label("includes it again");
        // where the way from the file back to itself begins
        match self.open.get(at + 1).and_then(|(_, place)| place.clone()) {
            Some(first) => problem.related(first, "by way of this"),
            None => problem.hint("choose a pattern that does not match the file itself"),
        }
    }

    fn include(&mut self, directory: &Path, pattern: &str, place: &Place) {
        let path = directory.join(pattern);
        let refuse = |message: String| Problem::new(message).at(place.clone());
        if pattern.is_empty() {
            return self.problems.push(refuse("an include pattern is empty".to_owned()));
        }
        let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else {
            return self.problems.push(refuse(format!("`{pattern}` names no file")));
        };
        let parent = path.parent().unwrap_or(Path::new(""));
        let starred = |piece: Component<'_>| piece.as_os_str().to_string_lossy().contains('*');
        if parent.components().any(starred) {
            let problem = refuse("`*` stands only in the last part of a path".to_owned());
            return self.problems.push(problem.hint("as in `conf.d/*.toml`"));
        }
        if !name.contains('*') {
            return self.file(&path, Some(place));
        }
        self.watch(if parent == Path::new("") { PathBuf::from(".") } else { parent.to_owned() });
        match matching(parent, &name) {
            Ok(names) => {
                for name in names {
                    self.file(&parent.join(name), Some(place));
                }
            }
            Err(error) => {
                let (directory, reason) = (parent.display(), reason(&error));
                let message = format!("cannot read the directory `{directory}`: {reason}");
                self.problems.push(refuse(message));
            }
        }
    }

    /// The directory beside the main file that holds consumers, if there is one: who manages them need not touch the rest.
    fn consumers(&mut self, main: &Path) {
        let directory = main.parent().unwrap_or(Path::new("")).join(CONSUMERS);
        // It may yet be made, or be on its way back.
        self.watch(directory.clone());
        if !directory.is_dir() {
            return;
        }
        match matching(&directory, "*.toml") {
            Ok(names) => {
                for name in names {
                    let read = self.documents.len();
                    self.file(&directory.join(name), None);
                    for document in self.documents.get(read..).unwrap_or_default() {
                        let keys = document.json.as_object().into_iter().flat_map(|table| table.keys());
                        for key in keys.filter(|key| !matches!(key.as_str(), "consumers" | "version")) {
                            let message =
                                format!("a file in `{CONSUMERS}` holds consumers alone, and this is `{key}`");
                            let mut problem = Problem::new(message);
                            problem.place = document.places.value(&join("", key));
                            self.problems.push(problem);
                        }
                    }
                }
            }
            Err(error) => {
                let (directory, reason) = (directory.display(), reason(&error));
                self.problems
                    .push(Problem::new(format!("cannot read the directory `{directory}`: {reason}")));
            }
        }
    }

    fn watch(&mut self, path: PathBuf) {
        if !self.watched.contains(&path) {
            self.watched.push(path);
        }
    }

    fn hash(&mut self, bytes: &[u8]) {
        self.digest.update((bytes.len() as u64).to_le_bytes());
        self.digest.update(bytes);
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(fs::read(path)?).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        io::Error::other(format!("line {line} is not UTF-8"))
    })
}

/// The include patterns of a file that could be read; the schema tells of the others.
fn includes(document: &Document) -> Vec<(String, Place)> {
    let list = document.json.get("include").and_then(|list| list.as_array());
    let patterns = list.into_iter().flatten().enumerate();
    patterns
        .filter_map(|(at, pattern)| {
            let place = document.places.value(&join("/include", &at.to_string()))?;
            Some((pattern.as_str()?.to_owned(), place))
        })
        .collect()
}

/// The names in a directory that match, sorted; hidden files (editors leave some) are not for patterns.
fn matching(directory: &Path, pattern: &str) -> io::Result<Vec<String>> {
    let directory = if directory == Path::new("") { Path::new(".") } else { directory };
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && !name.starts_with('.')
            && glob(pattern, &name)
            && !entry.path().is_dir()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a name matches a pattern in which `*` stands for any text.
fn glob(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("*.toml", "a.toml", true),
            ("*.toml", ".toml", true),
            ("*.toml", "a.toml~", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*a", "a", false),
            ("*", "", true),
            ("exact", "exact", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(glob(pattern, name), expected, "{pattern} {name}");
        }
    }
}
