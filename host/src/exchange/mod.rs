//! The life of a request: route, chain, upstream, chain, answer. One screen; the rest of the folder serves it.

mod completions;
mod context;
mod elements;
mod failure;
mod finish;
mod forwarded;
mod hop;
mod peer;
pub(crate) mod request_id;
mod respond;
mod settling;
mod usage;

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use http::{Request, Response};

pub(crate) use context::{Context, Gate};
pub(crate) use forwarded::is_trusted;
#[cfg(test)]
pub(crate) use forwarded::{prepare_request, prepare_response};
pub(crate) use peer::Peer;

use crate::body::Body;
use crate::chain::{Show, Verdict};
use crate::net::Timer;
use failure::Failure;

/// Serves one exchange. There is always an answer: what fails becomes a problem document.
pub(crate) async fn serve(
    gate: &Gate,
    peer: &Rc<Peer>,
    timer: Timer,
    mut request: Request<Body>,
) -> Response<Body> {
    // If the client leaves, this future is dropped: the exchange is then counted as it stands.
    let mut exchange = finish::Unanswered::new(Context::begin(gate, peer, timer, &mut request));
    let ctx = exchange.context();
    let (deadline, timer) = (ctx.deadline, ctx.timer.clone());
    let answered = {
        let mut living = pin!(live(ctx, request));
        poll_fn(|cx| match living.as_mut().poll(cx) {
            Poll::Ready(answered) => Poll::Ready(answered),
            Poll::Pending => timer.poll(cx, deadline).map(|()| Err(Failure::Deadline)),
        })
        .await
    };
    let response = match answered {
        Ok(response) => response,
        Err(failure) => {
            // What steps made of a response that nobody gets does not count.
            if let Some(tab) = &ctx.tab {
                tab.forget();
            }
            respond::to(ctx, failure)
        }
    };
    exchange.answer(response).await
}

async fn live(ctx: &mut Context, mut request: Request<Body>) -> Result<Response<Body>, Failure> {
    // Before anything else, and from the one snapshot that this exchange holds to its end.
    let route = ctx.route(&request)?;
    ctx.weigh_offer(&route, &mut request);
    // Steps see the request as it came, and may answer in the upstream's place; such an answer still
    // passes the response phase of the steps it had reached.
    let answered = match ctx.on_request(&route, request).await {
        Ok(Verdict::Continue(request)) => ctx.send(&route, request).await,
        Ok(Verdict::Respond(response)) => Ok(response),
        Err(failure) => Err(failure),
    };
    let passed = match answered {
        Ok(response) => ctx.on_response(&route, response, Show::Whole).await,
        Err(failure) => Err(failure),
    };
    match passed {
        Ok(response) => Ok(response),
        // So does the head of the answer to a failure: what steps add for the client, such as CORS headers, it needs most then.
        Err(failure) => {
            let response = respond::to(ctx, failure);
            ctx.on_response(&route, response, Show::Head).await
        }
    }
}
