//! Plugins as a worker of the gateway has them: loaded, bound, pooled, and arranged in chains.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use sluice_abi::Phase;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use super::finish;
use crate::body::Body;
use crate::chain::{Chain, Circuit, FaultReport, FaultReports, Step, Verdict, Visit};
use crate::config::{Capability, CircuitSettings, Isolation, Limits, OnError, Store};
use crate::store::MemoryStore;
use crate::telemetry::{Metrics, WorkerMetrics};
use crate::wasm::{
    Asked, Bound, Clock, Clockwork, Engines, ExchangeView, FetchSender, Instance, Lease, Loader, Pool,
    PoolMetrics, Services, Slot, Task, seal,
};

/// So much of everything that neither a thousand host calls nor valgrind's slowness meets a limit.
const PLENTY: Duration = Duration::from_secs(600);

/// One worker's surroundings, without sockets.
pub struct Workshop {
    runtime: Runtime,
    loader: Loader,
    metrics: Arc<WorkerMetrics>,
    fetch: FetchSender,
    reports: FaultReports,
    _unread: mpsc::Receiver<FaultReport>,
}

/// A plugin with its configuration and a warm pool.
pub struct Plugin {
    pool: Rc<Pool>,
    fetch: FetchSender,
}

/// An exchange that a plugin is shown again and again.
pub struct Exchange {
    pool: Rc<Pool>,
    slot: Slot,
    own: RefCell<Option<Lease>>,
    step: Arc<str>,
}

/// A route's chain, with a request and a response to send through it.
pub struct Steps {
    chain: Rc<Chain>,
    heads: Option<(Request<Body>, Response<Body>)>,
    route: Arc<str>,
}

struct Uncounted;

impl PoolMetrics for Uncounted {
    fn created(&self) {}
    fn changed(&self, _instances: isize, _memory: isize) {}
}

impl Workshop {
    /// One without plugins.
    pub fn open() -> Self {
        let (fetch, _) = mpsc::unbounded_channel();
        let (reports, unread) = mpsc::channel(1);
        Self {
            runtime: Builder::new_current_thread().enable_all().build().expect("a runtime starts"),
            loader: Loader::new(Arc::new(Engines::new(false)), None),
            metrics: Metrics::new().worker(),
            fetch,
            reports,
            _unread: unread,
        }
    }

    /// Seals, loads, binds and warms a module.
    pub fn plugin(&self, module: &[u8]) -> Plugin {
        let mut file = tempfile::NamedTempFile::new().expect("there is room for a module");
        file.write_all(&sealed(module)).expect("there is room for a module");
        let limits = Limits { time: PLENTY, exchange_time: PLENTY, ..Limits::default() };
        let loaded = self.runtime.block_on(self.loader.load(file.path(), None, &limits));
        let module = loaded.unwrap_or_else(|error| panic!("the guest does not load: {error}"));
        let services = Services {
            jwks: crate::jwks::KeySets::default(),
            store: crate::store::Stores::local(Arc::new(MemoryStore::new(&Store::default()))),
            consumers: Arc::default(),
            secrets: Arc::default(),
            assets: crate::config::Assets::default(),
            meters: Arc::default(),
            clock: Clock::System,
            tap: None,
        };
        let bound = Bound::new(
            Arc::from("guest"),
            module,
            &serde_json::json!({}),
            BTreeSet::from([Capability::Store]),
            limits,
            Isolation::Shared,
            services,
        );
        let pool = Pool::new(Arc::new(bound), self.fetch.clone(), Rc::new(Uncounted));
        finish(pool.warm()).unwrap_or_else(|fault| panic!("the guest does not start: {fault}"));
        Plugin { pool: Rc::new(pool), fetch: self.fetch.clone() }
    }

