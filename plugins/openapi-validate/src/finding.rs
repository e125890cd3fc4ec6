//! What is wrong with a message, as the client and the log are told.

use serde::Serialize;
use serde_json::Value;

use crate::document::short;

/// Findings that are told; there may be more.
const MOST: usize = 20;
/// Characters of a pointer into a message: names in it are the client's and of any length.
const LONGEST_POINTER: usize = 256;

/// Where in a message something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    Path,
    Query,
    Header,
    Cookie,
    Body,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Finding {
    #[serde(rename = "in")]
    pub(crate) place: Place,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// JSON pointer into the body, or into the parameter's value.
    pub(crate) pointer: String,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) schema_pointer: Option<String>,
}

/// What was found, bounded.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Finding>,
    more: bool,
}

/// What a value is, for its findings.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) place: Place,
    pub(crate) name: Option<&'a str>,
}

impl Subject<'_> {
    pub(crate) const BODY: Self = Self { place: Place::Body, name: None };

    /// Something is wrong with all of it.
    pub(crate) fn finding(self, message: impl Into<String>) -> Finding {
        let (name, pointer) = (self.name.map(short), String::new());
        Finding { place: self.place, name, pointer, message: message.into(), schema_pointer: None }
    }
}

impl Findings {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MOST
    }

    pub(crate) fn push(&mut self, mut finding: Finding) {
        if self.is_full() {
            self.more = true;
            return;
        }
        if let Some((end, _)) = finding.pointer.char_indices().nth(LONGEST_POINTER) {
            finding.pointer.truncate(end);
            finding.pointer.push('…');
        }
        self.list.push(finding);
    }

    /// As the problem document's member.
    pub(crate) fn as_slice(&self) -> &[Finding] {
        &self.list
    }

    /// As a line of the log.
    pub(crate) fn line(&self) -> String {
        let all: Vec<_> = self.list.iter().map(Finding::line).collect();
        format!("{}{}", all.join("; "), if self.more { "; and more" } else { "" })
    }
}

impl Finding {
    fn line(&self) -> String {
        let place = serde_json::to_value(self.place).ok();
        let place = place.as_ref().and_then(Value::as_str).unwrap_or_default();
        let name = self.name.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default();
        let pointer = if self.pointer.is_empty() { String::new() } else { format!(" at {}", self.pointer) };
        // Names in it are the client's: one that breaks the line must not look like two.
        format!("{place}{name}{pointer}: {}", self.message).escape_debug().to_string()
    }
}
