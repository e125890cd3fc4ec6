//! A value on its way to a meaning: which file, and where in it.

use std::path::PathBuf;

use crate::config::document::Document;
use crate::config::places::{dotted, join};
use crate::config::problem::{Place, Problem};

/// A value of a file.
#[derive(Clone)]
pub(super) struct At<'a> {
    pub(super) document: &'a Document,
    pub(super) pointer: String,
}

impl<'a> At<'a> {
    pub(super) fn root(document: &'a Document) -> Self {
        Self { document, pointer: String::new() }
    }

    pub(super) fn key(&self, key: &str) -> Self {
        Self { document: self.document, pointer: join(&self.pointer, key) }
    }

    pub(super) fn index(&self, index: usize) -> Self {
        Self { document: self.document, pointer: format!("{}/{index}", self.pointer) }
    }

    /// The value's place, or the next table around it.
    pub(super) fn place(&self) -> Option<Place> {
        self.document.places.value(&self.pointer)
    }

    /// The place of the key.
    pub(super) fn head(&self) -> Option<Place> {
        self.document.places.key(&self.pointer)
    }

    pub(super) fn path(&self) -> String {
        dotted(&self.pointer)
    }

    pub(super) fn is_written(&self) -> bool {
        self.document.places.spot(&self.pointer).is_some()
    }

    pub(super) fn is_substituted(&self) -> bool {
        self.document.places.is_substituted(&self.pointer)
    }

    /// Whether this table has keys besides these, which may stand for one of them.
    pub(super) fn has_other_keys(&self, known: &[&str]) -> bool {
        let table = self.document.json.pointer(&self.pointer).and_then(|value| value.as_object());
        table.is_some_and(|table| table.keys().any(|key| !known.contains(&key.as_str())))
    }

    /// As it stands in the file, for a message.
    pub(super) fn written(&self) -> &str {
        self.document.places.written(&self.pointer).unwrap_or("another value")
    }

    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        let mut problem = Problem::new(message);
        problem.place = self.place();
        problem.label = Some(format!("`{}`", self.path()));
        problem
    }

    /// A path that was written, from the directory of its file.
    pub(super) fn resolve_path(&self, path: &str) -> PathBuf {
        self.document.directory.join(path)
    }
}
