//! What a JSON Schema says of a value, in words and with places.

mod words;

use std::collections::HashSet;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, ValidationError, Validator};
use serde_json::Value;

use super::places::{Places, dotted, join};
use super::problem::Problem;
use super::similar::{closest, either, known};
use words::{aliased, bounds, expected, expected_of, home_of, node, properties};

/// A problem and what it is about.
pub(super) struct Finding {
    pub(super) pointer: String,
    pub(super) problem: Problem,
    pub(super) kind: Kind,
}

/// What a problem is about.
#[derive(PartialEq)]
pub(super) enum Kind {
    Value,
    /// A key that is not there.
    Missing(String),
    /// A key that should not be there, and the one that was meant.
    Unknown(Option<String>),
}

/// Prepares a schema: without network or files, and with regular expressions that cannot run away.
pub(super) fn validator(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .with_pattern_options(jsonschema::PatternOptions::regex())
        .build(schema)
        .map_err(|error| error.to_string())
}

/// Everything in which `json` does not follow `schema`. `of` is whose configuration it is, if it is not a whole file.
pub(super) fn check(
    validator: &Validator,
    schema: &Value,
    json: &Value,
    places: &Places,
    of: Option<&str>,
) -> Vec<Finding> {
    let mut explainer = Explainer { schema, places, of, findings: Vec::new() };
    for error in validator.iter_errors(json) {
        explainer.explain(&error);
    }
    without_echoes(explainer.findings)
}

/// A misspelt key is not missing as well, and one reason is enough to refuse a value.
fn without_echoes(findings: Vec<Finding>) -> Vec<Finding> {
    let meant: HashSet<String> = findings
        .iter()
        .filter_map(|finding| match &finding.kind {
            Kind::Unknown(Some(meant)) => Some(sibling(&finding.pointer, meant)),
            _ => None,
        })
        .collect();
    let mut refused = HashSet::new();
    let keep = |finding: &Finding| match &finding.kind {
        Kind::Missing(key) => !meant.contains(&join(&finding.pointer, key)),
        Kind::Value => refused.insert(finding.pointer.clone()),
        Kind::Unknown(_) => true,
    };
    findings.into_iter().filter(keep).collect()
}

fn sibling(pointer: &str, key: &str) -> String {
    join(&pointer[..pointer.rfind('/').unwrap_or(0)], key)
}

struct Explainer<'a> {
    schema: &'a Value,
    places: &'a Places,
    of: Option<&'a str>,
    findings: Vec<Finding>,
}

