//! Plugins: what may run, with which rights and within which limits.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value};

use super::at::At;
use super::{Doubts, Entry, Input, Names, Resolver};
use crate::config::field::Field;
use crate::config::model::{Capability, CircuitSettings, Isolation, Limits, OnError, Plugin};
use crate::config::raw::{List, RawCircuit, RawIsolation, RawLimits, RawOnError, RawOnErrorWord, RawPlugin};
use crate::config::similar::closest;
use crate::config::value::ConfigValue;

const CALL: RangeInclusive<Duration> = Duration::from_micros(100)..=Duration::from_secs(10);
const EXCHANGE: RangeInclusive<Duration> = Duration::from_micros(100)..=Duration::from_secs(60);
const FETCH: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(600);
const CIRCUIT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3600);
const KINDS: [&str; 10] =
    ["log", "clock", "random", "store", "consumers", "crypto", "meter", "jwks", "fetch", "secret"];

/// Names that capabilities may give access to.
#[derive(Clone, Copy)]
pub(super) struct Grantable<'a> {
    pub(super) upstreams: &'a Names,
    pub(super) secrets: &'a Names,
    pub(super) jwks: &'a Names,
}

impl Resolver<'_> {
    pub(super) fn plugins(
        &mut self,
        inputs: &[Input<'_>],
        grantable: Grantable<'_>,
    ) -> (BTreeMap<Arc<str>, Arc<Plugin>>, Names) {
        let mut plugins = BTreeMap::new();
        let mut names = Names::new();
        for entry in self.named(inputs, "plugins", |raw| &raw.plugins) {
            names.extend(entry.at.head().map(|place| (entry.name.clone(), place)));
            if let Some(plugin) = self.plugin(&entry, grantable) {
                plugins.insert(entry.name, Arc::new(plugin));
            }
        }
        (plugins, names)
    }

    fn plugin(&mut self, entry: &Entry<'_, RawPlugin>, grantable: Grantable<'_>) -> Option<Plugin> {
        let (at, raw) = (&entry.at, entry.raw?);
        let granted = at.key("capabilities");
        let (capabilities, doubtful_capabilities) =
            self.doubted(&granted, |resolver| resolver.capabilities(&granted, &raw.capabilities, grantable));
        let pin_at = at.key("sha256");
        let (sha256, doubtful_pin) = self.doubted(&pin_at, |resolver| resolver.sha256(&pin_at, &raw.sha256));
        let isolation = match self.given(&at.key("isolation"), &raw.isolation) {
            Some(RawIsolation::Exchange) => Isolation::Exchange,
            Some(RawIsolation::Shared) | None => Isolation::Shared,
        };
        let limits_at = at.key("limits");
        let (limits, doubtful_limits) =
            self.doubted(&limits_at, |resolver| match resolver.given(&limits_at, &raw.limits) {
                Some(raw) => resolver.limits(&limits_at, raw),
                None => Limits::default(),
            });
        let doubts =
            Doubts { capabilities: doubtful_capabilities, pin: doubtful_pin, limits: doubtful_limits };
        self.known.doubts.insert(entry.name.clone(), doubts);
        let on_error = self.on_error(&at.key("on_error"), &raw.on_error);
        let circuit = self.circuit(&at.key("circuit"), &raw.circuit);
        let config = self.config(&at.key("config"), &raw.config).unwrap_or_else(|| {
            ConfigValue::new(Map::new(), Default::default(), at.place())
                .incomplete(self.is_lost(&at.key("config")) || matches!(raw.config, Field::Broken))
        });
        let module_at = at.key("module");
        let module = self.given(&module_at, &raw.module)?;
        if module.is_empty() {
            self.problems.push(module_at.problem("expected the path of a .wasm file, found none"));
            return None;
        }
        Some(Plugin {
            name: entry.name.clone(),
            module: module_at.resolve_path(module),
            module_place: module_at.place()?,
            sha256,
            capabilities,
            capability_place: granted.is_written().then(|| granted.place()).flatten(),
            isolation,
            limits,
            on_error: on_error.unwrap_or(OnError::Deny),
            circuit,
            config,
        })
    }

    fn sha256(&mut self, at: &At<'_>, raw: &Field<String>) -> Option<[u8; 32]> {
        let text = self.given(at, raw)?;
        let digest = from_hex(text);
        if digest.is_none() {
            let expected = "a SHA-256 digest of 64 hexadecimal digits";
            let found = match text.bytes().all(|b| b.is_ascii_hexdigit()) {
                true => format!("{} of them", text.len()),
                false => at.written().to_owned(),
            };
            let message = format!("expected {expected}, found {found}");
            self.invalid(at, expected, &message, None);
        }
        digest
    }

    fn capabilities(
        &mut self,
        at: &At<'_>,
        raw: &List<String>,
        grantable: Grantable<'_>,
    ) -> BTreeSet<Capability> {
        let Grantable { upstreams, secrets, jwks } = grantable;
        let mut granted = BTreeSet::new();
        for (at, text) in self.list(at, raw) {
            let capability = match text.split_once(':') {
                Some(("fetch", name)) => match upstreams.get_key_value(name) {
                    Some((name, _)) => Capability::Fetch(Arc::clone(name)),
                    None => {
                        let declared = upstreams.keys().map(|name| &**name);
                        self.unknown(&at, "upstream", name, declared, "declare it as `[upstreams.NAME]`");
                        continue;
                    }
                },
                Some(("secret", name)) => match secrets.get_key_value(name) {
                    Some((name, _)) => Capability::Secret(Arc::clone(name)),
                    None => {
                        let declared = secrets.keys().map(|name| &**name);
                        self.unknown(&at, "secret", name, declared, "declare it in `[secrets]`");
                        continue;
                    }
                },
                Some(("jwks", name)) => match jwks.get_key_value(name) {
                    Some((name, _)) => Capability::Jwks(Arc::clone(name)),
                    None => {
                        let declared = jwks.keys().map(|name| &**name);
                        self.unknown(&at, "key set", name, declared, "declare it as `[jwks.NAME]`");
                        continue;
                    }
                },
                _ => match text.as_str() {
                    "log" => Capability::Log,
                    "clock" => Capability::Clock,
                    "random" => Capability::Random,
                    "store" => Capability::Store,
                    "consumers" => Capability::Consumers,
                    "crypto" => Capability::Crypto,
                    "meter" => Capability::Meter,
                    // every plugin has these, so nobody is wrong who asks for them
                    "headers" | "body" => continue,
                    _ => {
                        self.unknown_capability(&at, text);
                        continue;
                    }
                },
            };
            granted.insert(capability);
        }
        granted
    }

    fn unknown_capability(&mut self, at: &At<'_>, text: &str) {
        let kind = text.split(':').next().unwrap_or_default();
        let (message, hint) = match text {
            "fetch" => {
                ("`fetch` needs the name of an upstream".to_owned(), "as in `fetch:orders`".to_owned())
            }
            "secret" => ("`secret` needs the name of a secret".to_owned(), "as in `secret:jwt`".to_owned()),
            "jwks" => ("`jwks` needs the name of a key set".to_owned(), "as in `jwks:login`".to_owned()),
            _ if KINDS.contains(&kind) => {
                (format!("the capability `{kind}` takes no name"), format!("write \"{kind}\""))
            }
            _ => (
                format!("there is no capability `{}`", text.escape_debug()),
                closest(kind, KINDS).map_or_else(
                    || format!("there are {}", KINDS.map(|kind| format!("`{kind}`")).join(", ")),
                    |meant| format!("did you mean `{meant}`?"),
                ),
            ),
        };
        self.invalid(at, "a capability", &message, Some(hint));
    }

    fn limits(&mut self, at: &At<'_>, raw: &RawLimits) -> Limits {
        let default = Limits::default();
        let time = self.duration(at, "time", &raw.time, default.time, CALL);
        let usual = default.exchange_time.max(time);
        let exchange_time = self.duration(at, "exchange_time", &raw.exchange_time, usual, EXCHANGE);
        if exchange_time < time {
            let (whole, call) = (at.key("exchange_time"), at.key("time"));
            let mut problem = whole.problem("an exchange gets less time than a single call");
            if let Some(place) = call.place() {
                problem = problem.related(place, format!("`{}`", call.path()));
            }
            self.problems.push(problem);
        }
        Limits {
            time,
            exchange_time,
            memory: self.size(at, "memory", &raw.memory, default.memory, 64 << 10..=256 << 20),
            table: self.number(at, "table", &raw.table, default.table),
            stack: self.size(at, "stack", &raw.stack, default.stack, 16 << 10..=1 << 20),
            body: self.size(at, "body", &raw.body, default.body, 0..=256 << 20),
            headers: self.size(at, "headers", &raw.headers, default.headers, 1 << 10..=1 << 20),
            log: self.size(at, "log", &raw.log, default.log, 0..=1 << 20),
            host_calls: self.number(at, "host_calls", &raw.host_calls, default.host_calls),
            fetches: self.number(at, "fetches", &raw.fetches, default.fetches),
            fetch_timeout: self.duration(
                at,
                "fetch_timeout",
                &raw.fetch_timeout,
                default.fetch_timeout,
                FETCH,
            ),
            instances: self.number(at, "instances", &raw.instances, default.instances),
            calls: self.number(at, "calls", &raw.calls, default.calls),
        }
    }

    pub(super) fn on_error(&mut self, at: &At<'_>, raw: &Field<RawOnError>) -> Option<OnError> {
        Some(match self.given(at, raw)? {
            RawOnError::Word(RawOnErrorWord::Deny) => OnError::Deny,
            RawOnError::Word(RawOnErrorWord::Allow) => OnError::Allow,
            RawOnError::Respond(table) => {
                let status = self.given(&at.key("respond"), &table.respond)?;
                OnError::Respond(StatusCode::from_u16(*status).ok()?)
            }
        })
    }

    fn circuit(&mut self, at: &At<'_>, raw: &Field<RawCircuit>) -> Option<CircuitSettings> {
        let default = CircuitSettings::default();
        match self.given(at, raw) {
            None => Some(default),
            Some(RawCircuit::Word(_)) => None,
            Some(RawCircuit::Settings(raw)) => Some(CircuitSettings {
                faults: self.number(at, "faults", &raw.faults, default.faults),
                window: self.duration(at, "window", &raw.window, default.window, CIRCUIT),
                open: self.duration(at, "open", &raw.open, default.open, CIRCUIT),
            }),
        }
    }

    /// A plugin's or a step's own configuration.
    pub(super) fn config(&mut self, at: &At<'_>, raw: &Field<Map<String, Value>>) -> Option<ConfigValue> {
        let table = self.given(at, raw)?;
        let places = at.document.places.below(&at.pointer);
        Some(ConfigValue::new(table.clone(), places, at.place()).incomplete(self.damaged))
    }
}

/// 32 bytes from 64 digits.
pub(super) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}
