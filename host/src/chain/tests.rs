//! Who is left out, and who never is, where no instance is free.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode};
use sluice_abi::Outcome;
use tokio::sync::mpsc;

use super::{Chain, ChainFailure, Circuit, FaultReport, Group, Show, Step, Verdict, Visit};
use crate::body::Body;
use crate::config::{CircuitSettings, Isolation, Limits, OnError, Store};
use crate::store::{MemoryStore, Stores};
use crate::telemetry::Metrics;
use crate::wasm::{Asked, Bound, Clock, Engines, ExchangeView, Loader, Pool, PoolMetrics, Services, seal};

struct Uncounted;

impl PoolMetrics for Uncounted {
    fn created(&self) {}
    fn changed(&self, _: isize, _: isize) {}
}

/// A chain of one step, of which one exchange at a time has an instance.
struct Setup {
    chain: Rc<Chain>,
    metrics: Metrics,
    reports: mpsc::Receiver<FaultReport>,
}

/// A plugin that lets everything pass, with these phases and what else its descriptor says.
fn module(phases: &[&str], more: &str) -> Vec<u8> {
    let names: Vec<_> = phases.iter().map(|name| format!("\"{name}\"")).collect();
    let descriptor = format!(
        r#"{{"abi":1,"name":"guest","version":"1.0.0","phases":[{}]{more},"config_schema":true}}"#,
        names.join(",")
    );
    let exports = ["configure"]
        .iter()
        .chain(phases)
        .map(|name| format!("(func (export \"sluice_v1_{name}\") (result i32) (i32.const 0))"));
    let text = format!(
        "(module (memory (export \"memory\") 1) (data (i32.const 0) \"{}\")
         (func (export \"sluice_v1_describe\") (result i64) (i64.const {})) {})",
        descriptor.replace('"', "\\\""),
        descriptor.len(),
        exports.collect::<String>()
    );
    seal(&wat::parse_str(text).unwrap()).unwrap()
}

async fn start(phases: &[&str], more: &str, groups: Vec<Group>) -> Setup {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&module(phases, more)).unwrap();
    let limits = Limits { instances: 1, ..Limits::default() };
    let loader = Loader::new(Arc::new(Engines::new(false)), None);
    let loaded = loader.load(file.path(), None, &limits).await.unwrap();
    let services = Services {
        jwks: crate::jwks::KeySets::default(),
        store: Stores::local(Arc::new(MemoryStore::new(&Store::default()))),
        consumers: Arc::default(),
        secrets: Arc::default(),
        assets: crate::config::Assets::default(),
        meters: Arc::default(),
        clock: Clock::System,
        tap: None,
    };
    let grants = BTreeSet::new();
    let plugin = Arc::from("guest");
    let config = serde_json::json!({});
    let bound = Bound::new(plugin, loaded, &config, grants, limits, Isolation::Exchange, services);
    let (fetch, _) = mpsc::unbounded_channel();
    let pool = Rc::new(Pool::new(Arc::new(bound), fetch, Rc::new(Uncounted)));
    let metrics = Metrics::new();
    let (report, reports) = mpsc::channel(10);
    let (route, name): (Arc<str>, Arc<str>) = (Arc::from("orders"), Arc::from("guest"));
    let cells = metrics.worker().step(&route, &name, &name);
    let circuit = Some(Circuit::new(CircuitSettings::default()));
    let step = Step::new(name, route, pool, OnError::Deny, circuit, cells, report);
    Setup { chain: Rc::new(Chain::new(vec![step], groups)), metrics, reports }
}

fn view() -> Box<ExchangeView> {
    Box::new(ExchangeView::new(Asked {
        scheme: "http",
        protocol: http::Version::HTTP_11,
        authority: HeaderValue::from_static("api.shop.example"),
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        request_id: HeaderValue::from_static("0123456789abcdef"),
        route: Arc::from("orders"),
        path_params: Vec::new(),
    }))
}

impl Setup {
    /// The request of a new exchange passes.
    async fn request(&self) -> Result<Rc<Visit>, ChainFailure> {
        let visit = Rc::new(Visit::new(view(), self.chain.len(), None));
        let request = Request::get("/").body(Body::from("")).unwrap();
        match self.chain.on_request(&visit, request).await? {
            Verdict::Continue(_) => Ok(visit),
            Verdict::Respond(response) => panic!("answered {}", response.status()),
        }
    }

    /// The response and the end of it.
    async fn end(&self, visit: Rc<Visit>) {
        let response = Response::new(Body::from("{}"));
        let response = self.chain.on_response(&visit, response, Show::Whole).await.unwrap();
        assert_eq!(response.into_body().collect_bounded(10).await.unwrap().0, "{}");
        let outcome = Outcome {
            status: 200,
            finished: true,
            request_bytes: 0,
            response_bytes: 2,
            duration_us: 1,
            upstream_us: 1,
        };
        self.chain.on_complete(&visit, outcome).await;
    }

    fn counted(&self, phase: &str, verdict: &str) -> u64 {
        let series = format!(
            "sluice_step_calls_total{{route=\"orders\",step=\"guest\",plugin=\"guest\",phase=\"{phase}\",verdict=\"{verdict}\"}} "
        );
        let page = self.metrics.render();
        page.lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |count| count.parse().unwrap())
    }
}

