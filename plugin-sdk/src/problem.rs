//! Problem documents (RFC 9457): what the client is told when a policy says no.

use serde::Serialize;

/// A problem document. The gateway adds the request id and the step's name.
///
/// ```
/// # use sluice_sdk::prelude::*;
/// let problem = Problem::too_many_requests("100 requests a minute are yours")
///     .header("retry-after", "17")
///     .with("limit", &100);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    headers: sluice_abi::Headers,
    // Boxed so that a helper can return it as an error without carrying it around on every path.
    document: Box<sluice_abi::Problem>,
}

impl Problem {
    /// A problem of any status, 400 to 599. `detail` is for the client: no internals.
    #[must_use]
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        let document = sluice_abi::Problem {
            status,
            kind: String::new(),
            title: String::new(),
            detail: detail.into(),
            extensions: serde_json::Map::new(),
        };
        Self { headers: Vec::new(), document: Box::new(document) }
    }

    /// 400: the request cannot be understood.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(400, detail)
    }

    /// 401: who is asking is not known. Add a `WWW-Authenticate` header.
    #[must_use]
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(401, detail)
    }

    /// 402: who is asking has to pay first.
    #[must_use]
    pub fn payment_required(detail: impl Into<String>) -> Self {
        Self::new(402, detail)
    }

    /// 403: who is asking may not.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(403, detail)
    }

    /// 404: there is no such thing.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(404, detail)
    }

    /// 405: not with this method. Add an `Allow` header.
    #[must_use]
    pub fn method_not_allowed(detail: impl Into<String>) -> Self {
        Self::new(405, detail)
    }

    /// 409: it contradicts what is.
    #[must_use]
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(409, detail)
    }

    /// 413: the body is too large.
    #[must_use]
    pub fn content_too_large(detail: impl Into<String>) -> Self {
        Self::new(413, detail)
    }

    /// 415: not in this format.
    #[must_use]
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(415, detail)
    }

    /// 422: understood, but it makes no sense.
    #[must_use]
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(422, detail)
    }

    /// 429: too many requests. Add a `Retry-After` header.
    #[must_use]
    pub fn too_many_requests(detail: impl Into<String>) -> Self {
        Self::new(429, detail)
    }

    /// 502: what is behind answered nonsense.
    #[must_use]
    pub fn bad_gateway(detail: impl Into<String>) -> Self {
        Self::new(502, detail)
    }

    /// 503: not now.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(503, detail)
    }

    /// What kind of problem it is: a URI, or a short kebab-case name.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.document.kind = kind.into();
        self
    }

    /// The kind in a few words; the status's phrase if not given.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.document.title = title.into();
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().as_bytes().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Adds a member to the document.
    ///
    /// # Panics
    /// If the value cannot be written as JSON, as a map with keys that are not strings.
    #[must_use]
    pub fn with(mut self, member: impl Into<String>, value: &(impl Serialize + ?Sized)) -> Self {
        let value = serde_json::to_value(value).expect("a member of a problem can be written as JSON");
        self.document.extensions.insert(member.into(), value);
        self
    }

    pub(crate) fn into_parts(self) -> (sluice_abi::Headers, sluice_abi::Problem) {
        (self.headers, *self.document)
    }
}
