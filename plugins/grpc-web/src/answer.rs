//! What gRPC-Web clients get: content types, the frame of trailers, answers that have nothing else.

use sluice_sdk::prelude::*;
use sluice_sdk_grpc::{Code, Frame, Media, Protocol, Status, frame, metadata};

use crate::text;

/// How a client wants its response.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(crate = "sluice_sdk::serde")]
pub(crate) struct Form {
    #[serde(rename = "t")]
    pub(crate) is_text: bool,
    #[serde(rename = "c")]
    codec: String,
}

/// How a call went, which is in the frame of trailers and never in the head.
const OF_STATUS: [&str; 3] = ["grpc-status", "grpc-message", "grpc-status-details-bin"];

impl Form {
    /// As `Accept` says; if it says nothing of gRPC-Web, as the request came.
    pub(crate) fn wanted(headers: Headers<'_>, media: &Media, is_text: bool) -> Self {
        let accepted = headers.get_all("accept");
        let members = accepted.iter().filter_map(HeaderValue::as_str).flat_map(|value| value.split(','));
        let accepted = members.filter_map(Media::from_content_type).find_map(|media| match media.protocol {
            Protocol::GrpcWeb => Some(false),
            Protocol::GrpcWebText => Some(true),
            Protocol::Grpc | Protocol::Connect => None,
        });
        Self { is_text: accepted.unwrap_or(is_text), codec: media.codec().to_owned() }
    }

    pub(crate) fn content_type(&self) -> String {
        let text = if self.is_text { "-text" } else { "" };
        format!("application/grpc-web{text}+{}", self.codec)
    }

    /// An answer that has no messages and this status. What the response says beside that in its head stays.
    pub(crate) fn failed(&self, response: &Response, status: &Status) -> Reply {
        let trailers = status.trailers();
        let trailers = trailers.iter().map(|(name, value)| (*name, value.as_bytes()));
        self.reply(response, trailers_block(trailers))
    }

    /// The same for an upstream's answer whose trailers are its head.
    pub(crate) fn only_trailers(&self, response: &Response) -> Reply {
        let headers: Vec<_> = response.headers().iter().collect();
        // Libraries look for metadata where they find the status, which is the frame.
        let is_trailer = |name: &str| OF_STATUS.contains(&name) || metadata::is_metadata(name);
        let told = headers.iter().filter(|(name, _)| is_trailer(name));
        self.reply(response, trailers_block(told.map(|(name, value)| (name.as_str(), value.as_bytes()))))
    }

    fn reply(&self, response: &Response, trailers: Vec<u8>) -> Reply {
        let frame = frame(Frame::TRAILERS, &trailers);
        let body = if self.is_text { text::encode(&frame).into_bytes() } else { frame };
        let kept = response.headers().iter().filter(|(name, _)| metadata::is_metadata(name));
        let reply = Reply::new(200).header("content-type", self.content_type());
        kept.fold(reply, |reply, (name, value)| reply.header(name, value.as_bytes())).body(body)
    }
}

/// The last frame of a response with messages. Who ends without a status has failed.
pub(crate) fn trailers_frame(trailers: Headers<'_>) -> Vec<u8> {
    if trailers.contains("grpc-status") {
        let trailers: Vec<_> = trailers.iter().collect();
        let block = trailers_block(trailers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
        return frame(Frame::TRAILERS, &block);
    }
    let missing = Status::new(Code::Internal, "the service ended its response without a status").trailers();
    frame(Frame::TRAILERS, &trailers_block(missing.iter().map(|(name, value)| (*name, value.as_bytes()))))
}

/// As HTTP/1 writes headers, without the empty line. A value has no line break: no header does.
fn trailers_block<'a>(trailers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in trailers {
        block.extend(name.as_bytes());
        block.extend(b": ");
        block.extend(value);
        block.extend(b"\r\n");
    }
    block
}
