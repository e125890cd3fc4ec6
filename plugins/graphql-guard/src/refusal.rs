//! Why a request is refused, for the client and for the log.

use serde_json::{Value, json};
use sluice_sdk::prelude::*;
use sluice_sdk_graphql::position;

/// The media type of responses in GraphQL over HTTP.
const GRAPHQL: &str = "application/graphql-response+json";

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
        let reads_graphql = accept.split(',').any(is_graphql);
        match self.0.unknown_hash {
            Some(array) => send_the_text(array, reads_graphql),
            None if reads_graphql => self.response(),
            None => self.problem().into(),
        }
    }

    /// A problem document that is an answer of GraphQL as well: it has `errors`.
    fn problem(self) -> Problem {
        let error = self.error();
        let parts = *self.0;
        let mut problem = Problem::new(parts.status, parts.detail)
            .kind(parts.kind)
            .header("vary", "accept")
            .with("errors", &Value::Array(vec![error]));
        if let Some(limit) = parts.limit {
            problem = problem.with("limit", &limit);
        }
        match parts.header {
            Some((name, value)) => problem.header(name, value),
            None => problem,
        }
    }

    /// The same as a response of GraphQL, which has `errors` and nothing beside it: libraries look at nothing of another type.
    fn response(self) -> Reply {
        let mut error = self.error();
        if let Some(limit) = self.0.limit {
            error["extensions"]["limit"] = limit.into();
        }
        let reply = Reply::new(self.0.status)
            .header("content-type", format!("{GRAPHQL}; charset=utf-8"))
            .header("vary", "accept")
            .body(json!({ "errors": [error] }).to_string());
        match self.0.header {
            Some((name, value)) => reply.header(name, value),
            None => reply,
        }
    }

    /// As GraphQL has it.
    fn error(&self) -> Value {
        let Parts { kind, code, detail, location, .. } = &*self.0;
        let code = code.map_or_else(|| kind.replace('-', "_").to_uppercase(), str::to_owned);
        let mut error = json!({ "message": detail, "extensions": { "code": code } });
        if let Some((line, column)) = location {
            error["locations"] = json!([{ "line": line, "column": column }]);
        }
        error
    }
}

/// Apollo's clients read this with a successful status and a media type of GraphQL, and some read nothing else.
fn send_the_text(array: Option<usize>, reads_graphql: bool) -> Reply {
    let error = r#"{"errors":[{"message":"PersistedQueryNotFound","extensions":{"code":"PERSISTED_QUERY_NOT_FOUND"}}]}"#;
    let body = array.map_or_else(|| error.to_owned(), |count| format!("[{}]", vec![error; count].join(",")));
    let content_type = if reads_graphql && array.is_none() { GRAPHQL } else { "application/json" };
    Reply::new(200).header("content-type", content_type).header("cache-control", "no-store").body(body)
}

/// GraphQL's type for responses, and not with the weight that means never.
fn is_graphql(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim_ascii);
    let is_it = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case(GRAPHQL));
    let weight = |part: &str| part.strip_prefix("q=").or(part.strip_prefix("Q="))?.parse().ok();
    is_it && !parts.filter_map(weight).any(|weight: f32| weight == 0.0)
}
