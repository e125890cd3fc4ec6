//! One exchange between hyper and the handler.

use std::future::Future;
use std::rc::Rc;

use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;

use super::answer::{self, Answer};
use super::link::{Exchange, Link};
use super::patient::PatientBody;
use super::refuse::Refusal;
use super::{Abort, Handler, vet};
use crate::body::{Body, Origin, Received};
use crate::net::Timer;

/// What hyper calls for every request of a connection.
pub(super) fn serve_with<H: Handler>(
    link: &Rc<Link>,
    handler: &Rc<H>,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<Answer>,
    Error = Abort,
    Future = impl Future<Output = Result<Response<Answer>, Abort>> + use<H>,
> + use<H> {
    let (link, handler) = (Rc::clone(link), Rc::clone(handler));
    // The exchange begins here and not at the first poll, so that the connection is never idle in between.
    hyper::service::service_fn(move |request| exchange(link.begin(), Rc::clone(&handler), request))
}

async fn exchange<H: Handler>(
    exchange: Exchange,
    handler: Rc<H>,
    mut request: Request<Incoming>,
) -> Result<Response<Answer>, Abort> {
    let link = exchange.link();
    let (version, to_head) = (request.version(), *request.method() == Method::HEAD);
    let http2 = version == Version::HTTP_2;
    let refusal = match link.refusal() {
        Some(refusal) => Some(refusal),
        None => vet::vet(&mut request).err().or_else(|| too_many_fields(&request, link, http2)),
    };
    let mut response = match refusal {
        None => {
            let request = request.map(|incoming| receive(incoming, link, http2));
            // Streams are tasks of their own.
            let timer = if http2 { Timer::own() } else { link.timer.clone() };
            handler.handle(request, &link.peer, timer).await?
        }
        Some(refusal) => {
            handler.refused(refusal, &link.peer);
            refusal.response()
        }
    };
    answer::frame(&mut response, to_head);
    if !http2 && (refusal.is_some() || link.is_last_answer()) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| Answer::new(body, exchange, version == Version::HTTP_10)))
}

fn receive(incoming: Incoming, link: &Link, http2: bool) -> Body {
    if incoming.is_end_stream() {
        Body::Empty
    } else if http2 {
        Body::stream(PatientBody::new(incoming, link.settings.timeouts.body))
    } else {
        // The connection itself watches over the one body that it can be reading.
        Body::Received(Received::new(incoming, Origin::Client))
    }
}

/// The guard has counted those of HTTP/1.
fn too_many_fields(request: &Request<Incoming>, link: &Link, http2: bool) -> Option<Refusal> {
    (http2 && request.headers().len() > link.settings.limits.headers).then_some(Refusal::HeadTooLarge)
}
