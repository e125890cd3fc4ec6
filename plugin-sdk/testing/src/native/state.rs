//! What the fake gateway knows: the world, the open exchanges, and what is left of a call.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use sluice_abi::harness::{
    Answered, Bytes, Call, Called, Decision, Fetches, HeaderList, LogLine, Open, Random, RequestHead,
    ResponseHead, Sent, World,
};
use sluice_abi::{Answer, BodyMode, Hold, Origin, Phase, Recorded, Reply};

use super::crypto::Key;
use super::head::Request;
use super::store::Store;

/// What the plugin is being called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    /// `new` or the self-test.
    Load,
    /// A phase of an exchange.
    Phase(u32, Phase),
}

pub(super) struct State {
    pub(super) capabilities: Vec<&'static str>,
    /// Those that the plugin has and its configuration does not skip.
    pub(super) phases: Vec<Phase>,
    pub(super) config: Vec<u8>,
    pub(super) world: World,
    pub(super) monotonic_ms: u64,
    pub(super) random: Random,
    pub(super) fetches: Fetches,
    pub(super) store: Store,
    pub(super) keys: Vec<Key>,
    /// The meters that the plugin has opened.
    pub(super) opened: BTreeSet<i32>,
    pub(super) exchanges: HashMap<u32, ExchangeState>,
    pub(super) call: CallState,
}

/// What belongs to one call.
pub(super) struct CallState {
    pub(super) activity: Activity,
    pub(super) host_calls: u32,
    pub(super) fetches: u32,
    pub(super) log_bytes: usize,
    pub(super) header_bytes: usize,
    pub(super) reply: Option<Reply>,
    pub(super) failure: Option<String>,
    pub(super) logs: Vec<LogLine>,
    pub(super) sent: Vec<Sent>,
}

pub(super) struct ExchangeState {
    pub(super) open: Open,
    pub(super) request: Request,
    /// Whether the head has left.
    pub(super) sent: bool,
    pub(super) response: Option<(StatusCode, HeaderMap)>,
    pub(super) origin: Origin,
    /// The body or chunk, as it was shown or as the plugin has written it.
    pub(super) body: Vec<u8>,
    pub(super) is_written: bool,
    /// Bytes that were shown.
    pub(super) shown: usize,
    pub(super) is_last: bool,
    pub(super) hold: Option<Hold>,
    /// Where the end of a body is at hand.
    pub(super) trailers: Option<HeaderMap>,
    pub(super) outcome: Option<sluice_abi::Outcome>,
    pub(super) body_mode: Option<BodyMode>,
    pub(super) consumer: Option<String>,
    /// Which of the consumer's credentials was shown.
    pub(super) credential: Option<String>,
    /// By the meter's name.
    pub(super) recorded: BTreeMap<String, Recorded>,
    pub(super) step_values: HashMap<Vec<u8>, Vec<u8>>,
    pub(super) exchange_values: HashMap<Vec<u8>, Vec<u8>>,
}

impl CallState {
    fn new(activity: Activity, world: &World) -> Self {
        let limits = world.limits;
        Self {
            activity,
            host_calls: limits.host_calls,
            fetches: limits.fetches,
            log_bytes: limits.log,
            header_bytes: limits.headers,
            reply: None,
            failure: None,
            logs: Vec::new(),
            sent: Vec::new(),
        }
    }
}

