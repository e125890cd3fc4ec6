//! From what was written to what it means.

mod at;
mod consumers;
mod jwks;
mod listeners;
mod metering;
mod plugins;
mod routes;
mod settings;
mod steps;
mod tls;
mod upstreams;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::at::At;
use super::document::Document;
use super::field::{DurationText, Field, SizeText};
use super::files::Files;
use super::model::{Config, Step};
use super::pattern::RouteMatch;
use super::problem::{Place, Problem, Problems};
use super::quantity::{show_duration, show_size};
use super::raw::{Named, RawConfig};
use super::similar::{closest, known};

struct Resolver<'a> {
    problems: &'a mut Problems,
    /// Some file is not TOML throughout, so what seems to be missing may be there.
    damaged: bool,
    known: Known,
    /// Files that values name and that were read.
    named_files: Vec<PathBuf>,
}

/// A file and what was written in it.
struct Input<'a> {
    document: &'a Document,
    raw: RawConfig,
}

/// A named table; `raw` is `None` if its value is none, and then that was reported.
struct Entry<'a, T> {
    name: Arc<str>,
    at: At<'a>,
    raw: Option<&'a T>,
}

/// Names that exist, even where what they name is broken.
type Names = BTreeMap<Arc<str>, Place>;

/// What is known of a configuration with problems: enough to look for more of them.
#[derive(Default)]
pub(crate) struct Known {
    /// The steps of all routes that could be read, whatever became of the routes.
    pub(crate) steps: Vec<Step>,
    /// Which requests routes match: name, place and conditions of those whose conditions are in order.
    pub(crate) matches: Vec<(Arc<str>, Place, RouteMatch)>,
    /// The plugins that steps of chains and routes use.
    pub(crate) used: BTreeSet<Arc<str>>,
    /// Some step could not be read, so that it may use any plugin.
    pub(crate) incomplete: bool,
    /// What of a plugin is not as it was written.
    pub(crate) doubts: BTreeMap<Arc<str>, Doubts>,
}

/// What of a plugin had problems, so that what follows from it is no news.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Doubts {
    pub(crate) capabilities: bool,
    pub(crate) pin: bool,
    pub(crate) limits: bool,
}

/// Whether a text is a moment, as `expires` has it.
pub(crate) fn is_time(text: &str) -> bool {
    consumers::parse_time(text).is_some()
}

/// Gives meaning to all files; no [`Config`] only with problems.
pub(super) fn resolve(files: &Files, problems: &mut Problems) -> (Option<Config>, Known) {
    let damaged = files.documents.iter().any(|document| document.damaged);
    let mut resolver = Resolver {
        problems,
        damaged,
        known: Known { incomplete: damaged, ..Known::default() },
        named_files: Vec::new(),
    };
    let config = resolver.config_of(files);
    (config, resolver.known)
}

fn nobody_listens() -> Problem {
    let problem = Problem::new("there is no listener, so nobody can reach the gateway");
    problem.hint("for example: [listeners.public] with bind = \"0.0.0.0:8080\"")
}

