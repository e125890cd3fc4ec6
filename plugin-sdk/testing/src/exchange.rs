//! One exchange through the plugin: which phases run when, and what came of them.

use std::collections::BTreeMap;

use sluice_abi::harness::{
    Answer as Said, Ask, Bytes, Call, Called, Decision, HeaderList, LogLine, Open, ResponseHead, Sent,
};
use sluice_abi::{BodyMode, Origin, Outcome, Phase, Recorded};

use crate::{Answer, Request, Response, TestPlugin};

/// An exchange. It holds what the plugin made of it so far.
#[derive(Debug)]
#[must_use]
pub struct Exchange<'p> {
    plugin: &'p TestPlugin,
    number: u32,
    request: Request,
    decision: Decision,
    /// How the plugin takes the body of the message at hand, if it said so.
    body_mode: Option<BodyMode>,
    consumer: Option<String>,
    logs: Vec<LogLine>,
    fetched: Vec<Sent>,
    recorded: BTreeMap<String, Recorded>,
}

/// A body on its way through a chunk phase.
struct Passing {
    chunks: Vec<Bytes>,
    trailers: HeaderList,
    is_cut_off: bool,
}

impl<'p> Exchange<'p> {
    pub(crate) fn begin(plugin: &'p TestPlugin, number: u32, request: Request) -> Self {
        let open = Open {
            exchange: number,
            request: request.head.clone(),
            scheme: request.scheme.clone(),
            protocol: request.protocol.clone(),
            authority: request.authority.clone(),
            client_address: request.client.clone(),
            request_id: request.request_id.clone(),
            route: request.route.clone(),
            path_params: request.path_params.clone(),
            has_body: !request.body().is_empty(),
            step: plugin.descriptor().name.clone(),
            certificate: request.certificate.clone(),
            consumer: request.consumer.clone(),
            values: request.values.clone(),
        };
        plugin.done(Ask::Open(Box::new(open)));
        let consumer = request.consumer.clone();
        let (logs, fetched) = (Vec::new(), Vec::new());
        let decision = Decision::Continue;
        let mut exchange = Self {
            plugin,
            number,
            request,
            decision,
            body_mode: None,
            consumer,
            logs,
            fetched,
            recorded: BTreeMap::new(),
        };
        exchange.run_request();
        exchange
    }

    fn run_request(&mut self) {
        if self.has(Phase::Request) {
            self.call(Call { phase: Phase::Request, ..self.blank() });
        }
        if !self.goes_on() {
            return;
        }
        if self.takes_whole(Phase::RequestBody, Phase::RequestChunk) {
            let body = Some(Bytes(self.request.body()));
            let trailers = Some(std::mem::take(&mut self.request.trailers));
            let call = Call { phase: Phase::RequestBody, body, last: true, trailers, ..self.blank() };
            let called = self.call(call);
            self.request.body = called.body.into_iter().collect();
            self.request.trailers = called.trailers.unwrap_or_default();
        } else if self.takes_chunks(Phase::RequestChunk) {
            let passing = Passing {
                chunks: std::mem::take(&mut self.request.body),
                trailers: std::mem::take(&mut self.request.trailers),
                is_cut_off: false,
            };
            let passed = self.pass(Phase::RequestChunk, passing);
            (self.request.body, self.request.trailers) = (passed.chunks, passed.trailers);
        }
    }

    /// Sends chunks through a phase, and a last call after them, as the gateway does unless they are cut off. So they are behind a call
    /// that does not let them go on.
    fn pass(&mut self, phase: Phase, passing: Passing) -> Passing {
        let Passing { chunks, mut trailers, is_cut_off } = passing;
        let count = chunks.len();
        let mut passed = Vec::new();
        let (mut held, mut want) = (Vec::new(), 0);
        let last = (!is_cut_off).then(Bytes::default);
        for (index, chunk) in chunks.into_iter().chain(last).enumerate() {
            let is_last = index == count;
            held.extend_from_slice(chunk.as_slice());
            if held.len() < want && !is_last {
                continue;
            }
            loop {
                let call = Call {
                    phase,
                    body: Some(Bytes(held.clone())),
                    last: is_last,
                    trailers: is_last.then(|| trailers.clone()),
                    ..self.blank()
                };
                let called = self.call(call);
                if !self.goes_on() {
                    return Passing { chunks: passed, trailers: HeaderList::new(), is_cut_off: true };
                }
                passed.extend(called.body.filter(|chunk| !chunk.as_slice().is_empty()));
                trailers = called.trailers.unwrap_or(trailers);
                let Some(hold) = called.hold else {
                    (held, want) = (Vec::new(), 0);
                    break;
                };
                held.drain(..hold.from);
                want = hold.want;
                if held.len() < want && !is_last {
                    break;
                }
            }
        }
        Passing { chunks: passed, trailers, is_cut_off }
    }

