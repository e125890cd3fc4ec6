//! What surrounds the plugin: a clock that stands still, made-up consumers, canned fetches.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::hmac;
use sha2::{Digest as _, Sha256};
use sluice_abi::harness::{Bytes, Fetches, LogLine, Random, Sent, Start, World};
use sluice_abi::{FetchRequest, LogLevel, MeterKind, harness};
use sluice_metering::meter::{Aggregation, Meter, Unanswered};
use sluice_metering::plan::{Plan, RateLimit};
use tokio::sync::mpsc;

use crate::config::{
    Assets, Capability, Consumer, Isolation, Key, KeyMaterial, Limits, Secret, SignatureKey, Store, Token,
};
use crate::consumers::Consumers;
use crate::jwks::{KeySetConfig, KeySets, KeySource};
use crate::store::{MemoryStore, Stores};
use crate::wasm::{BindError, Bound, Clock, FaultKind, FetchJob, Module, Pool, PoolMetrics, Services, Tap};

/// A plugin in its made-up world.
pub(super) struct Stage {
    pub(super) pool: Pool,
    pub(super) consumers: Arc<Consumers>,
    /// By the numbers that the plugin knows them by.
    pub(super) meters: Arc<[Arc<Meter>]>,
    clock: Arc<AtomicU64>,
    tap: Arc<Tap>,
    sent: Rc<RefCell<Vec<Sent>>>,
}

struct Uncounted;

impl PoolMetrics for Uncounted {
    fn created(&self) {}
    fn changed(&self, _instances: isize, _memory: isize) {}
}

impl Stage {
    /// Binds the plugin to its configuration in the world of the test.
    pub(super) async fn set(module: Arc<Module>, start: Start) -> Result<Self, (harness::Stage, String)> {
        let Start { config, world } = start;
        let began = world.now_ms.saturating_mul(1_000_000);
        let clock = Arc::new(AtomicU64::new(began));
        let tap = Arc::new(Tap { logs: Mutex::default(), random: Mutex::new(Random::new(world.seed)) });
        let consumers = Consumers::new(&consumers(&world), &plans(&world), Some(&Secret::new(PEPPER)));
        let consumers = Arc::new(consumers);
        let secrets =
            world.secrets.iter().map(|(name, value)| (name.clone(), Secret::new(value.as_str()))).collect();
        let sets = world.jwks.iter().map(|(name, set)| {
            (Arc::from(name.as_str()), KeySetConfig::new(KeySource::Keys(set.to_string())))
        });
        let jwks = KeySets::new(sets, None).map_err(|errors| {
            let lines: Vec<String> =
                errors.iter().map(|(name, error)| format!("`{name}`: {error}")).collect();
            (harness::Stage::Config, lines.join("\n"))
        })?;
        let meters: Arc<[Arc<Meter>]> = world.meters.iter().map(meter).collect();
        let services = Services {
            jwks,
            meters: Arc::clone(&meters),
            store: Stores::local(Arc::new(MemoryStore::new(&Store::default()))),
            consumers: Arc::clone(&consumers),
            secrets: Arc::new(secrets),
            assets: Assets::named(world.assets.iter().map(|(name, bytes)| (name.clone(), bytes.0.clone()))),
            clock: Clock::Fixed { now: Arc::clone(&clock), began },
            tap: Some(Arc::clone(&tap)),
        };
        let name = Arc::from(module.descriptor.name.as_str());
        let descriptor = &module.descriptor;
        let wanted: Vec<String> =
            descriptor.capabilities.iter().chain(&descriptor.optional).cloned().collect();
        let grants = grants(&wanted, &world);
        let limits = limits(&world.limits);
        let bound = Bound::new(name, module, &config, grants, limits, Isolation::Shared, services);
        let bound = Arc::new(bound);
        bound.try_out().await.map_err(|error| match error {
            BindError::Refused(reason) => (harness::Stage::Config, reason),
            BindError::Fault(fault) if fault.kind == FaultKind::Failed => {
                (harness::Stage::SelfTest, fault.message)
            }
            error @ (BindError::Fault(_) | BindError::Memory { .. }) => {
                (harness::Stage::Config, error.to_string())
            }
        })?;
        let (jobs, queue) = mpsc::unbounded_channel();
        let sent = Rc::<RefCell<Vec<Sent>>>::default();
        tokio::task::spawn_local(answer_fetches(queue, Fetches::new(world.fetches), Rc::clone(&sent)));
        Ok(Self { pool: Pool::new(bound, jobs, Rc::new(Uncounted)), consumers, meters, clock, tap, sent })
    }

