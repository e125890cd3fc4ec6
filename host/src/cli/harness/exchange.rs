//! One exchange of a test: what the plugin sees, and what it made of it after each phase.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version};
use sluice_abi::harness::{
    self, Answered, Call, Called, Decision, HeaderList, Open, RequestHead, ResponseHead,
};
use sluice_abi::{Answer, Origin, Phase, Recorded, Reply};

use super::world::{Stage, list};
use crate::metering::Tab;
use crate::wasm::{Asked, Clockwork, ContextKey, ContextValues, ExchangeView, FaultKind, Lease, Slot, Task};

/// One exchange of a test.
pub(super) struct Exchange {
    slot: Slot,
    tab: Arc<Tab>,
    step: Arc<str>,
    own: RefCell<Option<Lease>>,
    /// The request's head is on its way to the upstream still.
    in_request: Cell<bool>,
}

impl Exchange {
    pub(super) fn open(stage: &Stage, open: &Open) -> Result<Self, String> {
        let mut context = ContextValues::default();
        for (name, value) in &open.values {
            if !context.set(ContextKey::Exchange(name.as_bytes()), &value.0) {
                return Err("the context values are too large".to_owned());
            }
        }
        let consumer = match &open.consumer {
            Some(name) => Some(
                stage.consumers.get(name, None).cloned().ok_or(format!("there is no consumer `{name}`"))?,
            ),
            None => None,
        };
        let text = |text: &str| HeaderValue::from_str(text).map_err(|_| format!("`{text}` cannot be sent"));
        let mut view = ExchangeView::new(Asked {
            scheme: if open.scheme == "https" { "https" } else { "http" },
            protocol: match &*open.protocol {
                "HTTP/2" => Version::HTTP_2,
                "HTTP/1.0" => Version::HTTP_10,
                _ => Version::HTTP_11,
            },
            authority: text(&open.authority)?,
            client: open
                .client_address
                .parse()
                .map_err(|_| format!("`{}` is no address", open.client_address))?,
            request_id: text(&open.request_id)?,
            route: Arc::from(open.route.as_str()),
            path_params: open
                .path_params
                .iter()
                .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
                .collect(),
        });
        (view.request, view.has_body) = (Some(request(&open.request)?), open.has_body);
        view.certificate = open.certificate.as_ref().map(|der| Arc::from(der.0.as_slice()));
        (view.consumer, view.context) = (consumer, context);
        let tab = Arc::new(Tab::default());
        view.tab = Some(Arc::clone(&tab));
        Ok(Self {
            tab,
            slot: Slot::new(Box::new(view)),
            step: Arc::from(open.step.as_str()),
            own: RefCell::default(),
            in_request: Cell::new(true),
        })
    }

    pub(super) async fn call(&self, stage: &Stage, call: Call) -> Result<Called, String> {
        let bound = stage.pool.bound();
        if !bound.module.descriptor.phases.contains(&call.phase) {
            return Err(format!("the plugin has no phase `{}`", call.phase.name()));
        }
        self.prepare(&call)?;
        let phase = call.phase;
        let limit = Duration::from_secs(10);
        let task =
            Task { slot: &self.slot, own: &self.own, phase, last: call.last, step: (0, &self.step), limit };
        let called = stage.pool.call(task, &mut Clockwork::default()).await;
        let (reply, hold, left, request, response, consumer, body_mode) = self
            .slot
            .with(|view| {
                (
                    view.reply.take(),
                    view.hold,
                    view.take_body(),
                    view.request.as_ref().map(request_head),
                    view.response.as_ref().map(response_head),
                    view.consumer.as_ref().map(|consumer| consumer.name.to_string()),
                    view.body_mode.take(),
                )
            })
            .ok_or("the exchange is busy")?;
        let decision = match called.answer {
            Ok(Answer::Respond) => match reply {
                Some(reply) => Decision::Respond(Box::new(answered(reply))),
                None => Decision::Continue,
            },
            Ok(_) => Decision::Continue,
            Err(fault) if fault.kind == FaultKind::Failed => Decision::Failed { message: fault.message },
            Err(fault) => Decision::Fault { message: fault.to_string() },
        };
        let has_body = !matches!(phase, Phase::Request | Phase::Response | Phase::Complete);
        Ok(Called {
            decision,
            request,
            response,
            body: has_body.then(|| harness::Bytes(left.passed.to_vec())),
            consumer,
            body_mode,
            hold,
            trailers: left.trailers.as_ref().map(header_list),
            logs: stage.take_logs(),
            fetched: stage.take_sent(),
            recorded: self.recorded(stage),
        })
    }

