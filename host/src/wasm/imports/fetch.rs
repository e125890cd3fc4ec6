//! `fetch:<upstream>`: requests to the gateway's own upstreams. The one capability whose calls can wait.
//!
//! An instance may be used by any task while it waits, so it cannot reach the worker's connections
//! itself: it hands the request to a task of the worker and sleeps until the answer comes. Dropping the
//! call (the client left, the deadline passed) closes the reply, which ends the request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sluice_abi::{Code, FetchError, FetchRequest, FetchResponse, import};
use tokio::sync::{mpsc, oneshot};
use wasmtime::{Caller, Linker};

use super::guest::{code, open, slice, waiting};
use crate::wasm::state::{Activity, HostState};

/// A request on its way to the worker's upstreams.
#[derive(Debug)]
pub(crate) struct FetchJob {
    pub(crate) upstream: Arc<str>,
    pub(crate) request: http::Request<Bytes>,
    pub(crate) timeout: Duration,
    /// The longest response body, in bytes.
    pub(crate) max_body: usize,
    pub(crate) reply: oneshot::Sender<FetchResult>,
}

/// What a request's names, path and lengths may come to, beside its headers and body.
const FRAME: usize = 16 << 10;

/// Requests of one call that are looked at; how many are sent is the plugin's limit.
const MAX_REQUESTS: usize = 1000;

/// What comes back to the plugin.
pub(crate) type FetchResult = Result<FetchResponse, FetchError>;

/// Where a worker takes its jobs from.
pub(crate) type FetchSender = mpsc::UnboundedSender<FetchJob>;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.func_wrap_async(import::FETCH, "fetch", |caller, (message, length, pointer, capacity)| {
        Box::new(fetch(caller, message, length, pointer, capacity))
    })?;
    Ok(())
}

async fn fetch(
    mut caller: Caller<'_, HostState>,
    message: u32,
    length: u32,
    pointer: u32,
    capacity: u32,
) -> wasmtime::Result<i64> {
    let requests = {
        let guest = open(&mut caller, "fetch")?;
        if matches!(guest.state.activity, Activity::Load) {
            return Ok(code(Code::WrongPhase));
        }
        let message = slice(guest.memory, guest.call, message, length)?;
        let limits = guest.state.bound.as_ref().map(|bound| bound.limits).unwrap_or_default();
        let fetches = usize::try_from(limits.fetches).unwrap_or(usize::MAX);
        // Before it is taken apart, which costs a multiple of it.
        let most = fetches.saturating_mul(limits.headers + FRAME).saturating_add(limits.body);
        if message.len() > most {
            return Ok(code(Code::TooLarge));
        }
        let requests = FetchRequest::decode_all(message).map_err(|_| guest.malformed())?;
        if requests.len() > MAX_REQUESTS {
            return Ok(code(Code::TooLarge));
        }
        requests
    };
    let begun: Vec<_> = requests.into_iter().map(|request| start(caller.data_mut(), request)).collect();
    let wait = waiting(&mut caller);
    let mut results = Vec::with_capacity(begun.len());
    for started in begun {
        results.push(match started {
            Ok(answer) => {
                answer.await.unwrap_or_else(|_| Err(error(Code::Unavailable, "the worker is stopping")))
            }
            Err(error) => Err(error),
        });
    }
    let answer = FetchResponse::encode_all(&results);
    wait.ended(&mut caller);
    let mut guest = open(&mut caller, "fetch")?;
    Ok(guest.give(pointer, capacity, &answer)?)
}

fn error(code: Code, message: impl Into<String>) -> FetchError {
    FetchError { code: code.number(), message: message.into() }
}

/// Hands one request to the worker, if this plugin may make it.
fn start(state: &mut HostState, request: FetchRequest) -> Result<oneshot::Receiver<FetchResult>, FetchError> {
    let (Some(bound), Some(sender)) = (state.bound.clone(), state.fetch.clone()) else {
        return Err(error(Code::WrongPhase, "there are no upstreams here"));
    };
    if !bound.may_fetch(&request.upstream) {
        let message = format!("the capability `fetch:{}` is not granted", request.upstream);
        return Err(error(Code::Denied, message));
    }
    match state.budget.fetches.checked_sub(1) {
        Some(left) => state.budget.fetches = left,
        None => {
            return Err(error(
                Code::TooLarge,
                format!("more than {} fetches in one call", bound.limits.fetches),
            ));
        }
    }
    let timeout = match request.timeout_ms {
        0 => bound.limits.fetch_timeout,
        wanted => bound.limits.fetch_timeout.min(Duration::from_millis(u64::from(wanted))),
    };
    let upstream = Arc::from(request.upstream.as_str());
    let request = build(request).ok_or_else(|| error(Code::Invalid, "no valid method, path or header"))?;
    let (reply, answer) = oneshot::channel();
    let job = FetchJob { upstream, request, timeout, max_body: bound.limits.body, reply };
    sender.send(job).map_err(|_| error(Code::Unavailable, "the worker is stopping"))?;
    Ok(answer)
}

fn build(request: FetchRequest) -> Option<http::Request<Bytes>> {
    let method = super::http_head::method(request.method.as_bytes())?;
    if !request.path.starts_with('/') {
        return None;
    }
    let mut builder = http::Request::builder().method(method).uri(request.path);
    let mut hosts = None;
    for (name, value) in &request.headers {
        let (name, value) = super::http_head::field(name, value).ok()?;
        if name == http::header::HOST && hosts.replace(()).is_some() {
            return None;
        }
        builder = builder.header(name, value);
    }
    builder.body(Bytes::from(request.body)).ok()
}
