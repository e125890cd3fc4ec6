//! One exchange between hyper and the handler.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use http::header::{CONNECTION, HOST, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;

use super::answer::{self, Answer};
use super::link::{Exchange, Link};
use super::pace::Pace;
use super::patient::PatientBody;
use super::refuse::Refusal;
use super::switch::Switched;
use super::{Abort, Handler, vet};
use crate::body::{Body, Origin, Received, Tunnel};
use crate::net::{Timer, host_of};

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
    hyper::service::service_fn(move |request: Request<Incoming>| {
        let pace = (request.version() == Version::HTTP_2).then(|| link.pace_stream());
        exchange(link.begin(), Rc::clone(&handler), request, pace)
    })
}

async fn exchange<H: Handler>(
    mut exchange: Exchange,
    handler: Rc<H>,
    mut request: Request<Incoming>,
    pace: Option<Rc<Pace>>,
) -> Result<Response<Answer>, Abort> {
    let has_place = handler.places().is_none_or(|places| exchange.take_place(places));
    let link = exchange.link();
    let (version, to_head) = (request.version(), *request.method() == Method::HEAD);
    let http2 = version == Version::HTTP_2;
    let answered: Option<Rc<Cell<bool>>> = http2.then(Rc::default);
    let refusal = match link.refusal() {
        Some(refusal) => Some(refusal),
        None => vet::vet(&mut request, &link.settings)
            .err()
            .or_else(|| too_many_fields(&request, link, http2))
            .or_else(|| misdirected(&request, link))
            .or_else(|| body_too_large(&request, link))
            .or_else(|| (!has_place).then_some(Refusal::Overloaded)),
    };
    let offer = if refusal.is_none() { offer(&request) } else { None };
    let mut response = match refusal {
        None => {
            let request = request.map(|incoming| match &offer {
                Some(tunnel) => Body::Upgrade(tunnel.clone()),
                None => receive(incoming, link, answered.as_ref()),
            });
            // Streams are tasks of their own.
            let timer = if http2 { Timer::own() } else { link.timer.clone() };
            handler.handle(request, &link.peer, timer).await?
        }
        Some(refusal) => {
            handler.refused(refusal, &link.peer);
            refusal.response()
        }
    };
    if let Some(answered) = answered {
        answered.set(true);
        link.budget.answered();
    } else {
        // Too late: the answer is there.
        drop(link.peer.take_hints());
    }
    answer::frame(&mut response, to_head);
    if response.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some((tunnel, spoken)) = offer.and_then(|tunnel| Some((tunnel.clone(), tunnel.accepted()?)))
    {
        return Ok(switch(response, exchange, tunnel, spoken));
    }
    // Who is told to come back later may do so here.
    let is_out_of_step = refusal.is_some_and(|refusal| refusal != Refusal::Overloaded);
    if !http2 && (is_out_of_step || link.is_last_answer()) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| Answer::new(body, exchange, version == Version::HTTP_10).paced(pace)))
}

/// What a request offers to speak after it, if it does so properly and has no body.
fn offer(request: &Request<Incoming>) -> Option<Tunnel> {
    let headers = request.headers();
    // An answer to HEAD ends with its head: nothing could follow a 101.
    if request.version() != Version::HTTP_11
        || *request.method() == Method::HEAD
        || !headers.contains_key(UPGRADE)
        || !request.body().is_end_stream()
    {
        return None;
    }
    let mut offers = headers.get_all(UPGRADE).iter();
    let (offered, None) = (offers.next()?, offers.next()) else { return None };
    let is_named = headers.get_all(CONNECTION).iter().any(|line| {
        let mut tokens = line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        tokens.any(|token| token.eq_ignore_ascii_case(b"upgrade"))
    });
    is_named.then(|| Tunnel::new(offered.clone()))
}

/// The head of a 101. What follows it is passed on by the connection, once hyper has sent it.
fn switch(
    response: Response<Body>,
    exchange: Exchange,
    tunnel: Tunnel,
    spoken: HeaderValue,
) -> Response<Answer> {
    let link = Rc::clone(exchange.link());
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    parts.headers.insert(UPGRADE, spoken);
    link.switch(Switched::new(tunnel, Answer::new(body, exchange, false)));
    Response::from_parts(parts, Answer::bodiless())
}

/// The body of a request; that of a stream is told when its answer begins.
fn receive(incoming: Incoming, link: &Link, answered: Option<&Rc<Cell<bool>>>) -> Body {
    if incoming.is_end_stream() {
        Body::Empty
    } else if let Some(answered) = answered {
        Body::stream(PatientBody::new(incoming, &link.settings, Rc::clone(answered)))
    } else {
        // The connection itself watches over the one body that it can be reading.
        Body::Received(Received::new(incoming, Origin::Client).at_most(link.settings.limits.body))
    }
}

/// A length that is stated is refused before a byte of it is read; one that is not, where it has become too large.
fn body_too_large(request: &Request<Incoming>, link: &Link) -> Option<Refusal> {
    let least = request.body().size_hint().lower();
    (least > link.settings.limits.body).then_some(Refusal::BodyTooLarge)
}

/// A connection is for the name that was asked for when it was made, and for those that share its certificate (RFC 9110 section 7.4).
fn misdirected(request: &Request<Incoming>, link: &Link) -> Option<Refusal> {
    let host = request.headers().get(HOST)?.to_str().unwrap_or_default();
    (!link.peer.is_for(host_of(host))).then_some(Refusal::Misdirected)
}

/// The guard has counted those of HTTP/1.
fn too_many_fields(request: &Request<Incoming>, link: &Link, http2: bool) -> Option<Refusal> {
    (http2 && request.headers().len() > link.settings.limits.headers).then_some(Refusal::HeadTooLarge)
}