    /// What is recorded so far, by the meters' names.
    fn recorded(&self, stage: &Stage) -> BTreeMap<String, Recorded> {
        let lines = self.tab.recorded().into_iter();
        let named = lines.map(|(place, recorded)| (stage.meters[place].name.to_string(), recorded));
        named.filter(|(_, recorded)| !recorded.is_empty()).collect()
    }

    /// Brings the view to where the gateway would have it at this phase.
    fn prepare(&self, call: &Call) -> Result<(), String> {
        let response = call.response.as_ref().map(response).transpose()?;
        let trailers = call.trailers.as_ref().map(headers).transpose()?;
        if !matches!(call.phase, Phase::Request | Phase::RequestBody) {
            self.in_request.set(false);
        }
        self.slot
            .with(|view| {
                if !self.in_request.get() {
                    view.send_request();
                }
                if response.is_some() {
                    view.response = response;
                }
                view.origin = call.origin.and_then(Origin::from_number).unwrap_or(view.origin);
                if matches!(call.phase, Phase::ResponseChunk | Phase::Complete) {
                    view.response = None;
                }
                let body = call.body.as_ref().map(|body| Bytes::from(body.0.clone()));
                view.show_body(body.unwrap_or_default(), trailers);
                view.outcome = call.outcome;
            })
            .ok_or_else(|| "the exchange is busy".to_owned())
    }
}

fn headers(list: &HeaderList) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        let field = HeaderName::try_from(name).ok().zip(HeaderValue::from_bytes(&value.0).ok());
        let (field, value) = field.ok_or_else(|| format!("the header `{name}` is not valid"))?;
        headers.append(field, value);
    }
    Ok(headers)
}

fn request(head: &RequestHead) -> Result<http::request::Parts, String> {
    let target = match &head.query {
        Some(query) => format!("{}?{query}", head.path),
        None => head.path.clone(),
    };
    let request = Request::builder().method(head.method.as_str()).uri(target).body(());
    let mut parts = request.map_err(|error| format!("the request is not valid: {error}"))?.into_parts().0;
    parts.headers = headers(&head.headers)?;
    Ok(parts)
}

fn response(head: &ResponseHead) -> Result<http::response::Parts, String> {
    let mut parts = Response::new(()).into_parts().0;
    parts.status = StatusCode::from_u16(head.status).map_err(|_| format!("{} is no status", head.status))?;
    parts.headers = headers(&head.headers)?;
    Ok(parts)
}

fn header_list(headers: &HeaderMap) -> HeaderList {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), harness::Bytes(value.as_bytes().to_vec())))
        .collect()
}

fn request_head(head: &http::request::Parts) -> RequestHead {
    RequestHead {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: header_list(&head.headers),
    }
}

fn response_head(head: &http::response::Parts) -> ResponseHead {
    ResponseHead { status: head.status.as_u16(), headers: header_list(&head.headers) }
}

fn answered(reply: Reply) -> Answered {
    match reply {
        Reply::Plain { status, headers, body } => {
            Answered { status, headers: list(&headers), body: harness::Bytes(body), problem: None }
        }
        Reply::Problem { headers, problem } => Answered {
            status: problem.status,
            headers: list(&headers),
            body: harness::Bytes::default(),
            problem: Some(problem),
        },
    }
}