impl<'a> Explainer<'a> {
    fn explain(&mut self, error: &ValidationError<'_>) {
        let pointer = error.instance_path().as_str();
        let rule = error.schema_path().as_str();
        let parent = node(self.schema, &rule[..rule.rfind('/').unwrap_or(0)]);
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                for key in unexpected {
                    self.unknown_key(pointer, key, parent);
                }
            }
            ValidationErrorKind::FalseSchema => self.forbidden(pointer),
            ValidationErrorKind::Required { property } => {
                self.missing(pointer, property.as_str().unwrap_or_default(), parent);
            }
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                self.no_branch(error, parent, context);
            }
            ValidationErrorKind::PropertyNames { error: inner } => {
                let key = inner.instance().as_str().unwrap_or_default();
                let at = join(pointer, key);
                let problem =
                    Problem::new(format!("`{}` cannot be a key{}", key.escape_debug(), self.inside(pointer)));
                self.find(at.clone(), problem, self.places.key(&at));
            }
            ValidationErrorKind::Enum { options } => {
                let options: Vec<String> =
                    options.as_array().into_iter().flatten().map(Value::to_string).collect();
                self.not_an_option(pointer, error.instance(), &options);
            }
            ValidationErrorKind::Constant { expected_value } => {
                let words = parent.and_then(expected_of);
                let words = words.unwrap_or_else(|| expected_value.to_string());
                let options = [expected_value.to_string()];
                self.unlike_with_options(pointer, error.instance(), &words, &options);
            }
            ValidationErrorKind::Type { kind } => {
                let words = parent.and_then(|parent| expected(self.schema, parent));
                let words = words.unwrap_or_else(|| type_words(kind));
                self.unlike(pointer, error.instance(), &words);
            }
            kind => self.out_of_bounds(pointer, error, kind, parent),
        }
    }

    fn out_of_bounds(
        &mut self,
        pointer: &str,
        error: &ValidationError<'_>,
        kind: &ValidationErrorKind,
        parent: Option<&Value>,
    ) {
        let words = match kind {
            ValidationErrorKind::Pattern { pattern } => {
                parent.and_then(expected_of).unwrap_or_else(|| format!("text that matches `{pattern}`"))
            }
            ValidationErrorKind::Format { format } => {
                parent.and_then(expected_of).unwrap_or_else(|| format!("text of the format `{format}`"))
            }
            ValidationErrorKind::UniqueItems => {
                let problem = Problem::new("an entry is there twice");
                return self.find_value(pointer, problem);
            }
            _ => match parent.and_then(|parent| bounds(parent, error.instance())) {
                Some(words) => words,
                None => {
                    let text = error.masked_with("the value").to_string();
                    return self.find_value(pointer, Problem::new(text));
                }
            },
        };
        self.unlike(pointer, error.instance(), &words);
    }

    fn unknown_key(&mut self, pointer: &str, key: &str, table: Option<&Value>) {
        let shown = key.escape_debug();
        let mut problem = Problem::new(format!("unknown key `{shown}`{}", self.inside(pointer)));
        let table = table.and_then(Value::as_object);
        let siblings = properties(table);
        let meant = aliased(self.schema, table, key)
            .or_else(|| closest(key, siblings.iter().copied()))
            .map(str::to_owned);
        problem.hint = meant
            .as_ref()
            .map(|meant| format!("did you mean `{meant}`?"))
            .or_else(|| home_of(self.schema, table, key).map(|home| format!("`{key}` belongs in `{home}`")))
            .or_else(|| known("key", siblings.iter().copied()));
        let pointer = join(pointer, key);
        problem.place = self.places.key(&pointer);
        self.findings.push(Finding { pointer, problem, kind: Kind::Unknown(meant) });
    }

    fn forbidden(&mut self, pointer: &str) {
        let problem = Problem::new(format!("`{}` is not allowed here", dotted(pointer)));
        self.find(pointer.to_owned(), problem, self.places.key(pointer));
    }

    fn missing(&mut self, pointer: &str, key: &str, table: Option<&Value>) {
        let mut problem = Problem::new(match (self.of, pointer) {
            (None, "") => format!("`{key}` is missing"),
            _ => format!("`{key}` is missing{}", self.inside(pointer)),
        });
        let property = table.and_then(|table| table.get("properties")?.get(key));
        problem.hint = property
            .and_then(|property| expected(self.schema, property))
            .map(|words| format!("`{key}` is {words}"));
        problem.place = self.places.value(pointer);
        let kind = Kind::Missing(key.to_owned());
        self.findings.push(Finding { pointer: pointer.to_owned(), problem, kind });
    }

    /// None of several shapes fits: tell what is wrong with the one that was meant, if that can be known.
    fn no_branch(
        &mut self,
        error: &ValidationError<'_>,
        parent: Option<&Value>,
        context: &[Vec<ValidationError<'static>>],
    ) {
        let pointer = error.instance_path().as_str();
        let nearest = context.iter().min_by_key(|errors| distance(errors, pointer));
        match nearest.map(|errors| (distance(errors, pointer).0, errors)) {
            Some((Distance::Inside, errors)) => {
                for error in errors {
                    self.explain(error);
                }
            }
            Some((Distance::OtherTag, errors)) => {
                let tag = errors.iter().find(|error| is_tag(error, pointer));
                let Some(tag) = tag else { return };
                let at = tag.instance_path().as_str();
                let tags = context.iter().flatten().filter(|e| e.instance_path().as_str() == at);
                let options: Vec<String> = tags.flat_map(options_of).collect();
                self.not_an_option(at, tag.instance(), &options);
            }
            _ => {
                let options: Vec<String> = context.iter().flatten().flat_map(options_of).collect();
                let words = parent.and_then(|parent| expected(self.schema, parent));
                let words = words.unwrap_or_else(|| either(&options));
                self.unlike_with_options(pointer, error.instance(), &words, &options);
            }
        }
    }

    fn not_an_option(&mut self, pointer: &str, found: &Value, options: &[String]) {
        self.unlike_with_options(pointer, found, &either(options), options);
    }

    fn unlike(&mut self, pointer: &str, found: &Value, words: &str) {
        self.unlike_with_options(pointer, found, words, &[]);
    }

    fn unlike_with_options(&mut self, pointer: &str, found: &Value, words: &str, options: &[String]) {
        let shown = words::found(found, self.places, pointer);
        let mut problem = Problem::new(format!("expected {words}, found {shown}"));
        if !self.places.is_substituted(pointer) {
            let options = options.iter().map(|option| option.trim_matches('"'));
            problem.hint = found
                .as_str()
                .and_then(|text| closest(text, options))
                .map(|meant| format!("did you mean `{meant}`?"))
                .or_else(|| words::mend(words, found, self.places.written(pointer)));
        }
        self.find_value(pointer, problem);
    }

    fn find_value(&mut self, pointer: &str, problem: Problem) {
        let problem = match dotted(pointer) {
            path if path.is_empty() => problem,
            path => problem.label(format!("`{path}`")),
        };
        self.find(pointer.to_owned(), problem, self.places.value(pointer));
    }

    fn find(&mut self, pointer: String, mut problem: Problem, place: Option<super::problem::Place>) {
        problem.place = place;
        self.findings.push(Finding { pointer, problem, kind: Kind::Value });
    }

    /// ` in ...`, for a table.
    fn inside(&self, pointer: &str) -> String {
        match (self.of, pointer) {
            (None, "") => String::new(),
            (None, _) => format!(" in `{}`", dotted(pointer)),
            (Some(of), "") => format!(" in the configuration of {of}"),
            (Some(of), _) => format!(" in `{}` of the configuration of {of}", dotted(pointer)),
        }
    }
}

