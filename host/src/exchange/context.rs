//! What one exchange carries from its first byte to its last.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, Version};
use http_body::Body as _;
use tokio::time::Instant;

use super::completions::Completions;
use super::failure::Failure;
use super::forwarded;
use super::peer::Peer;
use super::usage::usage;
use crate::body::{Body, BodyError, Room};
use crate::chain::{ChainFailure, Show, Verdict, Visit};
use crate::config::Listener;
use crate::metering::Tab;
use crate::net::{Crowd, Timer, host_of};
use crate::router::{Lookup, RequestView};
use crate::snapshot::{WorkerDestination, WorkerRoute, WorkerSnapshot};
use crate::telemetry::{AccessLogBuffer, NO_ROUTE, RouteMetrics, WorkerMetrics};
use crate::upstream::{UpstreamError, UpstreamErrorKind, Wait};
use crate::wasm::{Asked, ExchangeView};

/// What every exchange of a worker passes: where it finds the newest snapshot and leaves its traces.
pub(crate) struct Gate {
    pub(crate) snapshot: RefCell<Rc<WorkerSnapshot>>,
    pub(crate) metrics: Arc<WorkerMetrics>,
    pub(crate) access_log: Rc<AccessLogBuffer>,
    /// What no route takes.
    pub(crate) unrouted: Arc<RouteMetrics>,
    /// Complete phases under way.
    pub(crate) completions: Completions,
    /// Where bodies that are held whole count, over all workers.
    pub(crate) room: Option<Arc<Room>>,
    /// Where connections count, over all workers.
    pub(crate) crowd: Arc<Crowd>,
}

impl Gate {
    /// A gate to `snapshot`.
    pub(crate) fn new(
        snapshot: Rc<WorkerSnapshot>,
        metrics: Arc<WorkerMetrics>,
        access_log: Rc<AccessLogBuffer>,
        room: Option<Arc<Room>>,
        crowd: Arc<Crowd>,
    ) -> Self {
        let unrouted = metrics.route(&Arc::from(NO_ROUTE));
        let completions = Completions::new(Arc::clone(&metrics));
        Self { snapshot: RefCell::new(snapshot), metrics, access_log, unrouted, completions, room, crowd }
    }

    /// An upstream of the newest snapshot.
    pub(crate) fn upstream(&self, name: &str) -> Option<Rc<crate::upstream::Upstream>> {
        self.snapshot.borrow().upstreams.get(name).cloned()
    }
}

/// A route of a snapshot, holding on to the snapshot.
#[derive(Clone)]
pub(crate) struct Matched {
    snapshot: Rc<WorkerSnapshot>,
    index: usize,
}

impl std::ops::Deref for Matched {
    type Target = WorkerRoute;

    fn deref(&self) -> &WorkerRoute {
        &self.snapshot.routes[self.index]
    }
}

/// One exchange.
pub(crate) struct Context {
    pub(super) snapshot: Rc<WorkerSnapshot>,
    pub(super) metrics: Arc<WorkerMetrics>,
    pub(super) access_log: Rc<AccessLogBuffer>,
    pub(super) unrouted: Arc<RouteMetrics>,
    pub(super) completions: Completions,
    room: Option<Arc<Room>>,
    pub(super) peer: Rc<Peer>,
    pub(super) started: Instant,
    pub(super) deadline: Instant,
    pub(super) timer: Timer,
    pub(super) request_id: HeaderValue,
    pub(super) client: std::net::IpAddr,
    pub(super) authority: HeaderValue,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) route: Option<Matched>,
    /// Until the steps have them.
    path_params: Vec<(Box<str>, Box<str>)>,
    pub(super) visit: Option<Rc<Visit>>,
    /// The target that answered and how long its head took.
    pub(super) upstream: Option<(Arc<str>, std::time::Duration)>,
    /// What failed, as a label, and the step at fault.
    pub(super) failure: Option<(&'static str, Option<Arc<str>>)>,
    pub(super) request_bytes: super::finish::RequestBytes,
    /// What it has used, where its chain meters.
    pub(super) tab: Option<Arc<Tab>>,
}

impl Context {
    /// An exchange begins: it takes the newest snapshot, and its head is made fit to be seen.
    pub(super) fn begin(gate: &Gate, peer: &Rc<Peer>, timer: Timer, request: &mut Request<Body>) -> Self {
        gate.metrics.exchange_started();
        let snapshot = Rc::clone(&gate.snapshot.borrow());
        let started = Instant::now();
        let listener = listener(&snapshot, peer);
        let trusted = listener.map_or(&[][..], |listener| &listener.trusted_proxies);
        peer.judge(trusted);
        let version = request.version();
        let request_id = forwarded::prepare_request(request.headers_mut(), peer, trusted, version);
        let client = forwarded::client_address(request.headers(), peer, trusted);
        let exchange = listener
            .map_or_else(|| crate::config::ListenerTimeouts::default().exchange, |l| l.timeouts.exchange);
        let authority = request
            .headers()
            .get(http::header::HOST)
            .cloned()
            .unwrap_or_else(|| HeaderValue::from_static(""));
        Self {
            metrics: Arc::clone(&gate.metrics),
            access_log: Rc::clone(&gate.access_log),
            unrouted: Arc::clone(&gate.unrouted),
            completions: gate.completions.clone(),
            room: gate.room.clone(),
            peer: Rc::clone(peer),
            started,
            deadline: started + exchange,
            timer,
            request_id,
            client,
            authority,
            method: request.method().clone(),
            uri: request.uri().clone(),
            route: None,
            path_params: Vec::new(),
            visit: None,
            upstream: None,
            failure: None,
            request_bytes: super::finish::RequestBytes::count(request.body_mut()),
            tab: None,
            snapshot,
        }
    }

