//! What Connect clients get beside messages: errors in JSON, the end of a stream, trailers of calls without streams.

use std::collections::BTreeMap;

use data_encoding::BASE64_NOPAD;
use sluice_sdk::prelude::*;
use sluice_sdk_grpc::{self as grpc, Code, Frame, Status, frame, metadata};

use crate::call::Call;
use crate::methods::Methods;
use crate::request::UNNAMED_COMPRESSION;

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
        // And what HTTP wants with a status: what would be allowed (RFC 9110 section 15.5.6), whom a cache may give it to.
        let of_http = |name: &str| matches!(name, "allow" | "vary");
        let kept = response.headers().iter().filter(|(name, _)| metadata::is_metadata(name) || of_http(name));
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

/// What a problem document says to people.
#[derive(Default, Deserialize)]
struct Document {
    #[serde(rename = "type")]
    kind: Option<String>,
    detail: Option<String>,
    title: Option<String>,
}

/// What a step has said with a problem document.
pub(crate) fn refusal(response: &Response, body: &Body) -> Status {
    let document: Document = body.json().unwrap_or_default();
    let message = document.detail.or(document.title).unwrap_or_default();
    // The gateway makes a URN of the name.
    let is_unnamed = document.kind.is_some_and(|kind| kind.rsplit(':').next() == Some(UNNAMED_COMPRESSION));
    let code = if is_unnamed { Code::Internal } else { Code::from_refusal(response.status()) };
    Status::new(code, message)
}

/// What becomes of an answer that is neither in the protocol nor a problem document.
pub(crate) fn untold(response: &Response, protocol: &str) -> Status {
    let http = response.status();
    match response.origin() {
        Origin::Upstream => {
            let message = format!("the service answered with {http} and not in {protocol}");
            Status::new(Code::from_http(http), message)
        }
        Origin::Step => Status::new(Code::from_refusal(http), format!("answered with {http}")),
        Origin::Gateway => Status::new(Code::from_refusal(http), format!("the gateway answered with {http}")),
    }
}

/// An error as a Connect service writes it.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    details: Vec<SaidDetail>,
}

#[derive(Deserialize)]
struct SaidDetail {
    #[serde(rename = "type")]
    type_name: String,
    value: String,
}

/// The end of a stream, as a Connect service writes it.
#[derive(Deserialize)]
struct SaidEnd {
    error: Option<Said>,
    #[serde(default)]
    metadata: BTreeMap<String, Vec<String>>,
}

/// How a stream ended.
pub(crate) struct EndOfStream {
    pub(crate) status: Status,
    pub(crate) metadata: Vec<(String, String)>,
}

impl Said {
    /// With another's code or message where it has none that is known.
    fn status(self, other: Status) -> Status {
        let code = self.code.and_then(|code| Code::from_name(&code)).filter(|code| *code != Code::Ok);
        let details = self.details.into_iter().filter_map(|detail| {
            let value = metadata::decode_binary(detail.value.as_bytes())?;
            Some(grpc::Detail { type_url: format!("type.googleapis.com/{}", detail.type_name), value })
        });
        Status {
            code: code.unwrap_or(other.code),
            message: self.message.unwrap_or(if code.is_some() { String::new() } else { other.message }),
            details: details.collect(),
        }
    }
}

/// An error of a Connect service; `untold` is what the answer is without what it says in JSON.
pub(crate) fn error_status(json: &[u8], untold: Status) -> Status {
    match serde_json::from_slice::<Said>(json) {
        Ok(said) => said.status(untold),
        Err(_) => untold,
    }
}

impl EndOfStream {
    pub(crate) fn read(json: &[u8]) -> Self {
        let end = serde_json::from_slice::<SaidEnd>(json).ok();
        let read = end.map(|SaidEnd { error, metadata }| {
            let unknown =
                || Status::new(Code::Unknown, "the service ended its response with an unknown error");
            let status = error.map_or_else(|| Status::new(Code::Ok, ""), |error| error.status(unknown()));
            let values = |(name, values): (String, Vec<String>)| {
                values.into_iter().map(move |value| (name.to_ascii_lowercase(), value))
            };
            Self { status, metadata: metadata.into_iter().flat_map(values).collect() }
        });
        read.unwrap_or_else(|| {
            let status = Status::new(Code::Internal, "the service ended its response in an unknown way");
            Self { status, metadata: Vec::new() }
        })
    }
}