const DISPENSABLE: &str = r#","isolation":"exchange","dispensable":true"#;
const PHASES: [&str; 3] = ["request", "response", "complete"];

#[tokio::test]
async fn an_exchange_goes_on_without_a_step_that_is_dispensable() {
    let mut setup = start(&PHASES, DISPENSABLE, Vec::new()).await;
    let first = setup.request().await.unwrap();
    let second = setup.request().await.unwrap();
    assert_eq!((setup.counted("request", "continue"), setup.counted("request", "left-out")), (1, 1));
    setup.end(first).await;
    assert_eq!(setup.counted("response", "continue"), 1);
    // Although an instance is free now: it has not seen this request.
    setup.end(second).await;
    assert_eq!((setup.counted("response", "continue"), setup.counted("complete", "continue")), (1, 1));
    let third = setup.request().await.unwrap();
    setup.end(third).await;
    assert_eq!((setup.counted("request", "continue"), setup.counted("request", "left-out")), (2, 1));
    assert_eq!(setup.counted("complete", "continue"), 2);
    assert_eq!(setup.counted("request", "fault"), 0);
    assert!(setup.reports.try_recv().is_err(), "it is no fault");
}

#[tokio::test]
async fn the_first_call_may_be_of_any_phase() {
    let setup = start(&["response", "complete"], DISPENSABLE, Vec::new()).await;
    let (first, second) = (setup.request().await.unwrap(), setup.request().await.unwrap());
    let response = || Response::new(Body::from("{}"));
    setup.chain.on_response(&first, response(), Show::Whole).await.unwrap();
    setup.end(second).await;
    assert_eq!((setup.counted("response", "continue"), setup.counted("response", "left-out")), (1, 1));
    assert_eq!(setup.counted("complete", "continue"), 0);
}

#[tokio::test]
async fn no_other_step_is_left_out() {
    let group = || vec![Group { alternatives: std::iter::once(0..1).collect() }];
    let takes_bodies = ["request", "request_body"];
    let cases: [(&[&str], &str, Vec<Group>); 4] = [
        (&PHASES, r#","isolation":"exchange""#, Vec::new()),
        (&PHASES, r#","isolation":"exchange","dispensable":false"#, Vec::new()),
        (&PHASES, DISPENSABLE, group()),
        (&takes_bodies, DISPENSABLE, Vec::new()),
    ];
    for (phases, more, groups) in cases {
        let mut setup = start(phases, more, groups).await;
        let _first = setup.request().await.unwrap();
        let Err(failure) = setup.request().await else { panic!("{more}") };
        let ChainFailure::Step { cause, status, .. } = failure else { panic!("{failure}") };
        assert_eq!((cause, status), ("instances", StatusCode::INTERNAL_SERVER_ERROR));
        assert_eq!((setup.counted("request", "fault"), setup.counted("request", "left-out")), (1, 0));
        assert!(setup.reports.try_recv().is_ok());
    }
}
