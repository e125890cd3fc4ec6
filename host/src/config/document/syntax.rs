//! What TOML itself refuses.

use std::ops::Range;
use std::sync::Arc;

use toml::de::Error;

use crate::config::problem::{Place, Problem, Problems, SourceFile};

/// Reports the first error of each line, for the others on it follow from that one. Returns the lines.
pub(super) fn report(
    errors: &[Error],
    source: &Arc<SourceFile>,
    problems: &mut Problems,
) -> Vec<Range<usize>> {
    let text = &source.text;
    let mut errors: Vec<(Range<usize>, &str)> = errors
        .iter()
        .map(|error| (error.span().unwrap_or_default(), error.message()))
        .collect();
    errors.sort_by_key(|(span, _)| span.start);
    let mut lines: Vec<Range<usize>> = Vec::new();
    for (span, message) in errors {
        let line = line_around(text, span.start);
        if lines.last() == Some(&line) {
            continue;
        }
        lines.push(line);
        let place = Place { file: Arc::clone(source), span: span.clone() };
        let mut problem = Problem::new(reworded(message, text.get(span))).at(place);
        problem.hint = hint_for(message).map(str::to_owned);
        problems.push(problem);
    }
    lines
}

fn reworded(message: &str, found: Option<&str>) -> String {
    match (message, found) {
        ("duplicate key", Some(key)) => format!("`{}` is there twice", key.escape_debug()),
        _ => message.trim_end_matches(", expected nothing").to_owned(),
    }
}

fn hint_for(message: &str) -> Option<&'static str> {
    let unquoted = ["string values must be quoted", "invalid float", "invalid integer", "invalid number", "invalid boolean"];
    if unquoted.iter().any(|start| message.starts_with(start)) {
        return Some("a string is written between quotes");
    }
    (message == "duplicate key").then_some("each key and each `[table]` is written once per file")
}

fn line_around(text: &str, at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let bytes = text.as_bytes();
    let start = bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |newline| newline + 1);
    let end = bytes[at..].iter().position(|b| *b == b'\n').map_or(text.len(), |line| at + line);
    start..end
}
