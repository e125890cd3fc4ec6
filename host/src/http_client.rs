//! One request to somebody else, for the control side: key sets and, in general, what is not proxied. A connection each,
//! no redirects, no proxy; everything that comes back is bounded.

mod io;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, HOST, USER_AGENT};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri, Version};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::tls::{Connector, TlsError};
use io::Io;

/// The longest head of an answer.
const MAX_HEAD: usize = 64 << 10;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("sluice/", env!("CARGO_PKG_VERSION")));

/// How long an exchange may take in all, and how many bytes its answer may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) time: Duration,
    pub(crate) body: usize,
}

/// What of an answer counts.
#[derive(Clone, Copy)]
enum Wanted {
    Body,
    /// Whether it is a success; all of it has to be there by then.
    Success {
        by: Instant,
    },
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("`{0}` is no http or https URL with a host and no user")]
    Url(Uri),
    #[error("cannot connect to {0}: {1}")]
    Connect(Authority, #[source] std::io::Error),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the exchange failed: {}", causes(.0))]
    Http(#[from] hyper::Error),
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
    #[error("the answer has a content coding that was not asked for")]
    Encoded,
    #[error("no answer within {0:?}")]
    Late(Duration),
}

/// hyper says what it was doing; what went wrong is further down.
fn causes(error: &hyper::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Sends requests. Costs nothing until it does.
pub(crate) struct HttpClient {
    tls: Connector,
}

impl HttpClient {
    /// Trusts whom the system trusts, and the authorities of `ca`, in PEM.
    pub(crate) fn new(ca: Option<&[u8]>) -> Result<Self, TlsError> {
        Ok(Self { tls: Connector::new(ca)? })
    }

    /// Sends a request to an absolute URL and reads the whole answer. `Host` and what belongs to the connection is added.
    pub(crate) async fn send(
        &self,
        request: Request<Bytes>,
        bounds: Bounds,
    ) -> Result<Response<Bytes>, HttpError> {
        self.send_for(request, bounds, Wanted::Body).await
    }

    /// Like [`send`](Self::send), but of an answer that is a success only the head counts: its body is let pass, and is empty.
    pub(crate) async fn deliver(
        &self,
        request: Request<Bytes>,
        bounds: Bounds,
    ) -> Result<Response<Bytes>, HttpError> {
        self.send_for(request, bounds, Wanted::Success { by: Instant::now() + bounds.time }).await
    }

    async fn send_for(
        &self,
        request: Request<Bytes>,
        bounds: Bounds,
        wanted: Wanted,
    ) -> Result<Response<Bytes>, HttpError> {
        let exchange = self.exchange(request, bounds, wanted);
        match tokio::time::timeout(bounds.time, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::Late(bounds.time)),
        }
    }

    async fn exchange(
        &self,
        request: Request<Bytes>,
        bounds: Bounds,
        wanted: Wanted,
    ) -> Result<Response<Bytes>, HttpError> {
        let uri = request.uri();
        let Some((authority, secure)) = target(uri) else { return Err(HttpError::Url(uri.clone())) };
        let default = if secure { 443 } else { 80 };
        // An IPv6 address stands in brackets in a URL, and nowhere else.
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(default))).await;
        let stream = stream.map_err(|error| HttpError::Connect(authority.clone(), error))?;
        let _ = stream.set_nodelay(true);
        let request = prepare(&authority, request);
        if secure {
            let stream = self.tls.connect(host, stream, bounds.time).await?;
            exchange(stream, request, bounds.body, wanted).await
        } else {
            exchange(stream, request, bounds.body, wanted).await
        }
    }
}

/// Whether requests can be sent there.
pub(crate) fn is_target(uri: &Uri) -> bool {
    target(uri).is_some()
}

/// To whom, and whether over TLS.
fn target(uri: &Uri) -> Option<(Authority, bool)> {
    let secure = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) if *scheme == Scheme::HTTP => false,
        _ => return None,
    };
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    (!authority.host().is_empty()).then(|| (authority.clone(), secure))
}

/// The request in origin form (RFC 9112 section 3.2.1), as the only one of its connection.
fn prepare(authority: &Authority, request: Request<Bytes>) -> Request<Full<Bytes>> {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = path.parse().unwrap_or_default();
    head.version = Version::HTTP_11;
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        head.headers.insert(HOST, host);
    }
    head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    head.headers.entry(USER_AGENT).or_insert(AGENT);
    head.headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
    Request::from_parts(head, Full::new(body))
}

async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    max_body: usize,
    wanted: Wanted,
) -> Result<Response<Bytes>, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(MAX_HEAD).handshake(Io::new(stream)).await?;
    let mut answer = pin!(async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        if let Wanted::Success { by } = wanted
            && head.status.is_success()
        {
            // Servers log clients that go in the middle of an answer, so it has half of the time that is left.
            let polite = by.saturating_duration_since(Instant::now()) / 2;
            let _ = tokio::time::timeout(polite, collect(body, max_body)).await;
            return Ok(Response::from_parts(head, Bytes::new()));
        }
        if head.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Err(HttpError::Encoded);
        }
        Ok(Response::from_parts(head, collect(body, max_body).await?))
    });
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // The connection can be over while its last bytes have not been looked at.
        _ = connection => answer.await,
    }
}

async fn collect(mut body: Incoming, most: usize) -> Result<Bytes, HttpError> {
    let lower = body.size_hint().lower();
    if lower > most as u64 {
        return Err(HttpError::TooLarge(most));
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if data.len() > most - whole.len() {
            return Err(HttpError::TooLarge(most));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
