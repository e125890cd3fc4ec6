//! Which requests are calls: what Connect's protocol says of methods, content types and queries.

use sluice_sdk::prelude::*;
use sluice_sdk_grpc::{Media, Protocol};

use crate::methods::{MethodId, Methods};

/// What is remembered of a call.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub(crate) struct Call {
    #[serde(rename = "s")]
    pub(crate) shape: Shape,
    /// Whether its messages are in JSON.
    #[serde(rename = "j")]
    pub(crate) is_json: bool,
    /// Which one it calls, if the descriptors know.
    #[serde(rename = "m")]
    pub(crate) method: Option<MethodId>,
    /// Whether the client's messages may be compressed: with gzip, where they are looked into.
    #[serde(rename = "z")]
    pub(crate) may_compress: bool,
}

/// How a call comes.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One message in the body.
    #[serde(rename = "p")]
    Post,
    /// One message in the query.
    #[serde(rename = "g")]
    Get,
    /// Messages in frames.
    #[serde(rename = "s")]
    Stream,
}

/// What a request is.
pub(crate) enum Recognised {
    /// None of Connect's.
    Other,
    Call(Call),
    /// In a coding that is not supported: 415.
    Unsupported(Problem),
}

impl Call {
    pub(crate) fn is_stream(&self) -> bool {
        self.shape == Shape::Stream
    }

    /// That of requests and of good responses.
    pub(crate) fn content_type(&self) -> &'static str {
        match (self.is_stream(), self.is_json) {
            (false, false) => "application/proto",
            (false, true) => "application/json",
            (true, false) => "application/connect+proto",
            (true, true) => "application/connect+json",
        }
    }

    /// By the head alone. Only a request that says its version, or has a type of Connect's own, is surely one.
    pub(crate) fn recognise(request: &Request, methods: &Methods) -> Recognised {
        let found = match request.method() {
            Method::Post => of_post(request),
            Method::Get => of_get(request),
            _ => None,
        };
        let Some((shape, codec, is_sure)) = found else { return Recognised::Other };
        let is_json = match &*codec {
            "proto" => false,
            "json" if methods.has_descriptors() => true,
            _ if !is_sure => return Recognised::Other,
            _ => return Recognised::Unsupported(unsupported(methods)),
        };
        let method = methods.find(&request.path());
        // An ordinary request may look like a call, whose method is then not known.
        let may_be_known = !is_json && (shape != Shape::Get || methods.may_get(&request.path()));
        if method.is_none() && !is_sure && !may_be_known {
            return Recognised::Other;
        }
        let is_stream = shape == Shape::Stream;
        if method.is_some_and(|(_, method)| method.is_streaming != is_stream) {
            return Recognised::Unsupported(unsupported(methods));
        }
        Recognised::Call(Self { shape, is_json, method: method.map(|(id, _)| id), may_compress: false })
    }
}

type Found = (Shape, String, bool);

fn of_post(request: &Request) -> Option<Found> {
    let content_type = request.headers().get("content-type")?;
    let content_type = content_type.as_str()?;
    if let Some(media) = Media::from_content_type(content_type) {
        return (media.protocol == Protocol::Connect)
            .then(|| (Shape::Stream, media.codec().to_owned(), true));
    }
    let is_sure = request.headers().contains("connect-protocol-version");
    let essence = content_type.split(';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    let codec = essence.strip_prefix("application/").filter(|codec| ["proto", "json"].contains(codec));
    match codec {
        Some(codec) => Some((Shape::Post, codec.to_owned(), is_sure)),
        // It says that it is a call, and in a coding of its own.
        None => is_sure.then_some((Shape::Post, essence, true)),
    }
}

fn of_get(request: &Request) -> Option<Found> {
    let encoding = request.query_param("encoding");
    let is_sure = request.query_param("connect").is_some_and(|version| version == "v1");
    let is_call = is_sure || (encoding.is_some() && request.query_param("message").is_some());
    is_call.then(|| (Shape::Get, encoding.unwrap_or_default(), is_sure))
}

fn unsupported(methods: &Methods) -> Problem {
    let accepted = if methods.has_descriptors() {
        "application/proto, application/json, application/connect+proto, application/connect+json"
    } else {
        "application/proto, application/connect+proto"
    };
    Problem::unsupported_media_type("the method does not take messages in this form")
        .kind("connect-codec-unsupported")
        .header("accept-post", accepted)
}
