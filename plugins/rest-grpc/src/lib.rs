//! Serves gRPC services as JSON over HTTP, by `google.api.http` from a descriptor set.

mod config;
mod failure;
mod fields;
mod finding;
mod media;
mod openapi;
mod percent;
mod request;
mod response;
mod router;
mod rules;
mod sending;
mod stream;
mod template;
#[cfg(test)]
mod tests;

use sluice_sdk::prelude::*;
use sluice_sdk_grpc::Framing;
use sluice_sdk_protobuf::{ReadOptions, WriteOptions};

pub use config::Config;
use config::{Enums, FieldNames, Streaming, Unknown, Unmatched, UnsetFields};
use failure::Failures;
use fields::Reading;
use router::Found;
use rules::{Api, Route};
use sending::Sending;

/// The policy.
pub struct RestGrpc {
    api: Api,
    reading: Reading,
    read: ReadOptions,
    write: WriteOptions,
    failures: Failures,
    framing: Framing,
    max_message: usize,
    config: Settings,
    /// The path of the OpenAPI document, and the document.
    openapi: Option<(String, String)>,
}

/// What is as the operator wrote it.
struct Settings {
    base_path: String,
    unmatched: Unmatched,
    require_json: bool,
    streaming: Streaming,
    timeout: Option<std::time::Duration>,
    timeout_header: HeaderName,
    metadata_prefix: Option<HeaderName>,
}

/// The call that a request has become.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Call {
    #[serde(rename = "r")]
    route: usize,
    #[serde(rename = "s")]
    streaming: Streaming,
}

/// A response that goes as a stream.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Receiving {
    #[serde(rename = "n", default)]
    has_begun: bool,
    #[serde(rename = "f", default)]
    has_failed: bool,
}

const CALL: Value<Call> = Value::step("call");
const SENDING: Value<Sending> = Value::step("sending");
const RECEIVING: Value<Receiving> = Value::step("receiving");

/// What one call does of a stream, before it has the host go on.
const PER_CALL: usize = 64 << 10;

#[plugin(optional(log))]
impl Plugin for RestGrpc {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let max_message = usize::try_from(config.max_message.bytes()).unwrap_or(usize::MAX);
        ensure!(max_message > 0, "`max_message` is nothing");
        if let Some(prefix) = &config.metadata_prefix {
            ensure!(prefix.as_str().ends_with('-'), "`metadata_prefix` does not end with `-`");
        }
        let api = Api::new(&config)?;
        let write = WriteOptions {
            enum_numbers: config.json.enums == Enums::Number,
            proto_names: config.json.field_names == FieldNames::Proto,
            print_unset: config.json.unset_fields == UnsetFields::Print,
            ..WriteOptions::default()
        };
        let enums_in_any_case = config.json.enums_in_any_case;
        let read =
            ReadOptions { ignore_unknown: config.unknown_fields == Unknown::Ignore, enums_in_any_case };
        let reading = Reading {
            unescape: config.unescape,
            unknown_query: config.unknown_query,
            query_into_body: config.query_into_body,
            ignored_query: config.ignored_query,
            options: ReadOptions { ignore_unknown: false, enums_in_any_case },
        };
        let base_path = config.base_path.unwrap_or_default();
        let document = |path| {
            openapi::document(&api, &base_path, &write, config.errors).map(|document| (path, document))
        };
        let openapi = config.openapi.map(document).transpose()?;
        Ok(Self {
            api,
            reading,
            read,
            write,
            failures: Failures { errors: config.errors, options: write },
            framing: Framing::grpc(max_message),
            max_message,
            config: Settings {
                base_path,
                unmatched: config.unmatched,
                require_json: config.require_json,
                streaming: config.streaming,
                timeout: config.timeout.map(Duration::get),
                timeout_header: config.timeout_header,
                metadata_prefix: config.metadata_prefix,
            },
            openapi,
        })
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        self.begin(request, ctx)
    }

    fn on_request_body(&self, request: &mut Request, body: &mut Body, ctx: &mut Context) -> Result<Verdict> {
        self.send(request, body, ctx)
    }

    fn on_request_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<Verdict> {
        self.send_chunk(chunk, ctx)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        self.receive_head(response, ctx)
    }

    fn on_response_body(
        &self,
        response: &mut Response,
        body: &mut Body,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        self.receive(response, body, ctx)
    }

    fn on_response_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<()> {
        self.receive_chunk(chunk, ctx)
    }
}

impl RestGrpc {
    /// What a request means.
    fn find<'p>(&self, method: &Method, path: &'p str) -> Found<'p> {
        match path.strip_prefix(&*self.config.base_path) {
            Some(path) => self.api.router.find(method.as_str(), path),
            None => Found::Nothing,
        }
    }

    /// The route of the exchange, if it is one of a call.
    fn call(&self, ctx: &Context) -> Result<Option<(Call, &Route)>> {
        let call = ctx.get(&CALL)?;
        Ok(call.and_then(|call| Some((call, self.api.routes.get(call.route)?))))
    }
}
