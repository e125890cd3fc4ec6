//! A mistake in the configuration, where it is, and how it is shown.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

/// A configuration file as it is shown in messages.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// As the user named it.
    pub(crate) path: PathBuf,
    /// The text; secrets that stand in it are blotted out.
    pub(crate) text: String,
}

/// A stretch of a configuration file.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) file: Arc<SourceFile>,
    pub(crate) span: Range<usize>,
}

impl Place {
    /// Line and column, counted from 1.
    pub(crate) fn line_column(&self) -> (usize, usize) {
        let text = &self.file.text;
        let mut end = self.span.start.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
    }
}

/// Places are all alike: what is configured does not change when it moves to another line.
impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `gateway.toml:14:1`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        write!(f, "{}:{line}:{column}", self.file.path.display())
    }
}

/// One mistake that the operator can mend.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) place: Option<Place>,
    /// Stands beside the caret.
    pub(crate) label: Option<String>,
    pub(crate) hint: Option<String>,
    /// Other places that have to do with it, each with its label.
    pub(crate) related: Vec<(Place, String)>,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, label: None, hint: None, related: Vec::new() }
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.related.push((place, label.into()));
        self
    }

    /// On one line, with its place: for a warning.
    pub(crate) fn to_line(&self) -> String {
        match &self.place {
            Some(place) => format!("{place}: {}", self.message),
            None => self.message.clone(),
        }
    }

    /// For the admin listener and for tools.
    pub(crate) fn to_json(&self) -> Value {
        let mut object = json!({ "message": self.message });
        if let Some(place) = &self.place {
            let (line, column) = place.line_column();
            object["file"] = place.file.path.display().to_string().into();
            object["line"] = line.into();
            object["column"] = column.into();
        }
        for (key, text) in [("label", &self.label), ("hint", &self.hint)] {
            if let Some(text) = text {
                object[key] = text.as_str().into();
            }
        }
        object
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut group = Group::with_title(Level::ERROR.primary_title(&self.message));
        if let Some(place) = &self.place {
            let mut snippet = snippet(&place.file).annotation(annotation(
                AnnotationKind::Primary,
                place,
                self.label.as_deref(),
            ));
            let (here, elsewhere): (Vec<_>, Vec<_>) =
                self.related.iter().partition(|(related, _)| Arc::ptr_eq(&related.file, &place.file));
            for (related, label) in here {
                snippet = snippet.annotation(annotation(AnnotationKind::Context, related, Some(label)));
            }
            group = group.element(snippet);
            for (related, label) in elsewhere {
                group = group.element(snippet_of(related, label));
            }
        }
        let mut text = renderer.render(&[group]);
        if let Some(hint) = &self.hint {
            // rustc's own `help:` hangs under the snippet; after a blank line it reads without colour too
            text.push_str("\n\nhint: ");
            text.extend(hint.chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
        text
    }
}

fn snippet(file: &SourceFile) -> Snippet<'_, Annotation<'_>> {
    Snippet::source(&file.text).path(file.path.display().to_string())
}

fn snippet_of<'a>(place: &'a Place, label: &'a str) -> Snippet<'a, Annotation<'a>> {
    snippet(&place.file).annotation(annotation(AnnotationKind::Context, place, Some(label)))
}

fn annotation<'a>(kind: AnnotationKind, place: &Place, label: Option<&'a str>) -> Annotation<'a> {
    let text = &place.file.text;
    let mut span = place.span.start.min(text.len())..place.span.end.min(text.len());
    // one line is enough to find it: a table or an array may be pages long
    if let Some(newline) = text.get(span.clone()).and_then(|shown| shown.find('\n')) {
        span.end = span.start + newline;
    }
    kind.span(span).label(label)
}

/// All mistakes that were found, and the files in which they were looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problems {
    list: Vec<Problem>,
    files: Vec<PathBuf>,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    pub(crate) fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        self.list.extend(problems);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// What to watch for the repair: every file that was read or looked for.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    pub(super) fn set_files(&mut self, files: Vec<PathBuf>) {
        self.files = files;
    }

    /// The problems by file and line, each once.
    pub(crate) fn sorted(&self) -> Vec<&Problem> {
        let key = |problem: &Problem| {
            problem.place.as_ref().map(|place| {
                let rank = self.files.iter().position(|file| *file == place.file.path);
                (rank, place.file.path.clone(), place.span.start)
            })
        };
        let mut sorted: Vec<&Problem> = self.list.iter().collect();
        sorted.sort_by_cached_key(|problem| key(problem));
        sorted.dedup_by(|a, b| a.message == b.message && key(a) == key(b));
        sorted
    }

    /// As rustc shows its errors, with a line at the end that counts them.
    pub(crate) fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let sorted = self.sorted();
        let mut text = String::new();
        for problem in &sorted {
            text.push_str(&problem.render(&renderer));
            text.push_str("\n\n");
        }
        text.push_str(&renderer.render(&[Group::with_title(Level::ERROR.primary_title(summary(&sorted)))]));
        text.push('\n');
        text
    }

    pub(crate) fn to_json(&self) -> Value {
        self.sorted().into_iter().map(Problem::to_json).collect()
    }
}

fn summary(problems: &[&Problem]) -> String {
    let mut files: Vec<String> = Vec::new();
    for place in problems.iter().filter_map(|problem| problem.place.as_ref()) {
        let file = place.file.path.display().to_string();
        if !files.contains(&file) {
            files.push(file);
        }
    }
    let count = match problems.len() {
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    match files.as_slice() {
        [] => count,
        [file] => format!("{count} in {file}"),
        [file, _] => format!("{count} in {file} and another file"),
        [file, rest @ ..] => format!("{count} in {file} and {} other files", rest.len()),
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self { list: vec![problem], files: Vec::new() }
    }
}
