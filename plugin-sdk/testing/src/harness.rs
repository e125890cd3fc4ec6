//! Setting up the world around a plugin.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde_json::Value;
use sluice_abi::harness::{
    Answer, Ask, Bytes, CannedAnswer, CannedFetch, Key, KnownConsumer, Limits, Password, SignatureKey, Stage,
    Start, World,
};
use sluice_abi::{Aggregation, Descriptor, MeterKind};
use sluice_sdk::Described;

use crate::native::Native;
use crate::process::Process;
use crate::{Exchange, Request, Response};

/// Holds the conversation of [`sluice_abi::harness`], in this process or with another one.
pub(crate) trait Partner {
    fn ask(&mut self, ask: Ask) -> Answer;
}

/// A plugin's configuration and the world around it.
#[must_use]
pub struct Harness<P> {
    config: Value,
    world: World,
    plugin: PhantomData<fn() -> P>,
}

/// A consumer of the world.
#[derive(Clone, Debug)]
#[must_use]
pub struct Consumer(KnownConsumer);

/// A meter of the world: `Aggregation::Sum.into()`, or more of it.
#[derive(Clone, Debug)]
#[must_use]
pub struct Meter(MeterKind);

/// A plugin that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// How far it came.
    pub stage: Stage,
    /// Why. For a schema violation the words are not the same natively and compiled.
    pub message: String,
}

/// A plugin that is ready for exchanges.
pub struct TestPlugin {
    partner: RefCell<Box<dyn Partner>>,
    descriptor: Descriptor,
    exchanges: Cell<u32>,
}

impl<P: Described> Harness<P> {
    /// A plugin with this configuration in an empty world.
    pub fn new(config: Value) -> Self {
        Self { config, world: World::default(), plugin: PhantomData }
    }

    /// Adds a consumer.
    pub fn consumer(mut self, consumer: Consumer) -> Self {
        self.world.consumers.push(consumer.0);
        self
    }

    /// Adds a secret.
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.world.secrets.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Adds an asset, which the configuration names as `asset:NAME`.
    pub fn asset(mut self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.world.assets.insert(name.to_owned(), Bytes::from(&bytes));
        self
    }

    /// Adds a key set, as RFC 7517 writes it.
    pub fn jwks(mut self, name: &str, set: Value) -> Self {
        self.world.jwks.insert(name.to_owned(), set);
        self
    }

    /// Answers a fetch. Several answers to the same request come in their order, the last one again and again.
    pub fn fetch(self, upstream: &str, method: &str, path: &str, response: Response) -> Self {
        self.canned(upstream, method, path, response.canned())
    }

    /// Lets a fetch find nobody.
    pub fn fetch_unavailable(self, upstream: &str, method: &str, path: &str) -> Self {
        self.canned(upstream, method, path, CannedAnswer::Unavailable)
    }

    /// Lets a fetch wait in vain.
    pub fn fetch_timeout(self, upstream: &str, method: &str, path: &str) -> Self {
        self.canned(upstream, method, path, CannedAnswer::Timeout)
    }

    fn canned(mut self, upstream: &str, method: &str, path: &str, answer: CannedAnswer) -> Self {
        let (upstream, method, path) = (upstream.to_owned(), method.to_owned(), path.to_owned());
        self.world.fetches.push(CannedFetch { upstream, method, path, answer });
        self
    }

    /// Adds a meter: of whole units and without dimensions, or with [`decimals`](Meter::decimals) and [`dimension`](Meter::dimension).
    pub fn meter(mut self, name: &str, meter: impl Into<Meter>) -> Self {
        self.world.meters.insert(name.to_owned(), meter.into().0);
        self
    }

    /// Sets the time of day, in milliseconds since 1970. It stands still until
    /// [`advance`](TestPlugin::advance); without this it is the beginning of 2026.
    pub fn at(mut self, now_ms: u64) -> Self {
        self.world.now_ms = now_ms;
        self
    }

    /// Sets where randomness begins.
    pub fn seed(mut self, seed: u64) -> Self {
        self.world.seed = seed;
        self
    }

    /// Changes what the plugin is held to.
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.world.limits);
        self
    }

    /// Loads the plugin, configures it and lets it test itself.
    ///
    /// # Panics
    /// If `SLUICE_TEST_WASM` is set and `sluice plugin harness` cannot be run.
    pub fn start(self) -> Result<TestPlugin, Refused> {
        let mut partner: Box<dyn Partner> = match std::env::var_os("SLUICE_TEST_WASM") {
            Some(module) => Box::new(Process::start(&module)),
            None => Box::new(Native::<P>::new()),
        };
        match partner.ask(Ask::Start(Box::new(Start { config: self.config, world: self.world }))) {
            Answer::Started(descriptor) => Ok(TestPlugin {
                partner: RefCell::new(partner),
                descriptor: *descriptor,
                exchanges: Cell::new(0),
            }),
            Answer::Refused { stage, message } => Err(Refused { stage, message }),
            other => panic!("an unexpected answer to the start: {other:?}"),
        }
    }
}

