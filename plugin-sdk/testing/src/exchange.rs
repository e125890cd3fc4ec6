//! One exchange through the plugin: which phases run when, and what came of them.

use std::collections::BTreeMap;

use sluice_abi::harness::{
    Answer as Said, Ask, Bytes, Call, Called, Decision, LogLine, Open, ResponseHead, Sent,
};
use sluice_abi::{Origin, Outcome, Phase, Recorded};

use crate::{Answer, Request, Response, TestPlugin};

/// An exchange. It holds what the plugin made of it so far.
#[derive(Debug)]
#[must_use]
pub struct Exchange<'p> {
    plugin: &'p TestPlugin,
    number: u32,
    request: Request,
    decision: Decision,
    /// The body of the message at hand is not shown to the plugin.
    skips_body: bool,
    consumer: Option<String>,
    logs: Vec<LogLine>,
    fetched: Vec<Sent>,
    recorded: BTreeMap<String, Recorded>,
}

impl<'p> Exchange<'p> {
    pub(crate) fn begin(plugin: &'p TestPlugin, number: u32, request: Request) -> Self {
        let open = Open {
            exchange: number,
            request: request.head.clone(),
            scheme: request.scheme.clone(),
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
            skips_body: false,
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
            self.call(Phase::Request, None, false, None);
        }
        if self.skips_body {
            return;
        }
        if self.goes_on() && self.has(Phase::RequestBody) {
            let body = self.call(Phase::RequestBody, Some(Bytes(self.request.body())), true, None).body;
            self.request.body = body.into_iter().collect();
        }
        if self.goes_on() && self.has(Phase::RequestChunk) {
            let chunks = std::mem::take(&mut self.request.body);
            self.request.body = self.pass(Phase::RequestChunk, chunks, false);
        }
    }

    /// Sends chunks through a phase, and the empty last one after them, as the gateway does unless they are cut off.
    fn pass(&mut self, phase: Phase, chunks: Vec<Bytes>, is_cut_off: bool) -> Vec<Bytes> {
        let count = chunks.len();
        let mut passed = Vec::new();
        let last = (!is_cut_off).then(Bytes::default);
        for (index, chunk) in chunks.into_iter().chain(last).enumerate() {
            if !self.goes_on() {
                break;
            }
            let chunk = self.call(phase, Some(chunk), index == count, None).body;
            passed.extend(chunk.filter(|chunk| !chunk.as_slice().is_empty()));
        }
        passed
    }

    fn has(&self, phase: Phase) -> bool {
        self.plugin.descriptor().phases.contains(&phase)
    }

    fn goes_on(&self) -> bool {
        self.decision == Decision::Continue
    }

    fn call(
        &mut self,
        phase: Phase,
        body: Option<Bytes>,
        last: bool,
        response: Option<ResponseHead>,
    ) -> Called {
        self.ask(Call { exchange: self.number, phase, body, last, response, origin: None, outcome: None })
    }

    fn ask(&mut self, call: Call) -> Called {
        let called = match self.plugin.ask(Ask::Call(Box::new(call))) {
            Said::Called(called) => *called,
            other => panic!("the harness answered {other:?}"),
        };
        self.decision.clone_from(&called.decision);
        self.skips_body |= called.skips_body;
        self.consumer.clone_from(&called.consumer);
        self.recorded.clone_from(&called.recorded);
        self.logs.extend(called.logs.iter().cloned());
        self.fetched.extend(called.fetched.iter().cloned());
        if let Some(head) = &called.request {
            self.request.head.clone_from(head);
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
    /// returned is the response as far as it came.
    pub fn respond(&mut self, response: Response) -> Response {
        self.decision = Decision::Continue;
        self.skips_body = false;
        let Response { mut head, mut body, origin, is_cut_off } = response;
        // A response to HEAD, a 204 and a 304 have no body that a phase could see.
        let is_gateways = origin == Origin::Gateway;
        let carries_body =
            self.request.head.method != "HEAD" && !matches!(head.status, 204 | 304) && !is_gateways;
        let origin = Some(origin.number());
        if self.has(Phase::Response) {
            let call = Call {
                exchange: self.number,
                phase: Phase::Response,
                body: None,
                last: false,
                response: Some(head.clone()),
                origin,
                outcome: None,
            };
            let called = self.ask(call);
            if let Some(replaced) = self.replaced() {
                return replaced;
            }
            let sees_bodies = self.has(Phase::ResponseBody) || self.has(Phase::ResponseChunk);
            if !(is_gateways && sees_bodies) {
                head = called.response.unwrap_or(head);
            }
        }
        let carries_body = carries_body && !self.skips_body;
        if self.goes_on() && carries_body && self.has(Phase::ResponseBody) {
            let whole = Bytes(Response { body, ..Response::new(head.status) }.body());
            let called = self.call(Phase::ResponseBody, Some(whole), true, Some(head.clone()));
            if let Some(replaced) = self.replaced() {
                return replaced;
            }
            head = called.response.unwrap_or(head);
            body = called.body.into_iter().collect();
        } else if self.goes_on() && carries_body && self.has(Phase::ResponseChunk) {
            body = self.pass(Phase::ResponseChunk, body, is_cut_off);
        }
        Response { head, body, origin: Origin::Upstream, is_cut_off }
    }

    /// A further piece of the request passes, in an exchange whose bodies pass at the same time. What a plugin that sees requests in
    /// chunks makes of it.
    pub fn send_piece(&mut self, piece: impl AsRef<[u8]>) -> Vec<u8> {
        let piece = Bytes::from(&piece);
        if !self.has(Phase::RequestChunk) {
            return piece.0;
        }
        self.call(Phase::RequestChunk, Some(piece), false, None).body.unwrap_or_default().0
    }

    fn replaced(&self) -> Option<Response> {
        let Decision::Respond(answered) = &self.decision else { return None };
        let head = ResponseHead { status: answered.status, headers: answered.headers.clone() };
        Some(Response { head, body: vec![answered.body.clone()], origin: Origin::Step, is_cut_off: false })
    }

    /// The exchange has ended.
    pub fn complete(&mut self, outcome: Outcome) {
        self.decision = Decision::Continue;
        if self.has(Phase::Complete) {
            let (exchange, phase) = (self.number, Phase::Complete);
            self.ask(Call {
                exchange,
                phase,
                body: None,
                last: false,
                response: None,
                origin: None,
                outcome: Some(outcome),
            });
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
