//! Requests, responses and answers, as a test writes and reads them.

use serde_json::Value;
use sluice_abi::Origin;
use sluice_abi::harness::{Answered, Bytes, CannedAnswer, HeaderList, RequestHead, ResponseHead};

/// A request that a test sends, or that the plugin has let through.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub(crate) head: RequestHead,
    pub(crate) body: Vec<Bytes>,
    pub(crate) trailers: HeaderList,
    pub(crate) scheme: String,
    pub(crate) protocol: String,
    pub(crate) authority: String,
    pub(crate) client: String,
    pub(crate) request_id: String,
    pub(crate) route: String,
    pub(crate) path_params: Vec<(String, String)>,
    pub(crate) certificate: Option<Bytes>,
    pub(crate) consumer: Option<String>,
    pub(crate) values: HeaderList,
}

/// A response of the upstream, or as the client gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    pub(crate) head: ResponseHead,
    pub(crate) body: Vec<Bytes>,
    pub(crate) trailers: HeaderList,
    pub(crate) origin: Origin,
    pub(crate) is_cut_off: bool,
}

/// What the plugin answered in place of the upstream.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer(pub(crate) Answered);

fn find<'a>(headers: &'a HeaderList, name: &str) -> Option<&'a str> {
    find_all(headers, name).into_iter().next()
}

fn find_all<'a>(headers: &'a HeaderList, name: &str) -> Vec<&'a str> {
    let matching = headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    matching.map(|(_, value)| std::str::from_utf8(value.as_slice()).unwrap_or("(not UTF-8)")).collect()
}

impl Request {
    /// A request of any method. `target` is the path, with the query if there is one.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        Self {
            head: RequestHead {
                method: method.to_owned(),
                path: path.to_owned(),
                query: query.map(str::to_owned),
                headers: vec![("host".to_owned(), Bytes::from("api.example"))],
            },
            body: Vec::new(),
            trailers: HeaderList::new(),
            scheme: "http".to_owned(),
            protocol: "HTTP/1.1".to_owned(),
            authority: "api.example".to_owned(),
            client: "192.0.2.1".to_owned(),
            request_id: "00000000000000000000000000000001".to_owned(),
            route: "test".to_owned(),
            path_params: Vec::new(),
            certificate: None,
            consumer: None,
            values: HeaderList::new(),
        }
    }

    /// A `GET`.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A `POST`.
    #[must_use]
    pub fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.head.headers.push((name.to_ascii_lowercase(), Bytes::from(&value)));
        self
    }

    /// Gives it a body.
    #[must_use]
    pub fn with_body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = vec![Bytes::from(&body)];
        self
    }

    /// Gives it a body that arrives in pieces.
    #[must_use]
    pub fn with_chunks<C: AsRef<[u8]>>(mut self, chunks: impl IntoIterator<Item = C>) -> Self {
        self.body = chunks.into_iter().map(|chunk| Bytes::from(&chunk)).collect();
        self
    }

    /// Gives it a JSON body and its `Content-Type`.
    #[must_use]
    pub fn with_json(self, body: &Value) -> Self {
        self.with_header("content-type", "application/json").with_body(body.to_string())
    }

    /// Adds a trailer, after its body.
    #[must_use]
    pub fn with_trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.trailers.push((name.to_ascii_lowercase(), Bytes::from(&value)));
        self
    }

    /// Comes in this protocol, such as `HTTP/2`.
    #[must_use]
    pub fn protocol(mut self, protocol: &str) -> Self {
        self.protocol = protocol.to_owned();
        self
    }

    /// Asks for this authority.
    #[must_use]
    pub fn host(mut self, authority: &str) -> Self {
        self.authority = authority.to_owned();
        self.head.headers.retain(|(name, _)| name != "host");
        self.head.headers.insert(0, ("host".to_owned(), Bytes::from(authority)));
        self
    }

    /// Comes over TLS.
    #[must_use]
    pub fn https(mut self) -> Self {
        self.scheme = "https".to_owned();
        self
    }

    /// Comes from this address.
    #[must_use]
    pub fn client(mut self, address: &str) -> Self {
        self.client = address.to_owned();
        self
    }

    /// Has this id.
    #[must_use]
    pub fn request_id(mut self, id: &str) -> Self {
        self.request_id = id.to_owned();
        self
    }

    /// Has matched a route whose path names a segment, such as `/orders/{id}`, with this value.
    #[must_use]
    pub fn path_param(mut self, name: &str, value: &str) -> Self {
        self.path_params.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Has matched this route.
    #[must_use]
    pub fn route(mut self, name: &str) -> Self {
        self.route = name.to_owned();
        self
    }

    /// Comes over TLS with this certificate, in DER.
    #[must_use]
    pub fn certificate(mut self, der: impl AsRef<[u8]>) -> Self {
        self.certificate = Some(Bytes::from(&der));
        self.https()
    }

    /// An earlier step has found this consumer of the world.
    #[must_use]
    pub fn consumer(mut self, name: &str) -> Self {
        self.consumer = Some(name.to_owned());
        self
    }

    /// An earlier step has left this value for the exchange.
    #[must_use]
    pub fn value(mut self, key: &str, value: &Value) -> Self {
        self.values.push((key.to_owned(), Bytes::from(&value.to_string())));
        self
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.head.method
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.head.path
    }

    /// The query without its `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.head.query.as_deref()
    }

    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.head.headers, name)
    }

    /// Every value of a header.
    #[must_use]
    pub fn header_all(&self, name: &str) -> Vec<&str> {
        find_all(&self.head.headers, name)
    }

    /// The whole body.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        whole(&self.body)
    }

    /// The body in the pieces in which it passes.
    #[must_use]
    pub fn chunks(&self) -> Vec<&[u8]> {
        self.body.iter().map(Bytes::as_slice).collect()
    }

    /// The first value of a trailer.
    #[must_use]
    pub fn trailer(&self, name: &str) -> Option<&str> {
        find(&self.trailers, name)
    }

    /// The whole body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body()).into_owned()
    }
}

