//! The host's side of one instance: what its imports reach while a call runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sluice_abi::{LogLevel, Phase};
use sluice_metering::meter::Meter;
use wasmtime::Memory;

use super::bind::Bound;
use super::fault::Refusal;
use super::imports::crypto::Keys;
use super::imports::fetch::FetchSender;
use super::limits::{Budget, Deadline, Space};
use super::view::ExchangeView;
use crate::config::{Assets, Capability, Secret};
use crate::consumers::Consumers;
use crate::jwks::KeySets;
use crate::store::Stores;

/// Room for results that an instance keeps between calls.
const MAX_KEPT: usize = 64 << 10;

/// What lies behind the capabilities, the same for every instance of a worker.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) store: Stores,
    pub(crate) consumers: Arc<Consumers>,
    pub(crate) secrets: Arc<BTreeMap<String, Secret>>,
    /// Those that the plugin's configuration names.
    pub(crate) assets: Assets,
    pub(crate) jwks: KeySets,
    /// By the numbers that plugins know them by.
    pub(crate) meters: Arc<[Arc<Meter>]>,
    pub(crate) clock: Clock,
    /// Set by a test that wants to see what would be logged, and randomness that repeats.
    pub(crate) tap: Option<Arc<Tap>>,
}

/// What a test sees and sets where the gateway would turn to the outside.
pub(crate) struct Tap {
    pub(crate) logs: Mutex<Vec<LogLine>>,
    pub(crate) random: Mutex<sluice_abi::harness::Random>,
}

/// Where plugins and counters take the time from.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    /// The machine's clock.
    System,
    /// A test's clock: nanoseconds since 1970, and the moment that its monotonic clock begins at.
    Fixed { now: Arc<AtomicU64>, began: u64 },
}

impl Clock {
    /// Nanoseconds since 1970; until 2554.
    pub(crate) fn now_ns(&self) -> u64 {
        match self {
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or(Duration::ZERO)
                .as_nanos()
                .try_into()
                .unwrap_or(u64::MAX),
            Self::Fixed { now, .. } => now.load(Ordering::Relaxed),
        }
    }

    /// Nanoseconds since some moment, never going back.
    pub(crate) fn monotonic_ns(&self) -> u64 {
        match self {
            Self::System => {
                let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
                let time =
                    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0));
                time.as_nanos().try_into().unwrap_or(u64::MAX)
            }
            Self::Fixed { now, began } => now.load(Ordering::Relaxed).saturating_sub(*began),
        }
    }

    /// The same as a time.
    pub(crate) fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.now_ns())
    }
}

/// A line that a plugin logged, kept for a test instead of being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogLine {
    pub(crate) level: LogLevel,
    pub(crate) message: String,
}

/// What an instance is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    /// Starting, describing, configuring or testing itself: there is no exchange.
    Load,
    /// A phase of an exchange.
    Phase(Phase),
}

/// The host's side of one instance.
pub(super) struct HostState {
    pub(super) bound: Option<Arc<Bound>>,
    pub(super) services: Option<Services>,
    pub(super) fetch: Option<FetchSender>,
    pub(super) memory: Option<Memory>,
    pub(super) view: Option<Box<ExchangeView>>,
    pub(super) activity: Activity,
    /// The step's place in its chain and its name.
    pub(super) step: (usize, Arc<str>),
    pub(super) space: Space,
    pub(super) deadline: Deadline,
    pub(super) budget: Budget,
    /// A result that did not fit the guest's buffer.
    pub(super) kept: Vec<u8>,
    /// What it wrote to its standard error, the words of a panic above all.
    pub(super) stderr: Vec<u8>,
    /// The reason it gave to `fail`.
    pub(super) failure: Option<String>,
    /// Keys it imported or was granted, by handle.
    pub(super) keys: Keys,
    /// The meters it opened.
    pub(super) meters: Vec<usize>,
}

impl HostState {
    /// State for a module that is only asked to describe itself.
    pub(super) fn bare(memory_limit: usize, table_limit: usize) -> Self {
        Self {
            bound: None,
            services: None,
            fetch: None,
            memory: None,
            view: None,
            activity: Activity::Load,
            step: (0, Arc::from("")),
            space: Space { memory_limit, table_limit, memory: 0, refused: None },
            deadline: Deadline::none(),
            budget: Budget::default(),
            kept: Vec::new(),
            stderr: Vec::new(),
            failure: None,
            keys: Keys::default(),
            meters: Vec::new(),
        }
    }

    /// State for an instance of `bound`.
    pub(super) fn bound(bound: &Arc<Bound>, fetch: Option<FetchSender>) -> Self {
        let limits = &bound.limits;
        Self {
            services: Some(bound.services.clone()),
            fetch,
            budget: Budget::of(limits),
            bound: Some(Arc::clone(bound)),
            ..Self::bare(limits.memory, limits.table)
        }
    }

    /// Forgets what an earlier call left.
    pub(super) fn forget(&mut self) {
        self.failure = None;
        self.space.refused = None;
        if self.kept.capacity() > MAX_KEPT {
            self.kept = Vec::new();
        }
        self.kept.clear();
    }

    /// Whether a capability is denied to a plugin that said it can do without. One that did not was not loaded without.
    pub(super) fn denies(&self, capability: &Capability) -> bool {
        self.bound
            .as_ref()
            .is_some_and(|bound| !bound.module.descriptor.optional.is_empty() && !bound.may(capability))
    }

    /// The exchange at hand.
    pub(super) fn view(&mut self, call: &'static str) -> Result<&mut ExchangeView, Refusal> {
        self.view.as_deref_mut().ok_or(Refusal::NoExchange { call })
    }

    /// The services, which a bound instance has.
    pub(super) fn services(&self, call: &'static str) -> Result<&Services, Refusal> {
        self.services.as_ref().ok_or(Refusal::NoExchange { call })
    }

    /// Whether a phase is one of `phases`.
    pub(super) fn in_phase(&self, phases: &[Phase]) -> bool {
        matches!(self.activity, Activity::Phase(phase) if phases.contains(&phase))
    }
}