impl State {
    pub(super) fn new(capabilities: &[&'static str]) -> Self {
        let world = World::default();
        let call = CallState::new(Activity::Load, &world);
        Self {
            capabilities: capabilities.to_vec(),
            phases: Vec::new(),
            config: Vec::new(),
            world,
            monotonic_ms: 0,
            random: Random::new(0),
            fetches: Fetches::default(),
            store: Store::default(),
            keys: Vec::new(),
            opened: BTreeSet::new(),
            exchanges: HashMap::new(),
            call,
        }
    }

    pub(super) fn begin(&mut self, config: Vec<u8>, world: World) {
        self.config = config;
        self.random = Random::new(world.seed);
        self.fetches = Fetches::new(world.fetches.clone());
        self.world = world;
    }

    pub(super) fn now_ns(&self) -> u64 {
        self.world.now_ms.saturating_mul(1_000_000)
    }

    pub(super) fn advance(&mut self, ms: u64) {
        self.world.now_ms = self.world.now_ms.saturating_add(ms);
        self.monotonic_ms = self.monotonic_ms.saturating_add(ms);
    }

    pub(super) fn enter(&mut self, activity: Activity) {
        self.call = CallState::new(activity, &self.world);
    }

    pub(super) fn open(&mut self, open: Open) -> Result<(), String> {
        if self.exchanges.contains_key(&open.exchange) {
            return Err(format!("exchange {} is already open", open.exchange));
        }
        let unknown = open
            .consumer
            .as_ref()
            .filter(|name| !self.world.consumers.iter().any(|known| known.name == **name));
        if let Some(name) = unknown {
            return Err(format!("the world has no consumer `{name}`"));
        }
        let state = ExchangeState {
            request: Request::new(&open.request)?,
            sent: false,
            response: None,
            origin: Origin::Upstream,
            body: Vec::new(),
            outcome: None,
            body_mode: None,
            is_written: false,
            shown: 0,
            is_last: false,
            hold: None,
            trailers: None,
            consumer: open.consumer.clone(),
            credential: None,
            recorded: BTreeMap::new(),
            step_values: HashMap::new(),
            exchange_values: open
                .values
                .iter()
                .map(|(key, value)| (key.as_bytes().to_vec(), value.0.clone()))
                .collect(),
            open,
        };
        self.exchanges.insert(state.open.exchange, state);
        Ok(())
    }

    pub(super) fn close(&mut self, exchange: u32) {
        self.exchanges.remove(&exchange);
    }

    /// Lays out what a phase will find.
    pub(super) fn prepare(&mut self, call: Call) -> Result<(), String> {
        let Some(exchange) = self.exchanges.get_mut(&call.exchange) else {
            return Err(format!("exchange {} is not open", call.exchange));
        };
        exchange.sent = !matches!(call.phase, Phase::Request | Phase::RequestBody);
        if let Some(ResponseHead { status, headers }) = call.response {
            let status = StatusCode::from_u16(status).map_err(|error| error.to_string())?;
            exchange.response = Some((status, header_map(&headers)?));
        }
        exchange.origin = call.origin.and_then(Origin::from_number).unwrap_or(exchange.origin);
        if matches!(call.phase, Phase::ResponseChunk | Phase::Complete) {
            // Its head has left.
            exchange.response = None;
        }
        exchange.body = call.body.unwrap_or_default().0;
        (exchange.is_written, exchange.shown, exchange.is_last) = (false, exchange.body.len(), call.last);
        (exchange.hold, exchange.body_mode) = (None, None);
        exchange.trailers = call.trailers.as_ref().map(header_map).transpose()?;
        exchange.outcome = call.outcome;
        Ok(())
    }

    /// What the plugin decided, by the number it returned and what it told the host before.
    pub(super) fn decision(&mut self, answer: i32) -> Decision {
        let call = &mut self.call;
        match Answer::from_number(answer) {
            Some(Answer::Continue) => Decision::Continue,
            Some(Answer::Respond) => match call.reply.take() {
                Some(reply) => Decision::Respond(Box::new(answered(reply))),
                None => Decision::Fault { message: "it responds, but with nothing".to_owned() },
            },
            Some(Answer::Failed) => Decision::Failed { message: call.failure.take().unwrap_or_default() },
            None => Decision::Fault { message: format!("it returned {answer}") },
        }
    }

    /// What a phase did.
    pub(super) fn called(&mut self, exchange: u32, phase: Phase, decision: Decision) -> Called {
        let logs = std::mem::take(&mut self.call.logs);
        let fetched = std::mem::take(&mut self.call.sent);
        let state = &self.exchanges[&exchange];
        let request = (!state.sent).then(|| RequestHead {
            method: state.request.method.to_string(),
            path: state.request.uri.path().to_owned(),
            query: state.request.uri.query().map(str::to_owned),
            headers: header_list(&state.request.headers),
        });
        let is_head = matches!(phase, Phase::Response | Phase::ResponseBody);
        let response = state
            .response
            .as_ref()
            .filter(|_| is_head)
            .map(|(status, headers)| ResponseHead { status: status.as_u16(), headers: header_list(headers) });
        let has_body = !matches!(phase, Phase::Request | Phase::Response | Phase::Complete);
        // What is held has not passed, unless the plugin put something in the place of everything.
        let passed = state.hold.filter(|_| !state.is_written).map_or(state.body.len(), |hold| hold.from);
        let body = has_body.then(|| Bytes::from(&state.body[..passed]));
        let consumer = state.consumer.clone();
        let recorded = state.recorded.iter().filter(|(_, recorded)| !recorded.is_empty());
        let recorded: BTreeMap<_, _> =
            recorded.map(|(name, recorded)| (name.clone(), recorded.clone())).collect();
        let (body_mode, hold) = (state.body_mode, state.hold);
        let trailers = state.trailers.as_ref().map(header_list);
        Called {
            decision,
            request,
            response,
            body,
            consumer,
            body_mode,
            hold,
            trailers,
            logs,
            fetched,
            recorded,
        }
    }
}

fn answered(reply: Reply) -> Answered {
    let list = |headers: sluice_abi::Headers| {
        let pairs = headers
            .into_iter()
            .map(|(name, value)| (String::from_utf8_lossy(&name).into_owned(), Bytes(value)));
        pairs.collect()
    };
    match reply {
        Reply::Plain { status, headers, body } => {
            Answered { status, headers: list(headers), body: Bytes(body), problem: None }
        }
        Reply::Problem { headers, problem } => Answered {
            status: problem.status,
            headers: list(headers),
            body: Bytes::default(),
            problem: Some(problem),
        },
    }
}

pub(super) fn header_map(list: &HeaderList) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, value) in list {
        let header =
            HeaderName::from_bytes(name.as_bytes()).map_err(|error| format!("header `{name}`: {error}"))?;
        let value =
            HeaderValue::from_bytes(value.as_slice()).map_err(|error| format!("header `{name}`: {error}"))?;
        map.append(header, value);
    }
    Ok(map)
}

fn header_list(map: &HeaderMap) -> HeaderList {
    map.iter().map(|(name, value)| (name.as_str().to_owned(), Bytes::from(value.as_bytes()))).collect()
}

impl Request {
    pub(super) fn new(head: &RequestHead) -> Result<Self, String> {
        let method = Method::from_bytes(head.method.as_bytes()).map_err(|error| error.to_string())?;
        let target = match &head.query {
            Some(query) => format!("{}?{query}", head.path),
            None => head.path.clone(),
        };
        let uri = target.parse::<Uri>().map_err(|error| format!("the target `{target}`: {error}"))?;
        Ok(Self { method, uri, headers: header_map(&head.headers)? })
    }
}