    /// Finds the route.
    pub(super) fn route(&mut self, request: &Request<Body>) -> Result<Matched, Failure> {
        let view = RequestView {
            host: host_of(self.authority.to_str().unwrap_or_default()),
            path: request.uri().path(),
            method: request.method(),
            headers: request.headers(),
            query: request.uri().query(),
        };
        match self.snapshot.shared.router.find(&view) {
            Lookup::Found { route, params } => {
                if !params.is_empty() {
                    let named = self.snapshot.shared.router.params(route, &params, view.path);
                    self.path_params = named.map(|(name, value)| (name.into(), value.into())).collect();
                }
                let matched = Matched { snapshot: Rc::clone(&self.snapshot), index: route };
                self.route = Some(matched.clone());
                Ok(matched)
            }
            Lookup::MethodNotAllowed { allow } => Err(Failure::MethodNotAllowed(allow)),
            Lookup::NotFound => Err(Failure::NoRoute),
        }
    }

    /// Leaves an offer to speak another protocol standing where the route takes it.
    pub(super) fn weigh_offer(&self, route: &Matched, request: &mut Request<Body>) {
        if let Body::Upgrade(tunnel) = request.body()
            && !route.takes(tunnel)
        {
            *request.body_mut() = Body::Empty;
        }
    }

    /// The request passes the route's steps.
    pub(super) async fn on_request(
        &mut self,
        route: &Matched,
        request: Request<Body>,
    ) -> Result<Verdict, Failure> {
        if route.chain.len() == 0 {
            return Ok(Verdict::Continue(request));
        }
        let mut view = Box::new(ExchangeView::new(Asked {
            scheme: forwarded::scheme(request.headers(), &self.peer),
            protocol: request.version(),
            authority: self.authority.clone(),
            client: self.client,
            request_id: self.request_id.clone(),
            route: Arc::clone(&route.name),
            path_params: std::mem::take(&mut self.path_params),
        }));
        view.has_body = !request.body().is_end_stream();
        view.certificate = forwarded::client_certificate(request.headers(), &self.peer);
        self.tab = route.chain.metered().map(|_| Arc::default());
        view.tab.clone_from(&self.tab);
        let visit = Rc::new(Visit::new(view, route.chain.len(), self.room.clone()));
        self.visit = Some(Rc::clone(&visit));
        Ok(route.chain.on_request(&visit, request).await?)
    }

    /// The request goes to the upstream, whose response head is made fit for the client; or the gateway answers itself.
    pub(super) async fn send(
        &mut self,
        route: &Matched,
        request: Request<Body>,
    ) -> Result<Response<Body>, Failure> {
        let (upstream, metrics) = match &route.destination {
            WorkerDestination::Upstream { upstream, metrics } => (upstream, metrics),
            WorkerDestination::Usage(metering) => return usage(self, metering.as_ref(), request).await,
        };
        let sent = Instant::now();
        if let Some(tab) = &self.tab {
            tab.forwarded();
        }
        // Where each stream has a head of its own, hyper has no way to send another before it.
        let hints = |fields: &HeaderMap| self.peer.hint(fields);
        let hints = (request.version() == Version::HTTP_11).then_some(&hints as &dyn Fn(&HeaderMap));
        match upstream.send(request, Wait::new(&self.timer, hints), sent).await {
            Ok(answer) => {
                let elapsed = answer.at - sent;
                metrics.answered(answer.response.status().as_u16(), elapsed);
                if answer.reused {
                    metrics.connection_reused();
                } else {
                    metrics.connection_opened();
                }
                self.upstream = Some((answer.target, elapsed));
                let mut response = answer.response;
                forwarded::prepare_response(response.headers_mut());
                Ok(response)
            }
            Err(error) => {
                // A step that saw the request's body pass may have answered it in the middle.
                if let Some(visit) = &self.visit
                    && let Some(answer) = route.chain.take_answer(visit).await
                {
                    return Ok(answer);
                }
                metrics.failed(error.kind.as_str());
                Err(self.upstream_failure(upstream.name(), error))
            }
        }
    }

    /// An upstream that was cut off by the request's own body is not the one at fault.
    fn upstream_failure(&self, upstream: &Arc<str>, error: UpstreamError) -> Failure {
        if let Some(broken) = self.visit.as_ref().and_then(|visit| visit.take_broken()) {
            return Failure::Chain(broken);
        }
        match error.kind {
            UpstreamErrorKind::RequestBody(origin, kind) => {
                Failure::Chain(ChainFailure::Body(BodyError::new(origin, kind)))
            }
            _ => Failure::Upstream(Arc::clone(upstream), error),
        }
    }

    /// The response passes the steps that the request came to.
    pub(super) async fn on_response(
        &mut self,
        route: &Matched,
        response: Response<Body>,
        show: Show,
    ) -> Result<Response<Body>, Failure> {
        let Some(visit) = &self.visit else { return Ok(response) };
        let mut response = route.chain.on_response(visit, response, show).await?;
        self.notify(&mut response);
        Ok(response)
    }
}

/// The settings of the listener that a connection came in by, in this exchange's snapshot.
fn listener<'a>(snapshot: &'a WorkerSnapshot, peer: &Peer) -> Option<&'a Listener> {
    snapshot.shared.config.listeners.iter().find(|listener| listener.name == peer.listener)
}