    /// Whether the plugin takes a body whole that it could take in chunks as well.
    fn takes_whole(&self, whole: Phase, chunks: Phase) -> bool {
        self.has(whole)
            && match self.body_mode {
                Some(mode) => mode == BodyMode::Whole,
                None => !self.has(chunks),
            }
    }

    fn takes_chunks(&self, chunks: Phase) -> bool {
        self.has(chunks) && self.body_mode != Some(BodyMode::Skip)
    }

    fn has(&self, phase: Phase) -> bool {
        self.plugin.descriptor().phases.contains(&phase)
    }

    fn goes_on(&self) -> bool {
        self.decision == Decision::Continue
    }

    /// A call of nothing in this exchange.
    fn blank(&self) -> Call {
        Call {
            exchange: self.number,
            phase: Phase::Complete,
            body: None,
            last: false,
            trailers: None,
            response: None,
            origin: None,
            outcome: None,
        }
    }

    /// Calls the plugin. As in the gateway, nothing of a message comes of a call that does not let it go on.
    fn call(&mut self, call: Call) -> Called {
        let mut called = match self.plugin.ask(Ask::Call(Box::new(call))) {
            Said::Called(called) => *called,
            other => panic!("the harness answered {other:?}"),
        };
        self.decision.clone_from(&called.decision);
        self.body_mode = called.body_mode.or(self.body_mode);
        self.consumer.clone_from(&called.consumer);
        self.recorded.clone_from(&called.recorded);
        self.logs.extend(called.logs.iter().cloned());
        self.fetched.extend(called.fetched.iter().cloned());
        if !self.goes_on() {
            return Called {
                request: None,
                response: None,
                body: None,
                trailers: None,
                hold: None,
                ..called
            };
        }
        if let Some(head) = called.request.take() {
            self.request.head = head;
        }
        called
    }

    /// The request as it goes to the upstream.
    ///
    /// # Panics
    /// If the plugin answered it, failed or faulted.
    #[must_use]
    #[track_caller]
    pub fn forwarded(&self) -> &Request {
        match &self.decision {
            Decision::Continue => &self.request,
            other => panic!("the request was not let through: {other:?}"),
        }
    }

    /// Whether the request goes on to the upstream.
    #[must_use]
    pub fn is_forwarded(&self) -> bool {
        self.goes_on()
    }

    /// What the plugin answered in place of the upstream.
    ///
    /// # Panics
    /// If it did not.
    #[must_use]
    #[track_caller]
    pub fn answer(&self) -> Answer {
        match &self.decision {
            Decision::Respond(answered) => Answer((**answered).clone()),
            other => panic!("the plugin did not answer: {other:?}"),
        }
    }

