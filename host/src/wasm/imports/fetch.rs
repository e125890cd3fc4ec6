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

use super::guest::{code, open, slice};
use crate::wasm::limits::thread_cpu_time;
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
        FetchRequest::decode_all(message).map_err(|_| guest.malformed())?
    };
    let waiting: Vec<_> = requests.into_iter().map(|request| start(caller.data_mut(), request)).collect();
    caller.data_mut().deadline.suspend(thread_cpu_time);
    let mut results = Vec::with_capacity(waiting.len());
    for started in waiting {
        results.push(match started {
            Ok(answer) => {
                answer.await.unwrap_or_else(|_| Err(error(Code::Unavailable, "the worker is stopping")))
            }
            Err(error) => Err(error),
        });
    }
    let answer = FetchResponse::encode_all(&results);
    // The next look at the clock counts from here, not from before the wait.
    wasmtime::AsContextMut::as_context_mut(&mut caller).set_epoch_deadline(1);
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
    if !request.path.starts_with('/') {
        return None;
    }
    let mut builder = http::Request::builder().method(request.method.as_bytes()).uri(request.path);
    for (name, value) in &request.headers {
        let name = http::HeaderName::from_bytes(name).ok()?;
        if super::http_head::is_reserved(&name) {
            return None;
        }
        builder = builder.header(name, http::HeaderValue::from_bytes(value).ok()?);
    }
    builder.body(Bytes::from(request.body)).ok()
}
