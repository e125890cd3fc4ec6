//! A client for HTTP/2 with prior knowledge.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::client::Response;
use super::wait::DEADLINE;

/// One connection. Its driver runs beside the test, so that the connection lives between requests.
pub(crate) struct H2 {
    runtime: Runtime,
    sender: h2::client::SendRequest<Bytes>,
    authority: String,
}

impl H2 {
    #[track_caller]
    pub(crate) fn open(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let sender = runtime.block_on(async {
            let stream = TcpStream::connect(address).await.expect("the gateway accepts");
            let (sender, connection) =
                h2::client::handshake(stream).await.expect("the gateway speaks HTTP/2");
            tokio::spawn(connection);
            sender
        });
        Self { runtime, sender, authority: address.to_string() }
    }

    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Response {
        self.request("GET", path, &[], b"")
    }

    #[track_caller]
    pub(crate) fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        self.try_request(method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path} got no response: {error}"))
    }

    pub(crate) fn try_request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Response> {
        let exchange = exchange(
            self.sender.clone(),
            self.build(method, path, headers)?,
            Bytes::copy_from_slice(body),
            None,
        );
        self.runtime.block_on(limited(exchange))
    }

    /// A request whose body is followed by trailers.
    #[track_caller]
    pub(crate) fn request_with_trailers(
        &mut self,
        path: &str,
        body: &[u8],
        trailers: &[(&str, &str)],
    ) -> Response {
        let request = self.build("POST", path, &[("te", "trailers")]).expect("a valid request");
        let trailers = fields(trailers).expect("valid trailers");
        let exchange = exchange(self.sender.clone(), request, Bytes::copy_from_slice(body), Some(trailers));
        self.runtime.block_on(limited(exchange)).expect("a response")
    }

    /// So many requests at once, each on a stream of its own.
    #[track_caller]
    pub(crate) fn together(&mut self, count: usize, path: &str) -> Vec<Response> {
        self.try_together(count, path).into_iter().map(|answer| answer.expect("a response")).collect()
    }

    /// The same with headers.
    #[track_caller]
    pub(crate) fn together_with(
        &mut self,
        count: usize,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Vec<Response> {
        let answers = self.try_together_with(count, path, headers).into_iter();
        answers.map(|answer| answer.expect("a response")).collect()
    }

    pub(crate) fn try_together(&mut self, count: usize, path: &str) -> Vec<io::Result<Response>> {
        self.try_together_with(count, path, &[])
    }

    fn try_together_with(
        &mut self,
        count: usize,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Vec<io::Result<Response>> {
        let requests: Vec<_> =
            (0..count).map(|_| self.build("GET", path, headers).expect("a valid request")).collect();
        let sender = self.sender.clone();
        self.runtime.block_on(async {
            let tasks: Vec<_> = requests
                .into_iter()
                .map(|request| tokio::spawn(limited(exchange(sender.clone(), request, Bytes::new(), None))))
                .collect();
            let mut answers = Vec::new();
            for task in tasks {
                answers.push(task.await.expect("the task does not panic"));
            }
            answers
        })
    }

    fn build(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> io::Result<Request<()>> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.authority));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).map_err(io::Error::other)
    }
}

fn fields(pairs: &[(&str, &str)]) -> io::Result<HeaderMap> {
    pairs
        .iter()
        .map(|(name, value)| {
            let name = http::HeaderName::try_from(*name).map_err(io::Error::other)?;
            Ok((name, http::HeaderValue::try_from(*value).map_err(io::Error::other)?))
        })
        .collect()
}

async fn limited(exchange: impl Future<Output = io::Result<Response>>) -> io::Result<Response> {
    tokio::time::timeout(DEADLINE, exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn exchange(
    sender: h2::client::SendRequest<Bytes>,
    request: Request<()>,
    body: Bytes,
    trailers: Option<HeaderMap>,
) -> io::Result<Response> {
    let mut sender = sender.ready().await.map_err(io::Error::other)?;
    let ends_here = body.is_empty() && trailers.is_none();
    let (answer, mut stream) = sender.send_request(request, ends_here).map_err(io::Error::other)?;
    // An early answer may have ended the stream by now; what went wrong otherwise is seen where the answer is read.
    if !ends_here {
        let _ = stream.send_data(body, trailers.is_none());
    }
    if let Some(trailers) = trailers {
        let _ = stream.send_trailers(trailers);
    }
    let (head, mut incoming) = answer.await.map_err(io::Error::other)?.into_parts();
    let mut response =
        Response { status: head.status.as_u16(), headers: owned(&head.headers), ..Response::default() };
    while let Some(data) = incoming.data().await {
        let data = data.map_err(io::Error::other)?;
        incoming.flow_control().release_capacity(data.len()).map_err(io::Error::other)?;
        response.body.extend_from_slice(&data);
    }
    if let Some(trailers) = incoming.trailers().await.map_err(io::Error::other)? {
        response.trailers = owned(&trailers);
    }
    Ok(response)
}

fn owned(fields: &HeaderMap) -> Vec<(String, String)> {
    fields
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}

impl Drop for H2 {
    fn drop(&mut self) {
        // A runtime must not wait for its tasks while the connection's driver waits for the gateway.
        let runtime = std::mem::replace(
            &mut self.runtime,
            tokio::runtime::Builder::new_current_thread().build().expect("a runtime"),
        );
        runtime.shutdown_timeout(Duration::from_millis(100));
    }
}
