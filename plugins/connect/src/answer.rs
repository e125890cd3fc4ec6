//! What Connect clients get beside messages: errors in JSON, the end of a stream, trailers of calls without streams.

use std::collections::BTreeMap;

use data_encoding::BASE64_NOPAD;
use sluice_sdk::prelude::*;
use sluice_sdk_grpc::{Code, Frame, Status, frame, metadata};

use crate::call::Call;
use crate::methods::Methods;

/// Trailers that are metadata.
pub(crate) type Trailers = Vec<(String, HeaderValue)>;

#[derive(Serialize)]
struct Failure<'s> {
    code: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'s str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail<'s>>,
}

#[derive(Serialize)]
struct Detail<'s> {
    #[serde(rename = "type")]
    type_name: &'s str,
    value: String,
    /// The same for people, if its type is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    debug: Option<serde_json::Value>,
}

#[derive(Serialize)]
struct EndStream<'s> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure<'s>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<&'s str, Vec<String>>,
}

impl<'s> Failure<'s> {
    fn of(status: &'s Status, methods: &Methods) -> Self {
        let details = status.details.iter().map(|detail| Detail {
            type_name: detail.type_name(),
            value: BASE64_NOPAD.encode(&detail.value),
            debug: methods.show(detail.type_name(), &detail.value),
        });
        Self { code: status.code.connect_name(), message: &status.message, details: details.collect() }
    }
}

/// Those of the trailers that are metadata.
pub(crate) fn trailing(trailers: Headers<'_>) -> Trailers {
    trailers.iter().filter(|(name, _)| metadata::is_metadata(name)).collect()
}

/// The frame at the end of a stream.
pub(crate) fn end_stream(status: &Status, trailers: &Trailers, methods: &Methods) -> Result<Vec<u8>> {
    let mut metadata = BTreeMap::<&str, Vec<String>>::new();
    for (name, value) in trailers {
        metadata.entry(name).or_default().push(value.to_string());
    }
    let error = (status.code != Code::Ok).then(|| Failure::of(status, methods));
    let message = serde_json::to_vec(&EndStream { error, metadata })?;
    Ok(frame(Frame::END_STREAM, &message))
}

/// How a call went that has no messages, or none that can be told. `http` is the status of a call without streams.
pub(crate) struct Told<'a> {
    pub(crate) call: &'a Call,
    pub(crate) status: &'a Status,
    pub(crate) http: u16,
    pub(crate) trailers: &'a Trailers,
}

impl Told<'_> {
    /// The answer that says it. Metadata in the response's head stays.
    pub(crate) fn reply(&self, response: &Response, methods: &Methods) -> Result<Reply> {
        let kept = response.headers().iter().filter(|(name, _)| metadata::is_metadata(name));
        let is_stream = self.call.is_stream();
        let (status, content_type) =
            if is_stream { (200, self.call.content_type()) } else { (self.http, "application/json") };
        let mut reply = Reply::new(status).header("content-type", content_type);
        reply = kept.fold(reply, |reply, (name, value)| reply.header(name, value.as_bytes()));
        if is_stream {
            return Ok(reply.body(end_stream(self.status, self.trailers, methods)?));
        }
        for (name, value) in self.trailers {
            reply = reply.header(format!("trailer-{name}"), value.as_bytes());
        }
        Ok(reply.body(serde_json::to_vec(&Failure::of(self.status, methods))?))
    }
}

/// Of what ends without saying how it went.
pub(crate) fn missing_status() -> Status {
    Status::new(Code::Internal, "the service ended its response without a status")
}