/// How far a value is from one of several shapes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Distance {
    /// The shape was meant; something inside of the value is wrong.
    Inside,
    /// A key that tells the shapes apart names another one.
    OtherTag,
    /// The value itself is of another kind.
    Outside,
}

fn distance(errors: &[ValidationError<'_>], pointer: &str) -> (Distance, usize, usize) {
    let here = errors.iter().filter(|error| error.instance_path().as_str() == pointer);
    let refused = here.clone().any(|error| {
        matches!(
            error.kind(),
            ValidationErrorKind::Type { .. }
                | ValidationErrorKind::Constant { .. }
                | ValidationErrorKind::Enum { .. }
                | ValidationErrorKind::AnyOf { .. }
                | ValidationErrorKind::OneOfNotValid { .. }
        )
    });
    let kind = if refused {
        Distance::Outside
    } else if errors.iter().any(|error| is_tag(error, pointer)) {
        Distance::OtherTag
    } else {
        Distance::Inside
    };
    (kind, here.count(), errors.len())
}

/// A key right in the table at `pointer` that should have been one certain word.
fn is_tag(error: &ValidationError<'_>, pointer: &str) -> bool {
    let child = error.instance_path().as_str().strip_prefix(pointer);
    matches!(error.kind(), ValidationErrorKind::Constant { .. })
        && child.is_some_and(|child| child.rfind('/') == Some(0))
}

/// The words that were allowed.
fn options_of(error: &ValidationError<'_>) -> Vec<String> {
    match error.kind() {
        ValidationErrorKind::Constant { expected_value } => vec![expected_value.to_string()],
        ValidationErrorKind::Enum { options } => {
            options.as_array().into_iter().flatten().map(Value::to_string).collect()
        }
        _ => Vec::new(),
    }
}

fn type_words(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => words::type_name(&one.to_string()).to_owned(),
        TypeKind::Multiple(set) => {
            let names: Vec<String> =
                set.iter().map(|one| words::type_name(&one.to_string()).to_owned()).collect();
            either(&names)
        }
    }
}