    /// A chain of a plugin several times over, as steps that agree on plugin and configuration share a pool.
    pub fn chain(&self, plugin: &Plugin, steps: usize) -> Steps {
        let route: Arc<str> = Arc::from("orders");
        let step = |index| {
            let name: Arc<str> = Arc::from(format!("guest-{index}"));
            let metrics = self.metrics.step(&route, &name, &plugin.pool.bound().plugin);
            let circuit = Some(Circuit::new(CircuitSettings::default()));
            let (pool, reports) = (Rc::clone(&plugin.pool), self.reports.clone());
            Step::new(name, Arc::clone(&route), pool, OnError::Deny, circuit, metrics, reports)
        };
        let chain = Rc::new(Chain::new((0..steps).map(step).collect(), Vec::new()));
        Steps { chain, heads: Some((request(), response())), route }
    }
}

impl Plugin {
    /// An exchange in its request phase.
    pub fn exchange(&self) -> Exchange {
        let mut view = view(&Arc::from("orders"));
        view.request = Some(request().into_parts().0);
        Exchange {
            pool: Rc::clone(&self.pool),
            slot: Slot::new(view),
            own: RefCell::default(),
            step: Arc::from("guest"),
        }
    }

    /// Makes an instance, configures it and throws it away.
    pub fn instantiate(&self) {
        let made = finish(Instance::create(self.pool.bound(), Some(self.fetch.clone())));
        drop(made.unwrap_or_else(|error| panic!("the guest does not start: {error}")));
    }
}

impl Exchange {
    /// Enters the plugin and leaves it.
    pub fn call(&self) {
        let task = Task {
            slot: &self.slot,
            own: &self.own,
            phase: Phase::Request,
            last: false,
            step: (0, &self.step),
            limit: PLENTY,
        };
        let called = finish(self.pool.call(task, &mut Clockwork::default()));
        called.answer.unwrap_or_else(|fault| panic!("the guest failed: {fault}"));
    }
}

impl Steps {
    /// The request passes every step, then the response, as one exchange.
    pub fn pass(&mut self) {
        let (request, response) = self.heads.take().expect("they came back from the last exchange");
        let visit = Rc::new(Visit::new(view(&self.route), self.chain.len(), None));
        let verdict = finish(self.chain.on_request(&visit, request));
        let Ok(Verdict::Continue(request)) = verdict else { panic!("a guest did not let the request pass") };
        let response = finish(self.chain.on_response(&visit, response, crate::chain::Show::Whole));
        let response = response.unwrap_or_else(|failure| panic!("a guest did not let it pass: {failure}"));
        self.heads = Some((request, response));
    }
}

/// A module with its seal, ready to be loaded by a gateway.
pub fn sealed(module: &[u8]) -> Vec<u8> {
    seal(module).expect("a module that has none yet can be given a seal")
}

fn view(route: &Arc<str>) -> Box<ExchangeView> {
    Box::new(ExchangeView::new(Asked {
        protocol: http::Version::HTTP_11,
        scheme: "http",
        authority: HeaderValue::from_static("api.shop.example"),
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        request_id: HeaderValue::from_static("0123456789abcdef0123456789abcdef"),
        route: Arc::clone(route),
        path_params: Vec::new(),
    }))
}

/// What a client of an API sends, give or take.
fn request() -> Request<Body> {
    let request = Request::get("/v1/orders/4711?fields=lines")
        .header("host", "api.shop.example")
        .header("user-agent", "shop-app/7.3 (Linux; Android 14)")
        .header("accept", "application/json")
        .header("accept-encoding", "gzip, br")
        .header("x-api-key", "key-0123456789abcdef0123456789abcdef")
        .header("x-request-id", "0123456789abcdef0123456789abcdef")
        .header("x-forwarded-for", "192.0.2.7")
        .header("x-forwarded-proto", "http");
    request.body(Body::from("")).expect("it is in order")
}

fn response() -> Response<Body> {
    let response = Response::builder()
        .header("content-type", "application/json")
        .header("content-length", "2")
        .header("cache-control", "no-store")
        .header("date", "Mon, 23 Nov 2026 08:00:00 GMT");
    response.body(Body::from("{}")).expect("it is in order")
}