impl Response {
    /// A response without headers or body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        let head = ResponseHead { status, headers: HeaderList::new() };
        let (body, trailers) = (Vec::new(), HeaderList::new());
        Self { head, body, trailers, origin: Origin::Upstream, is_cut_off: false }
    }

    /// Makes it the answer of a step, this one or a later one.
    #[must_use]
    pub fn of_step(self) -> Self {
        Self { origin: Origin::Step, ..self }
    }

    /// Breaks off after its last piece: a plugin that sees it in chunks never sees its end.
    #[must_use]
    pub fn cut_off(self) -> Self {
        Self { is_cut_off: true, ..self }
    }

    /// Makes it the gateway's own answer, because something failed.
    #[must_use]
    pub fn of_gateway(self) -> Self {
        Self { origin: Origin::Gateway, ..self }
    }

    /// Whether it breaks off instead of coming to its end: the upstream's does, or a chunk phase failed.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.head.headers.push((name.to_ascii_lowercase(), Bytes::from(&value)));
        self
    }

    /// Gives it a body.
    #[must_use]
    pub fn with_body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = vec![Bytes::from(&body)];
        self
    }

    /// Gives it a body that arrives in pieces.
    #[must_use]
    pub fn with_chunks<C: AsRef<[u8]>>(mut self, chunks: impl IntoIterator<Item = C>) -> Self {
        self.body = chunks.into_iter().map(|chunk| Bytes::from(&chunk)).collect();
        self
    }

    /// Gives it a JSON body and its `Content-Type`.
    #[must_use]
    pub fn with_json(self, body: &Value) -> Self {
        self.with_header("content-type", "application/json").with_body(body.to_string())
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.head.headers, name)
    }

    /// Every value of a header.
    #[must_use]
    pub fn header_all(&self, name: &str) -> Vec<&str> {
        find_all(&self.head.headers, name)
    }

    /// The whole body.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        whole(&self.body)
    }

    /// The whole body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body()).into_owned()
    }

    /// The body in the pieces in which it passes.
    #[must_use]
    pub fn chunks(&self) -> Vec<&[u8]> {
        self.body.iter().map(Bytes::as_slice).collect()
    }

    /// Adds a trailer, after its body.
    #[must_use]
    pub fn with_trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.trailers.push((name.to_ascii_lowercase(), Bytes::from(&value)));
        self
    }

    /// The first value of a trailer.
    #[must_use]
    pub fn trailer(&self, name: &str) -> Option<&str> {
        find(&self.trailers, name)
    }

    /// Every value of a trailer.
    #[must_use]
    pub fn trailer_all(&self, name: &str) -> Vec<&str> {
        find_all(&self.trailers, name)
    }

    pub(crate) fn canned(self) -> CannedAnswer {
        let body = Bytes(self.body());
        CannedAnswer::Response { status: self.head.status, headers: self.head.headers, body }
    }
}

impl Answer {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// The first value of a header that the plugin gave.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.0.headers, name)
    }

    /// Every value of a header that the plugin gave.
    #[must_use]
    pub fn header_all(&self, name: &str) -> Vec<&str> {
        find_all(&self.0.headers, name)
    }

    /// The body as text. A problem document has none yet: see [`problem`](Self::problem).
    #[must_use]
    pub fn text(&self) -> String {
        self.0.body.to_text()
    }

    /// The problem document as the plugin gave it; `null` if the answer is none.
    #[must_use]
    pub fn problem(&self) -> Value {
        self.0.problem.as_ref().and_then(|problem| serde_json::to_value(problem).ok()).unwrap_or_default()
    }
}

fn whole(chunks: &[Bytes]) -> Vec<u8> {
    chunks.iter().flat_map(|chunk| chunk.as_slice()).copied().collect()
}