impl Resolver<'_> {
    fn config_of(&mut self, files: &Files) -> Option<Config> {
        let mut inputs = Vec::new();
        for document in &files.documents {
            // a file's root is a table of fields that bear anything
            let raw = serde_json::from_value(document.json.clone()).ok()?;
            inputs.push(Input { document, raw });
        }
        let main = inputs.first()?.document;
        self.preamble(&inputs);

        let workers = self.workers(&inputs);
        let pepper = self.pepper(&inputs);
        let (secrets, secret_names) = self.secrets(&inputs);
        let store = self.store(&inputs);
        let remote_store = self.remote_store(&inputs);
        let (gateway_id, named) = self.gateway_id(&inputs);
        let (ledger, ledger_meant) = self.ledger(&inputs, named);
        let meters = self.meters(&inputs);
        let (sinks, sink_names) = self.sinks(&inputs, &meters);
        let (plans, plan_names) = self.plans(&inputs, &meters);
        let reload = self.reload(&inputs);
        let telemetry = self.telemetry(&inputs);
        let cache = self.cache(&inputs);
        let listeners = self.listeners(&inputs);
        let (upstreams, upstream_names) = self.upstreams(&inputs);
        let (jwks, jwks_names) = self.key_sets(&inputs);
        let names =
            plugins::Grantable { upstreams: &upstream_names, secrets: &secret_names, jwks: &jwks_names };
        let (plugins, plugin_names) = self.plugins(&inputs, names);
        let chains = self.chains(&inputs, &plugins, &plugin_names);
        let consumers = self.consumers(&inputs, pepper.is_some(), &plan_names);
        let routing = routes::Routing {
            plugins: &plugins,
            plugin_names: &plugin_names,
            chains: &chains,
            upstreams: &upstreams,
            upstream_names: &upstream_names,
        };
        let routes = self.routes(&inputs, &routing);

        if listeners.is_empty() && !self.damaged && self.problems.is_empty() {
            self.problems.push(nobody_listens().at(main.start()));
        }
        if !ledger_meant {
            let paid = metering::paid(&plans, &plan_names);
            let kinds = [("meter", &meters.names), ("plan", &paid), ("sink", &sink_names)];
            self.needs_ledger(&inputs, kinds);
        }
        Some(Config {
            gateway_id,
            workers,
            buffered_bytes: self.buffered_bytes(&inputs),
            listeners,
            upstreams,
            plugins,
            routes,
            meters: meters.all,
            meter_places: meters.names,
            plans,
            consumers,
            pepper: pepper.flatten(),
            secrets,
            jwks,
            store,
            remote_store,
            ledger,
            sinks,
            reload,
            telemetry,
            cache,
            files: files.watched.iter().chain(&self.named_files).cloned().collect(),
            digest: files.digest.clone(),
            assets: files.assets.clone(),
        })
    }

    /// Does a part of the work; second, whether what came of it is in doubt.
    fn doubted<T>(&mut self, at: &At<'_>, work: impl FnOnce(&mut Self) -> T) -> (T, bool) {
        let before = self.problems.len();
        let done = work(self);
        let doubtful = self.problems.len() > before || at.document.is_faulty(&at.pointer) || self.is_lost(at);
        (done, doubtful)
    }

    /// Whether a value that is not there may have been meant by something else, such as a misspelt key.
    fn is_lost(&self, at: &At<'_>) -> bool {
        let parent = &at.pointer[..at.pointer.rfind('/').unwrap_or(0)];
        self.damaged || (!at.is_written() && at.document.is_faulty(parent))
    }

    /// The value of a field, if it has one.
    fn given<'f, T>(&mut self, at: &At<'_>, field: &'f Field<T>) -> Option<&'f T> {
        match field {
            Field::Given(value) => Some(value),
            Field::Absent => None,
            Field::Broken => {
                // such as `2.0`, which is an integer to JSON Schema
                if !at.document.is_faulty(&at.pointer) {
                    let found = at.written();
                    self.problems.push(at.problem(format!("expected an integer, found `{found}`")));
                }
                None
            }
        }
    }

    /// The entries of an array that have a value.
    fn list<'d, 'f, T>(&mut self, at: &At<'d>, field: &'f Field<Vec<Field<T>>>) -> Vec<(At<'d>, &'f T)> {
        let mut entries = Vec::new();
        for (index, entry) in self.given(at, field).into_iter().flatten().enumerate() {
            let at = at.index(index);
            if let Some(value) = self.given(&at, entry) {
                entries.push((at, value));
            }
        }
        entries
    }

    /// The tables of one kind in all files, sorted by name.
    fn named<'a, T>(
        &mut self,
        inputs: &'a [Input<'a>],
        key: &str,
        pick: impl Fn(&'a RawConfig) -> &'a Named<T>,
    ) -> Vec<Entry<'a, T>> {
        let mut entries: BTreeMap<Arc<str>, Entry<'a, T>> = BTreeMap::new();
        for input in inputs {
            let tables = At::root(input.document).key(key);
            for (name, field) in self.given(&tables, pick(&input.raw)).into_iter().flatten() {
                let at = tables.key(name);
                self.check_name(&at, name);
                if let Some(first) = entries.get(name.as_str()) {
                    self.twice(&at, &first.at);
                    continue;
                }
                let name: Arc<str> = name.as_str().into();
                let raw = self.given(&at, field);
                entries.insert(Arc::clone(&name), Entry { name, at, raw });
            }
        }
        entries.into_values().collect()
    }

    /// A table that only one of the files may have.
    fn single<'a, T>(
        &mut self,
        inputs: &'a [Input<'a>],
        key: &str,
        pick: impl Fn(&'a RawConfig) -> &'a Field<T>,
    ) -> Option<(At<'a>, &'a T)> {
        let mut first: Option<(At<'a>, &'a T)> = None;
        for input in inputs {
            let at = At::root(input.document).key(key);
            match (self.given(&at, pick(&input.raw)), &first) {
                (Some(_), Some((there, _))) => self.twice(&at, there),
                (Some(value), None) => first = Some((at, value)),
                (None, _) => {}
            }
        }
        first
    }

    fn twice(&mut self, second: &At<'_>, first: &At<'_>) {
        let mut problem = Problem::new(format!("`{}` is defined twice", second.path()));
        problem.place = second.head();
        problem.label = Some("again".to_owned());
        if let Some(place) = first.head() {
            problem = problem.related(place, "first");
        }
        self.problems.push(problem);
    }

    /// Names become labels of metrics, and parts of `fetch:NAME`.
    fn check_name(&mut self, at: &At<'_>, name: &str) {
        if !is_name(name) {
            let mut problem = Problem::new(match name {
                "" => "a name is empty".to_owned(),
                _ => format!("`{}` cannot be a name", name.escape_debug()),
            });
            problem.place = at.head();
            let hint = "up to 128 letters, digits and `-`, `_`, `.`, `@`";
            self.problems.push(problem.hint(hint));
        }
    }

    /// A value that has the right type and no meaning. What `message` quotes is not shown if it came in by substitution.
    fn invalid(&mut self, at: &At<'_>, expected: &str, message: &str, hint: Option<String>) {
        let problem = if at.is_substituted() {
            at.problem(format!("expected {expected}, found another value in {}", at.written()))
        } else {
            let mut problem = at.problem(message);
            problem.hint = hint;
            problem
        };
        self.problems.push(problem);
    }

    /// A name that nothing bears.
    fn unknown<'n>(
        &mut self,
        at: &At<'_>,
        kind: &str,
        name: &str,
        names: impl Iterator<Item = &'n str> + Clone,
        declare: &str,
    ) {
        if self.damaged {
            return;
        }
        let message = format!("there is no {kind} `{}`", name.escape_debug());
        let hint = closest(name, names.clone())
            .map(|meant| format!("did you mean `{meant}`?"))
            .or_else(|| known(kind, names))
            .unwrap_or_else(|| declare.to_owned());
        self.invalid(at, &format!("the name of {}", with_article(kind)), &message, Some(hint));
    }

    fn duration(
        &mut self,
        table: &At<'_>,
        key: &str,
        field: &Field<DurationText>,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let at = table.key(key);
        let Some(&DurationText(duration)) = self.given(&at, field) else { return default };
        let show = |bound: &Duration| show_duration(*bound);
        if self.within(&at, duration, &range, show) { duration } else { default }
    }

    fn size(
        &mut self,
        table: &At<'_>,
        key: &str,
        field: &Field<SizeText>,
        default: usize,
        range: RangeInclusive<u64>,
    ) -> usize {
        let at = table.key(key);
        let Some(&SizeText(size)) = self.given(&at, field) else { return default };
        if !self.within(&at, size, &range, |bound| show_size(*bound)) {
            return default;
        }
        usize::try_from(size).unwrap_or(default)
    }

    fn within<T: PartialOrd>(
        &mut self,
        at: &At<'_>,
        value: T,
        range: &RangeInclusive<T>,
        show: impl Fn(&T) -> String,
    ) -> bool {
        let contained = range.contains(&value);
        if !contained {
            let (least, most) = (show(range.start()), show(range.end()));
            let found = at.written();
            self.problems.push(at.problem(format!("expected {least} to {most}, found {found}")));
        }
        contained
    }

    /// A number whose range the schema keeps.
    fn number<T: Copy, N: TryFrom<T>>(
        &mut self,
        table: &At<'_>,
        key: &str,
        field: &Field<T>,
        default: N,
    ) -> N {
        let at = table.key(key);
        let given = self.given(&at, field).filter(|_| !at.document.is_faulty(&at.pointer));
        given.and_then(|number| N::try_from(*number).ok()).unwrap_or(default)
    }
}

fn with_article(noun: impl Display) -> String {
    let noun = noun.to_string();
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

/// Whether this can be the name of something in the configuration.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@');
    !name.is_empty() && name.len() <= 128 && name.bytes().all(allowed)
}

/// Whether a header of a request can carry this.
pub(crate) fn can_be_sent(text: &str) -> bool {
    !text.is_empty() && text.len() <= 256 && !text.chars().any(char::is_control)
}
