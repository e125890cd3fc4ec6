//! Performs the fetches of a worker's plugins on the worker's own connections.

use std::rc::Rc;

use http::{HeaderValue, header};
use sluice_abi::{Code, FetchError, FetchResponse};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::body::{Body, CollectError};
use crate::exchange::Gate;
use crate::net::Timer;
use crate::upstream::Upstream;
use crate::wasm::FetchJob;

/// Starts every job as it comes; a job whose plugin no longer waits ends at once.
pub(super) async fn serve(gate: Rc<Gate>, mut jobs: mpsc::UnboundedReceiver<FetchJob>) {
    while let Some(job) = jobs.recv().await {
        let upstream = gate.upstream(&job.upstream);
        tokio::task::spawn_local(async move {
            let FetchJob { request, timeout, max_body, mut reply, .. } = job;
            let result = tokio::select! {
                () = reply.closed() => return,
                result = tokio::time::timeout(timeout, perform(upstream, request, max_body)) => result,
            };
            let late = || Err(error(Code::Timeout, format!("no answer within {timeout:?}")));
            let _ = reply.send(result.unwrap_or_else(|_| late()));
        });
    }
}

fn error(code: Code, message: impl Into<String>) -> FetchError {
    FetchError { code: code.number(), message: message.into() }
}

async fn perform(
    upstream: Option<Rc<Upstream>>,
    request: http::Request<bytes::Bytes>,
    max_body: usize,
) -> Result<FetchResponse, FetchError> {
    let upstream =
        upstream.ok_or_else(|| error(Code::Unavailable, "the upstream is gone from the configuration"))?;
    let mut request = request.map(Body::from);
    if !request.headers().contains_key(header::HOST)
        && let Ok(host) = HeaderValue::from_str(&upstream.authority())
    {
        request.headers_mut().insert(header::HOST, host);
    }
    let answer = upstream.send(request, &Timer::own(), Instant::now()).await;
    let answer = answer.map_err(|failed| error(Code::Unavailable, failed.to_string()))?;
    let (parts, body) = answer.response.into_parts();
    let (body, _trailers) = body.collect_bounded(max_body).await.map_err(|failed| match failed {
        CollectError::TooLarge | CollectError::NoRoom => {
            error(Code::TooLarge, format!("the response is longer than {max_body} bytes"))
        }
        CollectError::Body(failed) => error(Code::Unavailable, failed.to_string()),
    })?;
    let headers =
        parts.headers.iter().map(|(name, value)| (name.as_str().into(), value.as_bytes().to_vec())).collect();
    Ok(FetchResponse { status: parts.status.as_u16(), headers, body: body.to_vec() })
}
