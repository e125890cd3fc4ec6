//! Requests of the plugin's own, through a configured upstream. Capability `fetch:<upstream>`.
//!
//! The call reads as if it blocked; the host suspends the plugin and serves others meanwhile.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_abi::{FetchRequest, FetchResponse};

use crate::host::{self, raw};
use crate::{Code, Error, ErrorContext, HeaderValue, Method, Result};

/// A request to send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Fetch {
    request: FetchRequest,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    response: FetchResponse,
}

impl Fetch {
    /// A request to a granted upstream; `path` may have a query.
    pub fn new(method: &Method, upstream: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            request: FetchRequest {
                upstream: upstream.into(),
                method: method.as_str().to_owned(),
                path: path.into(),
                headers: Vec::new(),
                body: Vec::new(),
                timeout_ms: 0,
            },
        }
    }

    /// A `GET`.
    pub fn get(upstream: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new(&Method::Get, upstream, path)
    }

    /// A `POST`.
    pub fn post(upstream: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new(&Method::Post, upstream, path)
    }

    /// Adds a header.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        self.request.headers.push((name.as_ref().as_bytes().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Gives it a body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.request.body = body.into();
        self
    }

    /// Gives it a value as JSON.
    pub fn json(self, value: &impl Serialize) -> Result<Self> {
        Ok(self.header("content-type", "application/json").body(serde_json::to_vec(value)?))
    }

    /// How long to wait; the plugin's `fetch_timeout` caps it.
    pub fn timeout(mut self, timeout: impl Into<Duration>) -> Self {
        self.request.timeout_ms = u32::try_from(timeout.into().as_millis()).unwrap_or(u32::MAX).max(1);
        self
    }
}

impl Fetched {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.response.status)
    }

    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: impl AsRef<str>) -> Option<HeaderValue> {
        let name = name.as_ref().as_bytes();
        let found = self.response.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| HeaderValue::trusted(value.clone()))
    }

    /// Every header, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.response.headers.iter().map(|(name, value)| (&name[..], &value[..]))
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.response.body
    }

    /// The body, without a copy.
    #[must_use]
    pub fn into_body(self) -> Vec<u8> {
        self.response.body
    }

    /// A value read from the body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.response.body).context("reading a fetched body as JSON")
    }
}

/// Sends a request and waits for the whole answer.
pub fn fetch(request: Fetch) -> Result<Fetched> {
    fetch_all([request])?.pop().unwrap_or_else(|| Err(Error::new("fetch: no answer")))
}

/// Sends requests side by side and waits for all answers, which come in the order of the requests.
pub fn fetch_all(requests: impl IntoIterator<Item = Fetch>) -> Result<Vec<Result<Fetched>>> {
    let requests: Vec<_> = requests.into_iter().map(|fetch| fetch.request).collect();
    let message = FetchRequest::encode_all(&requests);
    let answers = host::look(|out| raw::fetch(&message, out), FetchResponse::decode_all);
    let answers = answers.map_err(|code| Error::from_host("fetch", code))??;
    if answers.len() != requests.len() {
        return Err(Error::new("fetch: an answer is missing"));
    }
    let answers = answers.into_iter().map(|answer| match answer {
        Ok(response) => Ok(Fetched { response }),
        Err(error) => {
            Err(Error::with_code(format!("fetch: {}", error.message), Code::from_number(error.code)))
        }
    });
    Ok(answers.collect())
}
