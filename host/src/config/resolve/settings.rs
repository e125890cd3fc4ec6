//! Everything of which there is one: workers, secrets, store, reload, telemetry, cache.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::thread;
use std::time::Duration;

use super::at::At;
use super::{Input, Names, Resolver};
use crate::config::model::{AccessLog, Cache, LogFormat, Reload, Secret, Store, Telemetry};
use crate::config::problem::Problem;
use crate::config::raw::{RawAccessLog, RawAccessLogWord, RawLogFormat};
use crate::config::similar::closest;

const DRAIN: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);
const DEBOUNCE: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Resolver<'_> {
    /// What files say of themselves. The schema keeps the version, and the loader has followed `include`.
    pub(super) fn preamble(&mut self, inputs: &[Input<'_>]) {
        for input in inputs {
            let root = At::root(input.document);
            self.given(&root.key("version"), &input.raw.version);
            self.list(&root.key("include"), &input.raw.include);
        }
        if let Some(main) = inputs.first()
            && !self.damaged
            && !At::root(main.document).key("version").is_written()
        {
            let place = main.document.start();
            let hint = "begin the file with `version = 1`";
            self.problems.push(Problem::new("`version` is missing").at(place).hint(hint));
        }
    }

    pub(super) fn workers(&mut self, inputs: &[Input<'_>]) -> NonZeroUsize {
        let given = self.single(inputs, "workers", |raw| &raw.workers);
        let given = given.and_then(|(_, count)| NonZeroUsize::new(usize::try_from(*count).ok()?));
        given.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }

    /// `None`: there is none. `Some(None)`: there is one that is broken.
    pub(super) fn pepper(&mut self, inputs: &[Input<'_>]) -> Option<Option<Secret>> {
        let (at, raw) = self.single(inputs, "credentials", |raw| &raw.credentials)?;
        let at = at.key("pepper");
        match self.given(&at, &raw.pepper) {
            Some(text) => Some(self.secret(&at, text)),
            None => at.is_written().then_some(None),
        }
    }

    pub(super) fn secrets(&mut self, inputs: &[Input<'_>]) -> (BTreeMap<String, Secret>, Names) {
        let mut secrets = BTreeMap::new();
        let mut names = Names::new();
        for entry in self.named(inputs, "secrets", |raw| &raw.secrets) {
            names.extend(entry.at.head().map(|place| (entry.name.clone(), place)));
            if let Some(secret) = entry.raw.and_then(|text| self.secret(&entry.at, text)) {
                secrets.insert(entry.name.to_string(), secret);
            }
        }
        (secrets, names)
    }

    fn secret(&mut self, at: &At<'_>, text: &str) -> Option<Secret> {
        if text.is_empty() {
            self.problems.push(at.problem("a secret is empty"));
            return None;
        }
        Some(Secret::new(text))
    }

    pub(super) fn store(&mut self, inputs: &[Input<'_>]) -> Store {
        let default = Store::default();
        let Some((at, raw)) = self.single(inputs, "store", |raw| &raw.store) else {
            return default;
        };
        self.given(&at.key("counters"), &raw.counters);
        Store {
            entries: self.number(&at, "max_entries", &raw.max_entries, default.entries),
            value: self.size(&at, "max_value", &raw.max_value, default.value, 1..=64 << 20),
        }
    }

    pub(super) fn reload(&mut self, inputs: &[Input<'_>]) -> Reload {
        let default = Reload::default();
        let Some((at, raw)) = self.single(inputs, "reload", |raw| &raw.reload) else {
            return default;
        };
        Reload {
            watch: self.given(&at.key("watch"), &raw.watch).copied().unwrap_or(default.watch),
            drain: self.duration(&at, "drain", &raw.drain, default.drain, DRAIN),
            debounce: self.duration(&at, "debounce", &raw.debounce, default.debounce, DEBOUNCE),
        }
    }

    pub(super) fn telemetry(&mut self, inputs: &[Input<'_>]) -> Telemetry {
        let default = Telemetry::default();
        let Some((at, raw)) = self.single(inputs, "telemetry", |raw| &raw.telemetry) else {
            return default;
        };
        let log = at.key("log");
        let filter = self.given(&log, &raw.log);
        if let Some(filter) = filter {
            self.log_filter(&log, filter);
        }
        let format = match self.given(&at.key("format"), &raw.format) {
            Some(RawLogFormat::Text) => LogFormat::Text,
            Some(RawLogFormat::Json) => LogFormat::Json,
            None => default.format,
        };
        let at = at.key("access_log");
        let access_log = match self.given(&at, &raw.access_log) {
            Some(RawAccessLog::Word(RawAccessLogWord::Off)) => AccessLog::Off,
            Some(RawAccessLog::Word(RawAccessLogWord::Stdout)) => AccessLog::Stdout,
            Some(RawAccessLog::File(table)) => match self.given(&at.key("file"), &table.file) {
                Some(file) => AccessLog::File(at.resolve_path(file)),
                None => default.access_log,
            },
            None => default.access_log,
        };
        Telemetry { log: filter.map_or(default.log, String::clone), format, access_log }
    }

    /// A list of levels, each for everything or for one module.
    fn log_filter(&mut self, at: &At<'_>, filter: &str) {
        for directive in filter.split(',') {
            let level = directive.rsplit('=').next().unwrap_or_default().trim();
            if LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
                continue;
            }
            let message = match level {
                "" => "a log level is empty".to_owned(),
                _ => format!("`{}` is not a log level", level.escape_debug()),
            };
            let hint = closest(level, LEVELS).map_or_else(
                || "a level, or levels by module such as `info,sluice=debug`".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            self.invalid(at, "a log filter such as `info`", &message, Some(hint));
        }
    }

    pub(super) fn cache(&mut self, inputs: &[Input<'_>]) -> Cache {
        let Some((at, raw)) = self.single(inputs, "cache", |raw| &raw.cache) else {
            return Cache::default();
        };
        let at = at.key("dir");
        Cache { dir: self.given(&at, &raw.dir).map(|dir| at.resolve_path(dir)) }
    }
}