    /// Lets time pass.
    pub(super) fn advance(&self, ms: u64) {
        self.clock.fetch_add(ms.saturating_mul(1_000_000), Ordering::Relaxed);
    }

    /// What was logged since the last look.
    pub(super) fn take_logs(&self) -> Vec<LogLine> {
        let lines = std::mem::take(&mut *self.tap.logs.lock().unwrap_or_else(PoisonError::into_inner));
        let level = |level| match level {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        };
        lines
            .into_iter()
            .map(|line| LogLine { level: level(line.level).to_owned(), message: line.message })
            .collect()
    }

    /// What was fetched since the last look.
    pub(super) fn take_sent(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.sent.borrow_mut())
    }
}

/// A test tells the keys themselves.
const PEPPER: &str = "the pepper of every test";

fn consumers(world: &World) -> Vec<Consumer> {
    world
        .consumers
        .iter()
        .map(|known| Consumer {
            name: Arc::from(known.name.as_str()),
            id: known.id.clone().unwrap_or_else(|| known.name.clone()),
            custom_id: known.custom_id.clone(),
            groups: known.groups.clone(),
            keys: known.keys.iter().map(|key| hashed(&key.key, key.id.as_deref(), key.expires_ms)).collect(),
            passwords: known
                .passwords
                .iter()
                .map(|known| hashed(&format!("{}:{}", known.user, known.password), Some(&known.user), None))
                .collect(),
            tokens: known
                .tokens
                .iter()
                .map(|(issuer, subject)| Token { issuer: issuer.clone(), subject: subject.clone() })
                .collect(),
            certificates: known.certificates.clone(),
            signatures: known.signatures.iter().filter_map(signature_key).collect(),
            plan: known.plan.as_deref().map(Arc::from),
            plan_since: None,
        })
        .collect()
}

/// A test's consumers have plans of their own: what a plugin sees of one are its name and its rate limits.
fn plans(world: &World) -> BTreeMap<Arc<str>, Arc<Plan>> {
    let plan = |known: &harness::KnownConsumer| {
        let name: Arc<str> = Arc::from(known.plan.as_deref()?);
        let limit =
            |&(quota, window): &(u64, u64)| RateLimit { quota, window: Duration::from_millis(window) };
        let limits = known.limits.iter().map(limit).collect();
        Some((Arc::clone(&name), Arc::new(Plan { limits, ..Plan::named(name) })))
    };
    world.consumers.iter().filter_map(plan).collect()
}

fn meter((name, kind): (&String, &MeterKind)) -> Arc<Meter> {
    let mut dimensions: Vec<Arc<str>> = kind.dimensions.iter().map(|name| Arc::from(name.as_str())).collect();
    dimensions.sort();
    Arc::new(Meter {
        name: Arc::from(name.as_str()),
        aggregation: match kind.aggregation {
            sluice_abi::Aggregation::Count => Aggregation::Count,
            sluice_abi::Aggregation::Sum => Aggregation::Sum,
            sluice_abi::Aggregation::Max => Aggregation::Max,
            sluice_abi::Aggregation::Unique => Aggregation::Unique,
            sluice_abi::Aggregation::Latest => Aggregation::Latest,
        },
        unit: None,
        decimals: kind.decimals,
        dimensions,
        reserve: 1,
        unanswered: Unanswered::Free,
    })
}

