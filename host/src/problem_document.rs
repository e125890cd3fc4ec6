//! Problem documents (RFC 9457): the one shape of every error that the gateway or a plugin answers with.

use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value};

use crate::body::Body;

/// A problem document. It names what failed and carries the request id; it never says how.
#[derive(Clone, Debug)]
pub(crate) struct ProblemDocument {
    status: StatusCode,
    members: Map<String, Value>,
}

impl ProblemDocument {
    /// A problem of the gateway: `kind` is a short kebab-case name, `detail` is for the caller.
    pub(crate) fn new(status: StatusCode, kind: &str, detail: &str) -> Self {
        let mut members = Map::new();
        members.insert("type".into(), kind_uri(kind).into());
        members.insert("title".into(), status.canonical_reason().unwrap_or("Error").into());
        members.insert("status".into(), status.as_u16().into());
        if !detail.is_empty() {
            members.insert("detail".into(), detail.into());
        }
        Self { status, members }
    }

    /// A problem that a plugin states, completed with its step's name.
    pub(crate) fn of_plugin(problem: sluice_abi::Problem, step: &str) -> Self {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut document = Self::new(status, &problem.kind, &problem.detail).with("step", step);
        if !problem.title.is_empty() {
            document.members.insert("title".into(), problem.title.into());
        }
        for (name, value) in problem.extensions {
            // The standard members say what the fields above said.
            document.members.entry(name).or_insert(value);
        }
        document
    }

    /// Adds a member.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.into(), value.into());
        self
    }

    /// The response, with the request id if there is one.
    pub(crate) fn into_response(mut self, request_id: Option<&HeaderValue>) -> Response<Body> {
        if let Some(request_id) = request_id.and_then(|id| id.to_str().ok()) {
            self.members.insert("request_id".into(), request_id.into());
        }
        let body = Value::Object(self.members).to_string();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let content_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        response
    }
}

/// A name of ours becomes a URN; a plugin may give a whole URI, or nothing.
fn kind_uri(kind: &str) -> String {
    match kind {
        "" => "about:blank".to_owned(),
        uri if uri.contains(':') || uri.starts_with('/') => uri.to_owned(),
        name => format!("urn:sluice:problem:{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_cannot_contradict_its_own_status() {
        let mut extensions = Map::new();
        extensions.insert("status".into(), 200.into());
        extensions.insert("limit".into(), 5.into());
        let problem = sluice_abi::Problem {
            status: 429,
            kind: "rate-limited".into(),
            title: String::new(),
            detail: String::new(),
            extensions,
        };
        let document = ProblemDocument::of_plugin(problem, "limit");
        assert_eq!(document.members["status"], 429);
        assert_eq!(document.members["limit"], 5);
        assert_eq!(document.members["type"], "urn:sluice:problem:rate-limited");
        assert_eq!(document.members["step"], "limit");
    }
}
