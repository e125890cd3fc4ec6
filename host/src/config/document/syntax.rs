//! What TOML itself refuses.

use std::ops::Range;
use std::sync::Arc;

use toml::de::Error;

use crate::config::problem::{Place, Problem, Problems, SourceFile};

const TWICE: &str = "duplicate key";

/// Reports the first error of each line, for the others on it follow from that one. Returns the lines.
pub(super) fn report(
    errors: &[Error],
    source: &Arc<SourceFile>,
    problems: &mut Problems,
) -> Vec<Range<usize>> {
    let text = &source.text;
    let mut errors: Vec<(Range<usize>, &str)> =
        errors.iter().map(|error| (error.span().unwrap_or_default(), error.message())).collect();
    errors.sort_by_key(|(span, _)| span.start);
    let mut lines: Vec<Range<usize>> = Vec::new();
    let mut second_table: Option<Range<usize>> = None;
    for (span, message) in errors {
        let line = line_around(text, span.start);
        if lines.last() == Some(&line) {
            continue;
        }
        lines.push(line.clone());
        if message == TWICE {
            // the keys of a table that is there twice are so too
            if second_table.as_ref().is_some_and(|table| table.contains(&span.start)) {
                continue;
            }
            if text[line.clone()].trim_start().starts_with('[') {
                second_table = Some(line.start..end_of_table(text, line.end));
            }
        }
        problems.push(explain(source, span, message, &line));
    }
    lines
}

fn explain(source: &Arc<SourceFile>, span: Range<usize>, message: &str, line: &Range<usize>) -> Problem {
    let text = &source.text;
    let place = |span| Place { file: Arc::clone(source), span };
    if message == TWICE {
        let key = text.get(span.clone()).unwrap_or_default();
        let problem = Problem::new(format!("`{}` is there twice", key.escape_debug()));
        let problem = problem.at(place(span.clone())).label("again");
        return match first_of(text, key, line) {
            Some(first) => problem.related(place(first), "first"),
            None => problem,
        };
    }
    let unquoted = ["string values must be quoted", "invalid float", "invalid integer", "invalid boolean"];
    if unquoted.iter().any(|start| message.starts_with(start)) {
        let problem = Problem::new("expected a value, found text without quotes");
        return problem.at(place(word_around(text, span, line)));
    }
    let message = match message {
        "invalid basic string, expected `\"`" => "this string has no end, expected `\"`",
        "invalid literal string, expected `'`" => "this string has no end, expected `'`",
        other => other.trim_end_matches(", expected nothing"),
    };
    Problem::new(message).at(place(span))
}

/// Where a key or a header stood before.
fn first_of(text: &str, key: &str, line: &Range<usize>) -> Option<Range<usize>> {
    let header = text[line.clone()].trim();
    let mut start = line.start;
    while start > 0 {
        let before = line_around(text, start - 1);
        let content = text[before.clone()].trim_start();
        let at = before.end - content.len();
        if header.starts_with('[') {
            if content.trim_end() == header {
                return Some(at..at + content.trim_end().len());
            }
        } else if content.starts_with('[') {
            return None;
        } else if content.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('=')) {
            return Some(at..at + key.len());
        }
        start = before.start;
    }
    None
}

fn end_of_table(text: &str, start: usize) -> usize {
    let mut at = start;
    while at < text.len() {
        let line = line_around(text, at + 1);
        if text[line.clone()].trim_start().starts_with('[') {
            return line.start;
        }
        at = line.end;
    }
    text.len()
}

/// All of a text of which the parser disliked a part.
fn word_around(text: &str, span: Range<usize>, line: &Range<usize>) -> Range<usize> {
    let ends = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'=' | b',' | b'[' | b']' | b'{' | b'}');
    let bytes = text.as_bytes();
    let start = bytes[line.start..span.start].iter().rposition(ends);
    let end = bytes[span.start..line.end].iter().position(ends);
    start.map_or(line.start, |at| line.start + at + 1)..end.map_or(line.end, |at| span.start + at)
}

fn line_around(text: &str, at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let bytes = text.as_bytes();
    let start = bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |newline| newline + 1);
    let end = bytes[at..].iter().position(|b| *b == b'\n').map_or(text.len(), |line| at + line);
    start..end
}