fn hashed(secret: &str, id: Option<&str>, expires_ms: Option<u64>) -> Key {
    let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
    let pepper = hmac::Key::new(hmac::HMAC_SHA256, PEPPER.as_bytes());
    let mut peppered = [0; 32];
    peppered.copy_from_slice(hmac::sign(&pepper, secret.as_bytes()).as_ref());
    let short = || digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    Key {
        digest: peppered,
        id: id.map_or_else(short, str::to_owned),
        expires: expires_ms.map(|ms| UNIX_EPOCH + Duration::from_millis(ms)),
    }
}

fn signature_key(known: &harness::SignatureKey) -> Option<SignatureKey> {
    let material = match (&known.secret, &known.public) {
        (Some(secret), _) => KeyMaterial::Secret(Secret::new(secret.as_str())),
        (None, public) => KeyMaterial::Public(public.clone()?),
    };
    Some(SignatureKey { id: known.id.clone(), material, expires: None })
}

/// What the descriptor wants, and of fetches and secrets what the world has.
fn grants(wanted: &[String], world: &World) -> BTreeSet<Capability> {
    let mut grants = BTreeSet::new();
    for kind in wanted {
        match kind.as_str() {
            "log" => drop(grants.insert(Capability::Log)),
            "clock" => drop(grants.insert(Capability::Clock)),
            "random" => drop(grants.insert(Capability::Random)),
            "store" => drop(grants.insert(Capability::Store)),
            "consumers" => drop(grants.insert(Capability::Consumers)),
            "crypto" => drop(grants.insert(Capability::Crypto)),
            "meter" => drop(grants.insert(Capability::Meter)),
            _ => {}
        }
    }
    let upstreams = world.fetches.iter().map(|canned| Capability::Fetch(Arc::from(canned.upstream.as_str())));
    let secrets = world.secrets.keys().map(|name| Capability::Secret(Arc::from(name.as_str())));
    let key_sets = world.jwks.keys().map(|name| Capability::Jwks(Arc::from(name.as_str())));
    grants.extend(upstreams.chain(secrets).chain(key_sets));
    grants
}

fn limits(limits: &harness::Limits) -> Limits {
    Limits {
        body: limits.body,
        headers: limits.headers,
        log: limits.log,
        host_calls: limits.host_calls,
        fetches: limits.fetches,
        // A test is about what a plugin does; how long it may take depends on the machine.
        time: Duration::from_secs(10),
        exchange_time: Duration::from_secs(10),
        ..Limits::default()
    }
}

async fn answer_fetches(
    mut jobs: mpsc::UnboundedReceiver<FetchJob>,
    mut fetches: Fetches,
    sent: Rc<RefCell<Vec<Sent>>>,
) {
    while let Some(job) = jobs.recv().await {
        let (parts, body) = job.request.into_parts();
        let headers: Vec<(Vec<u8>, Vec<u8>)> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect();
        let request = FetchRequest {
            upstream: job.upstream.to_string(),
            method: parts.method.to_string(),
            path: parts.uri.to_string(),
            headers,
            body: body.to_vec(),
            timeout_ms: u32::try_from(job.timeout.as_millis()).unwrap_or(u32::MAX),
        };
        let answer = fetches.answer(&request);
        sent.borrow_mut().push(Sent {
            headers: list(&request.headers),
            upstream: request.upstream,
            method: request.method,
            path: request.path,
            body: Bytes(request.body),
        });
        let _ = job.reply.send(answer);
    }
}

/// Headers as the protocol writes them.
pub(super) fn list(headers: &[(Vec<u8>, Vec<u8>)]) -> harness::HeaderList {
    headers
        .iter()
        .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), Bytes(value.clone())))
        .collect()
}
