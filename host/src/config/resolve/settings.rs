//! Everything of which there is one: workers, secrets, store, reload, telemetry, cache.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::thread;
use std::time::Duration;

use super::at::At;
use super::{Input, Names, Resolver};
use crate::config::field::SizeText;
use crate::config::model::{
    AccessLog, Cache, LogFormat, OnStoreError, Reload, RemoteStore, Secret, Store, Telemetry,
};
use crate::config::problem::Problem;
use crate::config::quantity::show_size;
use crate::config::raw::{RawAccessLog, RawAccessLogWord, RawLogFormat, RawOnStoreError};
use crate::config::similar::closest;

const DRAIN: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);
const DEBOUNCE: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);
const STORE_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(1);
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

    pub(super) fn buffered_bytes(&mut self, inputs: &[Input<'_>]) -> usize {
        const DEFAULT: usize = 256 << 20;
        let Some((at, &SizeText(size))) = self.single(inputs, "buffered_bytes", |raw| &raw.buffered_bytes)
        else {
            return DEFAULT;
        };
        if !self.within(&at, size, &(1 << 20..=1 << 40), |bound| show_size(*bound)) {
            return DEFAULT;
        }
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    /// `None`: there is none. `Some(None)`: there is one that is broken.
    pub(super) fn pepper(&mut self, inputs: &[Input<'_>]) -> Option<Option<Secret>> {
        let (at, raw) = self.single(inputs, "credentials", |raw| &raw.credentials)?;
        let at = at.key("pepper");
        match self.given(&at, &raw.pepper) {
            // All that stands between a stolen configuration and the passwords in it.
            Some(text) if text.len() < 16 => {
                let expected = "a pepper of at least 16 bytes";
                self.invalid(&at, expected, &format!("expected {expected}"), None);
                Some(None)
            }
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
        Store {
            entries: self.number(&at, "max_entries", &raw.max_entries, default.entries),
            value: self.size(&at, "max_value", &raw.max_value, default.value, 1..=64 << 20),
        }
    }

    /// The server that counters and values are on, if they are. Its URL is read whole where the store is opened.
    pub(super) fn remote_store(&mut self, inputs: &[Input<'_>]) -> Option<RemoteStore> {
        let (at, raw) = self.single(inputs, "store", |raw| &raw.store)?;
        let counters = at.key("counters");
        let url = self.given(&counters, &raw.counters).filter(|text| *text != "memory");
        if let Some(url) = url
            && !url.contains("://")
        {
            let expected = "`memory` or a URL such as \"redis://redis.internal:6379\"";
            self.invalid(
                &counters,
                expected,
                &format!("expected {expected}, found {}", counters.written()),
                None,
            );
            return None;
        }
        let timeout = self.duration(&at, "timeout", &raw.timeout, Duration::from_millis(25), STORE_TIMEOUT);
        let lease_at = at.key("lease");
        let lease = self.given(&lease_at, &raw.lease).copied();
        if lease.is_some_and(|lease| !(lease > 0.0 && lease <= 1.0)) {
            let expected = "a share above 0 and at most 1, such as 0.02";
            self.invalid(
                &lease_at,
                expected,
                &format!("expected {expected}, found {}", lease_at.written()),
                None,
            );
        }
        let prefix_at = at.key("prefix");
        let prefix = self.given(&prefix_at, &raw.prefix).map_or("sluice:", String::as_str);
        if prefix.len() > 128 || prefix.chars().any(char::is_control) {
            let expected = "at most 128 bytes without control characters";
            self.invalid(&prefix_at, expected, &format!("expected {expected}"), None);
        }
        let on_error = match self.given(&at.key("on_store_error"), &raw.on_store_error) {
            Some(RawOnStoreError::Deny) => OnStoreError::Deny,
            Some(RawOnStoreError::Allow) => OnStoreError::Allow,
            Some(RawOnStoreError::Local) | None => OnStoreError::Local,
        };
        let ca_at = at.key("ca");
        let ca = self.given(&ca_at, &raw.ca).cloned();
        let Some(url) = url else {
            let written = ["lease", "timeout", "on_store_error", "prefix", "ca"].map(|key| at.key(key));
            for key in written.iter().filter(|key| key.is_written()) {
                let message = "this is for a store on a server, and this one is in memory";
                self.problems.push(key.problem(message).hint("add `counters = \"redis://...\"`"));
            }
            return None;
        };
        Some(RemoteStore {
            place: counters.place()?,
            url: Secret::new(url.as_str()),
            ca,
            prefix: prefix.to_owned(),
            timeout,
            lease,
            on_error,
        })
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
