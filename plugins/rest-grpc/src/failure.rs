//! The service's errors, as the client gets them.

use serde_json::Value as Json;
use sluice_sdk::prelude::*;
use sluice_sdk_grpc::{Code, Detail, Status, metadata};
use sluice_sdk_protobuf::{UnknownAny, WriteOptions};

use crate::config::Errors;
use crate::rules::Api;

/// How errors are written.
pub(crate) struct Failures {
    pub(crate) errors: Errors,
    pub(crate) options: WriteOptions,
}

impl Failures {
    /// `google.rpc.Status` in JSON. Details whose type is not known are there in base64.
    pub(crate) fn json(&self, api: &Api, status: &Status) -> Vec<u8> {
        let mut out = Vec::new();
        if self.put(api, status, &mut out) {
            return out;
        }
        // Details that are no messages are left out.
        let plain = Status::new(status.code, status.message.clone());
        let is_good = |detail: &&Detail| {
            self.put(api, &Status { details: vec![(*detail).clone()], ..plain.clone() }, &mut Vec::new())
        };
        let details = status.details.iter().filter(is_good).cloned().collect();
        if !self.put(api, &Status { details, ..plain.clone() }, &mut out) {
            out.extend_from_slice(b"{}");
        }
        out
    }

    /// Whether a status could be written; if not, there is nothing.
    fn put(&self, api: &Api, status: &Status, out: &mut Vec<u8>) -> bool {
        let options = WriteOptions { unknown_any: UnknownAny::Base64, ..self.options };
        let written = api.pool.to_json(api.status, &status.encode(), &options, out);
        if written.is_err() {
            out.clear();
        }
        written.is_ok()
    }

    /// The answer to a call that failed, with the metadata of the response.
    pub(crate) fn reply(&self, api: &Api, status: &Status, response: &Response) -> Reply {
        let http = status.code.http_status();
        let mut reply: Reply = match self.errors {
            Errors::Status => {
                let body = self.json(api, status);
                Reply::new(http).header("content-type", "application/json").body(body)
            }
            Errors::Problem => self.problem(api, status).into(),
        };
        for (name, value) in response.headers() {
            if is_passed(&name) {
                reply = reply.header(name, value.as_bytes());
            }
        }
        reply
    }

    fn problem(&self, api: &Api, status: &Status) -> Problem {
        let kind = status.code.connect_name().replace('_', "-");
        let mut problem = Problem::new(status.code.http_status(), status.message.clone())
            .kind(kind)
            .with("code", status.code.name());
        if !status.details.is_empty() {
            let json: Json = serde_json::from_slice(&self.json(api, status)).unwrap_or_default();
            problem = problem.with("details", &json["details"]);
        }
        problem
    }
}

/// Whether a header of the upstream's goes on with an answer in the place of its response.
fn is_passed(name: &str) -> bool {
    metadata::is_metadata(name)
        && !sluice_sdk::RESERVED_HEADERS.contains(&name)
        && !matches!(name, "etag" | "last-modified" | "cache-control")
}

/// What an answer that is not gRPC's means.
pub(crate) fn not_grpc(http: u16) -> Status {
    Status::new(Code::from_http(http), format!("the service answered with {http} and not in gRPC"))
}

/// The service answered what no service of its kind answers.
pub(crate) fn nonsense(reason: &str) -> Problem {
    warn!("the service's answer makes no sense: {reason}");
    Problem::bad_gateway("the service's answer makes no sense").kind("grpc-response-invalid")
}
