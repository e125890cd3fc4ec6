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
}

impl Refusal {
    pub(crate) fn new(status: u16, kind: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let parts = Parts { status, kind, code: None, detail, location: None, limit: None, header: None };
        Self(Box::new(parts))
    }

    /// The request is not one of GraphQL.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(400, "graphql-request-malformed", detail)
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

    /// A line of the log.
    pub(crate) fn line(&self) -> String {
        format!("{}: {}", self.0.kind, self.0.detail).escape_debug().to_string()
    }

    /// A problem document that is an answer of GraphQL as well: it has `errors`.
    pub(crate) fn problem(self) -> Problem {
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
