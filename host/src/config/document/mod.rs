//! One file: from text to JSON that remembers its places, with everything put in that `${...}` asks for.

mod blot;
mod syntax;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Number, Value};
use toml::de::{DeTable, DeValue};

use super::assets::Assets;
use super::places::{Places, Spot, dotted, join};
use super::problem::{Place, Problem, Problems, SourceFile};
use super::substitute::{Environment, Refusal, Sources, Substituted};

/// A file that was read.
pub(super) struct Document {
    pub(super) source: Arc<SourceFile>,
    /// Against which its paths are resolved.
    pub(super) directory: PathBuf,
    pub(super) json: Value,
    pub(super) places: Places,
    /// Pointers of values that have a problem already.
    pub(super) faulty: BTreeSet<String>,
    /// It is not TOML throughout, so what seems to be missing may be there.
    pub(super) damaged: bool,
}

/// What was read because a file's strings refer to it.
pub(super) struct Read {
    /// Files that were read, or that were missing, with their bytes.
    pub(super) files: Vec<(PathBuf, Vec<u8>)>,
    pub(super) assets: Assets,
}

impl Document {
    /// Reads a text; every problem goes to `problems`. The second part is the files that its strings asked for.
    pub(super) fn parse(
        path: &Path,
        text: &str,
        env: &dyn Environment,
        problems: &mut Problems,
    ) -> (Self, Read) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let shown = blot::blot(text, table.get_ref(), !errors.is_empty());
        let source = Arc::new(SourceFile { path: path.to_owned(), text: shown });
        let damaged = !errors.is_empty();
        let broken_lines = syntax::report(&errors, &source, problems);

        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut reader = Reader {
            source: Arc::clone(&source),
            sources: Sources::new(env, &directory),
            places: Places::default(),
            faulty: BTreeSet::new(),
            broken_lines,
            problems,
        };
        let json = reader.table("", table.get_ref());
        let (places, faulty) = (reader.places, reader.faulty);
        let read = Read { files: reader.sources.read, assets: reader.sources.assets };
        (Self { source, directory, json, places, faulty, damaged }, read)
    }

    /// Where one would write what is missing altogether.
    pub(super) fn start(&self) -> Place {
        Place { file: Arc::clone(&self.source), span: 0..0 }
    }

    /// Whether the value at a pointer, or one in it, has a problem that was reported.
    pub(super) fn is_faulty(&self, pointer: &str) -> bool {
        let below = format!("{pointer}/");
        let next = self.faulty.range(below.clone()..).next();
        self.faulty.contains(pointer) || next.is_some_and(|faulty| faulty.starts_with(&below))
    }

    /// Whether a value around this one, or the value itself, could not be read.
    pub(super) fn is_within_faulty(&self, pointer: &str) -> bool {
        let ends = pointer.match_indices('/').map(|(end, _)| end).chain([pointer.len()]);
        ends.skip(1).any(|end| self.faulty.contains(&pointer[..end]))
    }
}

struct Reader<'a> {
    source: Arc<SourceFile>,
    sources: Sources<'a>,
    places: Places,
    faulty: BTreeSet<String>,
    /// Stretches on which the syntax is broken: values there are guesses.
    broken_lines: Vec<Range<usize>>,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn table(&mut self, pointer: &str, table: &DeTable<'_>) -> Value {
        let mut map = Map::new();
        for (key, value) in table {
            let at = join(pointer, key.get_ref());
            let place = self.place(key.span());
            let json = self.value(&at, Some(place), value.get_ref(), value.span());
            map.insert(key.get_ref().clone().into_owned(), json);
        }
        Value::Object(map)
    }

    fn value(&mut self, pointer: &str, key: Option<Place>, value: &DeValue<'_>, span: Range<usize>) -> Value {
        let place = self.place(span.clone());
        let mut spot = Spot { key, value: place.clone(), outside: Vec::new(), faulty: false };
        let guess = self.is_broken(&span);
        if guess {
            self.faulty.insert(pointer.to_owned());
        }
        let json = match value {
            DeValue::Table(table) => self.table(pointer, table),
            _ if guess => Value::Null,
            DeValue::Array(array) => {
                let values = array.iter().enumerate();
                values
                    .map(|(at, value)| {
                        let at = format!("{pointer}/{at}");
                        self.value(&at, None, value.get_ref(), value.span())
                    })
                    .collect()
            }
            DeValue::String(text) => self.string(pointer, text, &mut spot),
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
            DeValue::Integer(integer) => {
                let number = i64::from_str_radix(integer.as_str(), integer.radix());
                self.number(pointer, &place, number.ok().map(Number::from))
            }
            DeValue::Float(float) => {
                let number = float.as_str().parse().ok().and_then(Number::from_f64);
                self.number(pointer, &place, number)
            }
        };
        spot.faulty = self.faulty.contains(pointer);
        self.places.insert(pointer.to_owned(), spot);
        json
    }

    fn number(&mut self, pointer: &str, place: &Place, number: Option<Number>) -> Value {
        number.map_or_else(
            || {
                let problem = Problem::new("this number is out of range").at(place.clone());
                self.fault(pointer, problem.label(format!("`{}`", dotted(pointer))))
            },
            Value::Number,
        )
    }

    fn string(&mut self, pointer: &str, text: &str, spot: &mut Spot) -> Value {
        let is_config = pointer.split('/').any(|key| key == "config");
        match self.sources.substitute(text, is_config) {
            Substituted::Unchanged => Value::String(text.to_owned()),
            Substituted::Changed { text, outside } => {
                spot.outside = outside;
                Value::String(text)
            }
            Substituted::Refused(refusals) => {
                for Refusal { piece, message, hint } in refusals {
                    let place = self.narrow(&spot.value, &piece);
                    let mut problem = Problem::new(message).at(place);
                    problem.hint = hint;
                    self.fault(pointer, problem.label(format!("`{}`", dotted(pointer))));
                }
                Value::Null
            }
        }
    }

    fn fault(&mut self, pointer: &str, problem: Problem) -> Value {
        self.problems.push(problem);
        self.faulty.insert(pointer.to_owned());
        Value::Null
    }

    /// The piece within the value, unless it is written with escapes.
    fn narrow(&self, place: &Place, piece: &str) -> Place {
        let text = self.source.text.get(place.span.clone()).unwrap_or_default();
        match text.find(piece) {
            Some(start) => {
                let start = place.span.start + start;
                self.place(start..start + piece.len())
            }
            None => place.clone(),
        }
    }

    fn place(&self, span: Range<usize>) -> Place {
        Place { file: Arc::clone(&self.source), span }
    }

    fn is_broken(&self, span: &Range<usize>) -> bool {
        self.broken_lines.iter().any(|line| line.start <= span.end && span.start <= line.end)
    }
}
