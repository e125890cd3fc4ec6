//! Why a request is refused, for the client and for the log.

use serde_json::{Value, json};
use sluice_sdk::prelude::*;
use sluice_sdk_graphql::position;

/// Why a request is refused. Boxed so that it can be returned as an error without being carried around on every path.
#[derive(Debug)]
pub(crate) struct Refusal(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: u16,
    kind: &'static str,
    /// As GraphQL clients know it, if they do.
    code: Option<&'static str>,
    detail: String,
    /// Line and column in the document.
    location: Option<(usize, usize)>,
    limit: Option<u64>,
    header: Option<(&'static str, &'static str)>,
    /// What clients of automatic persisted queries wait for: the operations of the request, `None` if they came without an array.
    unknown_hash: Option<Option<usize>>,
}

impl Refusal {
    pub(crate) fn new(status: u16, kind: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self(Box::new(Parts {
            status,
            kind,
            code: None,
            detail,
            location: None,
            limit: None,
            header: None,
            unknown_hash: None,
        }))
    }

    /// The request is not one of GraphQL.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(400, "graphql-request-malformed", detail)
    }

    /// Nothing has the hash of an automatic persisted query: the client is to send the text.
    pub(crate) fn unknown_hash() -> Self {
        let mut refusal = Self::new(200, "graphql-document-unknown", "PersistedQueryNotFound");
        refusal.0.unknown_hash = Some(None);
        refusal.code("PERSISTED_QUERY_NOT_FOUND")
    }

    /// The document contradicts itself.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(400, "graphql-invalid", detail).code("GRAPHQL_VALIDATION_FAILED")
    }

    /// There is more of something than the operator allows.
    pub(crate) fn over(kind: &'static str, what: &str, limit: u64) -> Self {
        let mut refusal = Self::new(400, kind, format!("{what}: at most {limit} are allowed"));
        refusal.0.limit = Some(limit);
        refusal
    }

    /// The request is too large to be looked at.
    pub(crate) fn too_large(what: &str, limit: usize) -> Self {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let mut refusal = Self::over("graphql-too-large", what, limit);
        refusal.0.status = 413;
        refusal
    }

    pub(crate) fn code(mut self, code: &'static str) -> Self {
        self.0.code = Some(code);
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.0.header = Some((name, value));
        self
    }

    /// Where in a document, in bytes.
    pub(crate) fn at(mut self, document: &str, at: usize) -> Self {
        self.0.location = Some(position(document, at));
        self
    }

    /// Which of several operations.
    pub(crate) fn of(mut self, index: usize) -> Self {
        self.0.detail = format!("operation {index} of the request: {}", self.0.detail);
        self
    }

    /// The request came in an array of so many operations.
    pub(crate) fn of_array(mut self, operations: usize) -> Self {
        if let Some(array) = &mut self.0.unknown_hash {
            *array = Some(operations);
        }
        self
    }

    /// A line of the log.
    pub(crate) fn line(&self) -> String {
        format!("{}: {}", self.0.kind, self.0.detail).escape_debug().to_string()
    }

    /// What is answered to a client that accepts this.
    pub(crate) fn reply(self, accept: &str) -> Reply {
        match self.0.unknown_hash {
            Some(array) => send_the_text(array, accept),
            None => self.problem().into(),
        }
    }

    /// A problem document that is an answer of GraphQL as well: it has `errors`.
    fn problem(self) -> Problem {
        let parts = *self.0;
        let code = parts.code.map_or_else(|| parts.kind.replace('-', "_").to_uppercase(), str::to_owned);
        let mut error = json!({ "message": parts.detail, "extensions": { "code": code } });
        if let Some((line, column)) = parts.location {
            error["locations"] = json!([{ "line": line, "column": column }]);
        }
        let mut problem = Problem::new(parts.status, parts.detail)
            .kind(parts.kind)
            .with("errors", &Value::Array(vec![error]));
        if let Some(limit) = parts.limit {
            problem = problem.with("limit", &limit);
        }
        match parts.header {
            Some((name, value)) => problem.header(name, value),
            None => problem,
        }
    }
}

/// Apollo's clients read this with a successful status and a media type of GraphQL, and some read nothing else.
fn send_the_text(array: Option<usize>, accept: &str) -> Reply {
    const RESPONSE: &str = "application/graphql-response+json";
    let error = r#"{"errors":[{"message":"PersistedQueryNotFound","extensions":{"code":"PERSISTED_QUERY_NOT_FOUND"}}]}"#;
    let body = array.map_or_else(|| error.to_owned(), |count| format!("[{}]", vec![error; count].join(",")));
    let is_accepted = accept.to_ascii_lowercase().split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim_ascii);
        let is_type = parts.next() == Some(RESPONSE);
        is_type && !parts.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    });
    let content_type = if is_accepted && array.is_none() { RESPONSE } else { "application/json" };
    Reply::new(200).header("content-type", content_type).header("cache-control", "no-store").body(body)
}