impl Consumer {
    /// A consumer without keys.
    pub fn new(name: &str) -> Self {
        Self(KnownConsumer { name: name.to_owned(), ..KnownConsumer::default() })
    }

    /// Has an API key.
    pub fn key(mut self, key: &str) -> Self {
        self.0.keys.push(Key { key: key.to_owned(), id: None, expires_ms: None });
        self
    }

    /// Has an API key that is identified by this.
    pub fn named_key(mut self, id: &str, key: &str) -> Self {
        self.0.keys.push(Key { key: key.to_owned(), id: Some(id.to_owned()), expires_ms: None });
        self
    }

    /// Has a user name and a password.
    pub fn password(mut self, user: &str, password: &str) -> Self {
        self.0.passwords.push(Password { user: user.to_owned(), password: password.to_owned() });
        self
    }

    /// Owns the tokens of this subject, of this issuer or of any.
    pub fn token(mut self, issuer: Option<&str>, subject: &str) -> Self {
        self.0.tokens.push((issuer.map(str::to_owned), subject.to_owned()));
        self
    }

    /// Owns the certificates with this name in them, or with this fingerprint (`sha256:` and 64 hexadecimal digits).
    pub fn certificate(mut self, name: &str) -> Self {
        self.0.certificates.push(name.to_owned());
        self
    }

    /// Signs requests with this secret.
    pub fn signature_secret(mut self, id: &str, secret: &str) -> Self {
        let (id, secret) = (id.to_owned(), Some(secret.to_owned()));
        self.0.signatures.push(SignatureKey { id, secret, public: None });
        self
    }

    /// Signs requests with the private key of this public one, in PEM or as a JWK.
    pub fn signature_key(mut self, id: &str, public: &str) -> Self {
        let (id, public) = (id.to_owned(), Some(public.to_owned()));
        self.0.signatures.push(SignatureKey { id, secret: None, public });
        self
    }

    /// Has an API key that ends, in milliseconds since 1970.
    pub fn expiring_key(mut self, key: &str, expires_ms: u64) -> Self {
        self.0.keys.push(Key { key: key.to_owned(), id: None, expires_ms: Some(expires_ms) });
        self
    }

    /// Belongs to a group.
    pub fn group(mut self, group: &str) -> Self {
        self.0.groups.push(group.to_owned());
        self
    }

    /// Is on a plan with these rate limits: so much in so long.
    pub fn plan(mut self, plan: &str, limits: &[(u64, Duration)]) -> Self {
        let millis = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.0.plan = Some(plan.to_owned());
        self.0.limits = limits.iter().map(|(quota, window)| (*quota, millis(window))).collect();
        self
    }

    /// Is known to upstreams by this instead of its name.
    pub fn id(mut self, id: &str) -> Self {
        self.0.id = Some(id.to_owned());
        self
    }

    /// Is called this by others.
    pub fn custom_id(mut self, id: &str) -> Self {
        self.0.custom_id = Some(id.to_owned());
        self
    }
}

impl From<Aggregation> for Meter {
    fn from(aggregation: Aggregation) -> Self {
        Self(MeterKind::new(aggregation))
    }
}

impl Meter {
    /// A meter of whole units without dimensions.
    pub fn new(aggregation: Aggregation) -> Self {
        aggregation.into()
    }

    /// Counts in 10^-`decimals` units; at most 6.
    pub fn decimals(mut self, decimals: u8) -> Self {
        self.0.decimals = decimals;
        self
    }

    /// Keeps values apart by this.
    pub fn dimension(mut self, name: &str) -> Self {
        self.0.dimensions.push(name.to_owned());
        self
    }
}

impl TestPlugin {
    /// What the plugin says of itself.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Begins an exchange and runs the request phases, as far as the plugin lets it.
    pub fn send(&self, request: Request) -> Exchange<'_> {
        let number = self.exchanges.get();
        self.exchanges.set(number + 1);
        Exchange::begin(self, number, request)
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.done(Ask::Advance { ms });
    }

    pub(crate) fn ask(&self, ask: Ask) -> Answer {
        self.partner.borrow_mut().ask(ask)
    }

    pub(crate) fn done(&self, ask: Ask) {
        match self.ask(ask) {
            Answer::Done => {}
            other => panic!("the harness answered {other:?}"),
        }
    }
}

impl fmt::Debug for TestPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestPlugin({})", self.descriptor.name)
    }
}

impl<P> fmt::Debug for Harness<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness").field("config", &self.config).field("world", &self.world).finish()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}