    /// The message with which the plugin failed: the `Err` of a phase.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        if let Decision::Failed { message } = &self.decision { Some(message) } else { None }
    }

    /// What made the plugin fault: a panic, or a limit.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        if let Decision::Fault { message } = &self.decision { Some(message) } else { None }
    }

    /// What the last phase decided.
    #[must_use]
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The name of the exchange's consumer.
    #[must_use]
    pub fn consumer(&self) -> Option<&str> {
        self.consumer.as_deref()
    }

    /// What the plugin logged so far: level and line.
    #[must_use]
    pub fn logs(&self) -> Vec<(&str, &str)> {
        self.logs.iter().map(|line| (line.level.as_str(), line.message.as_str())).collect()
    }

    /// What the plugin fetched so far.
    #[must_use]
    pub fn fetched(&self) -> &[Sent] {
        &self.fetched
    }

    /// What the plugin has recorded on this meter so far; nothing if it has not, or has cancelled it.
    #[must_use]
    pub fn recorded(&self, meter: &str) -> Recorded {
        self.recorded.get(meter).cloned().unwrap_or_default()
    }

    /// What it has added on this meter so far, in smallest units.
    #[must_use]
    pub fn metered(&self, meter: &str) -> Option<i64> {
        self.recorded.get(meter)?.value
    }

    /// The upstream answers; the response as the client gets it.
    ///
    /// An answer of the plugin's own passes its response phases too: give it, as [of a step](Response::of_step), as the response
    /// to see that. Of the gateway's own answers ([`Response::of_gateway`]) only the head passes, and a plugin with a body or
    /// chunk phase can put its own in their place and nothing else.
    /// If a response phase fails, [`failure`](Self::failure) and [`fault`](Self::fault) tell, and what is
    /// returned is the response as far as it came: what the failed call has made of it is not there, as in the gateway.
    pub fn respond(&mut self, response: Response) -> Response {
        self.decision = Decision::Continue;
        self.body_mode = None;
        let Response { mut head, mut body, mut trailers, origin, mut is_cut_off } = response;
        // A response to HEAD, a 204 and a 304 have no body that a phase could see.
        let is_gateways = origin == Origin::Gateway;
        let carries_body =
            self.request.head.method != "HEAD" && !matches!(head.status, 204 | 304) && !is_gateways;
        let origin = Some(origin.number());
        if self.has(Phase::Response) {
            let response = Some(head.clone());
            let called = self.call(Call { phase: Phase::Response, response, origin, ..self.blank() });
            if let Some(replaced) = self.replaced() {
                return replaced;
            }
            let sees_bodies = self.has(Phase::ResponseBody) || self.has(Phase::ResponseChunk);
            if !(is_gateways && sees_bodies) {
                head = called.response.unwrap_or(head);
            }
        }
        if !self.goes_on() || !carries_body {
            return Response { head, body, trailers, origin: Origin::Upstream, is_cut_off };
        }
        if self.takes_whole(Phase::ResponseBody, Phase::ResponseChunk) {
            let whole = Bytes(Response { body: body.clone(), ..Response::new(head.status) }.body());
            let called = self.call(Call {
                phase: Phase::ResponseBody,
                body: Some(whole),
                last: true,
                trailers: Some(trailers.clone()),
                response: Some(head.clone()),
                ..self.blank()
            });
            if let Some(replaced) = self.replaced() {
                return replaced;
            }
            head = called.response.unwrap_or(head);
            if self.goes_on() {
                (body, trailers) = (called.body.into_iter().collect(), called.trailers.unwrap_or_default());
            }
        } else if self.takes_chunks(Phase::ResponseChunk) {
            let passing = Passing { chunks: body, trailers, is_cut_off };
            Passing { chunks: body, trailers, is_cut_off } = self.pass(Phase::ResponseChunk, passing);
        }
        Response { head, body, trailers, origin: Origin::Upstream, is_cut_off }
    }

    /// A further piece of the request passes, in an exchange whose bodies pass at the same time. What a plugin that sees requests in
    /// chunks makes of it.
    pub fn send_piece(&mut self, piece: impl AsRef<[u8]>) -> Vec<u8> {
        let piece = Bytes::from(&piece);
        if !self.has(Phase::RequestChunk) {
            return piece.0;
        }
        let call = Call { phase: Phase::RequestChunk, body: Some(piece), ..self.blank() };
        self.call(call).body.unwrap_or_default().0
    }

    fn replaced(&self) -> Option<Response> {
        let Decision::Respond(answered) = &self.decision else { return None };
        let head = ResponseHead { status: answered.status, headers: answered.headers.clone() };
        Some(Response { body: vec![answered.body.clone()], head, ..Response::new(answered.status) }.of_step())
    }

    /// The exchange has ended.
    pub fn complete(&mut self, outcome: Outcome) {
        self.decision = Decision::Continue;
        if self.has(Phase::Complete) {
            self.call(Call { outcome: Some(outcome), ..self.blank() });
        }
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.plugin.done(Ask::Close { exchange: self.number });
        }
    }
}
