//! A gRPC response as Connect has it.

use sluice_sdk::prelude::*;
use sluice_sdk_grpc::{Code, Frame, FrameError, Framing, Media, Passage, Protocol, Status};

use crate::answer::{self, Told, trailing};
use crate::call::Call;
use crate::methods::{MethodId, Methods};
use crate::request::decompress;
use crate::stream::{self, Changed, Then};

/// A stream on its way to the client.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Streaming {
    /// Whose messages become JSON.
    #[serde(rename = "j")]
    json: Option<MethodId>,
    /// Whether messages may be compressed in a way that can be undone.
    #[serde(rename = "z")]
    is_gzip: bool,
    /// How far it has come, if messages pass as they are.
    #[serde(rename = "p")]
    place: u64,
    /// Its end was told early.
    #[serde(rename = "e")]
    has_ended: bool,
}

/// It does not fit into what the plugin may write.
const TOO_LARGE: &str = "the service's response is too large to be translated";

pub(crate) fn is_grpc(headers: Headers<'_>) -> bool {
    let content_type = headers.get("content-type");
    let media = content_type.as_ref().and_then(HeaderValue::as_str).and_then(Media::from_content_type);
    media.is_some_and(|media| media.protocol == Protocol::Grpc)
}

fn is_gzip(headers: Headers<'_>) -> bool {
    headers.get("grpc-encoding").is_some_and(|coding| coding.as_bytes() == b"gzip")
}

/// Translates with what is known of the methods.
pub(crate) struct Translator<'a> {
    pub(crate) methods: &'a Methods,
    pub(crate) max: usize,
}

impl Translator<'_> {
    /// What is behind answered neither in gRPC nor with a problem document.
    pub(crate) fn failure(&self, response: &Response, call: &Call) -> Result<Reply> {
        let status = answer::untold(response, "gRPC");
        let http = match response.origin() {
            Origin::Upstream => status.code.http_status(),
            Origin::Step | Origin::Gateway => failing(response.status()),
        };
        Told { call, status: &status, http, trailers: &Vec::new() }.reply(response, self.methods)
    }

    /// A step has refused with a problem document.
    pub(crate) fn refusal(&self, response: &Response, body: &Body, call: &Call) -> Result<Reply> {
        let status = answer::refusal(response, body);
        let http = failing(response.status());
        Told { call, status: &status, http, trailers: &Vec::new() }.reply(response, self.methods)
    }

    /// The answer has no messages: its trailers are its head.
    pub(crate) fn only_trailers(&self, response: &Response, call: &Call, status: Status) -> Result<Reply> {
        let status = if status.code == Code::Ok && !call.is_stream() {
            Status::new(Code::Unimplemented, FrameError::Missing.to_string())
        } else {
            status
        };
        let http = status.code.http_status();
        // All of it could be either: who looks for it among the trailers finds it too.
        Told { call, status: &status, http, trailers: &trailing(response.headers()) }
            .reply(response, self.methods)
    }

    /// The response of a call without streams.
    pub(crate) fn single(&self, response: &mut Response, body: &mut Body, call: &Call) -> Result<Verdict> {
        let trailers = trailing(body.trailers());
        let status = Status::from_headers(|name| body.trailers().get(name));
        let status = status.unwrap_or_else(answer::missing_status);
        let message = if status.code == Code::Ok { self.message(response, body, call)? } else { Err(status) };
        let message = match message {
            Ok(message) => message,
            Err(status) => {
                let http = status.code.http_status();
                let told = Told { call, status: &status, http, trailers: &trailers };
                return Ok(told.reply(response, self.methods)?.into());
            }
        };
        response.mark_rewritten()?;
        let mut headers = response.headers_mut();
        headers.remove_prefix("grpc-")?;
        headers.set("content-type", call.content_type())?;
        for (name, value) in trailers {
            headers.append(format!("trailer-{name}"), value.as_bytes())?;
        }
        body.trailers_mut().retain(|_| false)?;
        match body.set(message) {
            Err(error) if error.refuses_value() => {
                let status = Status::new(Code::ResourceExhausted, TOO_LARGE);
                let http = status.code.http_status();
                let told = Told { call, status: &status, http, trailers: &Vec::new() };
                Ok(told.reply(response, self.methods)?.into())
            }
            set => set.map(|()| Verdict::Continue),
        }
    }

    fn message(&self, response: &Response, body: &Body, call: &Call) -> Result<Result<Vec<u8>, Status>> {
        let bytes = body.bytes()?;
        let json = call.method.filter(|_| call.is_json);
        let frame = match Framing::grpc(self.max).single(&bytes) {
            Ok(frame) => frame,
            // Whoever expects one message and gets another number: statuscodes.md.
            Err(error @ (FrameError::Missing | FrameError::Several)) => {
                return Ok(Err(Status::new(Code::Unimplemented, format!("the service's response: {error}"))));
            }
            Err(error) => return Ok(Err(broken(error))),
        };
        Ok(self.convert(frame, json, is_gzip(response.headers()), &mut 0))
    }

    /// A message as the client wants it. What it is without compression is added to `read`.
    fn convert(
        &self,
        frame: Frame<'_>,
        json: Option<MethodId>,
        is_gzip: bool,
        read: &mut usize,
    ) -> Result<Vec<u8>, Status> {
        let decompressed;
        let message = if !frame.is_compressed() {
            frame.message
        } else if is_gzip {
            decompressed = decompress(frame.message, self.max).map_err(broken)?;
            *read += decompressed.len();
            &decompressed
        } else {
            return Err(broken("a message is compressed in an unknown way"));
        };
        match json {
            Some(id) => self.methods.write(id, message).map_err(broken),
            None => Ok(message.to_vec()),
        }
    }

    /// Makes the head that of a stream.
    pub(crate) fn begin_stream(&self, response: &mut Response, call: &Call) -> Result<Streaming> {
        let coding = response.headers().get("grpc-encoding");
        let streaming = Streaming {
            json: call.method.filter(|_| call.is_json),
            is_gzip: is_gzip(response.headers()),
            ..Streaming::default()
        };
        response.mark_rewritten()?;
        let mut headers = response.headers_mut();
        headers.remove_prefix("grpc-")?;
        headers.set("content-type", call.content_type())?;
        if let Some(coding) = coding.filter(|_| !call.is_json) {
            headers.set("connect-content-encoding", coding.as_bytes())?;
        }
        Ok(streaming)
    }

    /// A chunk of a stream. What is left to remember of it.
    pub(crate) fn chunk(&self, chunk: &mut Chunk, mut streaming: Streaming) -> Result<Streaming> {
        if streaming.has_ended {
            chunk.set("")?;
            if chunk.is_last() {
                chunk.trailers_mut().retain(|_| false)?;
            }
        } else if streaming.json.is_some() {
            self.change(chunk, &mut streaming)?;
        } else {
            let mut bytes = chunk.bytes()?;
            let mut passage = Passage::from_number(streaming.place);
            // The end of the stream within what says to be a message would be taken for a part of it.
            passage.feed(&Framing::grpc(usize::MAX), &bytes).context("the upstream's response")?;
            streaming.place = passage.number();
            if chunk.is_last() {
                passage.end().context("the upstream's response")?;
                bytes.extend(self.end(chunk)?);
                chunk.set(bytes)?;
            }
        }
        Ok(streaming)
    }

    fn change(&self, chunk: &mut Chunk, streaming: &mut Streaming) -> Result<()> {
        let bytes = chunk.bytes()?;
        let framing = Framing::grpc(self.max);
        let Changed { mut frames, then } =
            stream::change(&bytes, chunk.is_last(), &framing, |frame, read| {
                self.convert(frame, streaming.json, streaming.is_gzip, read)
            });
        let is_done = matches!(then, Then::Done);
        let failed = match then {
            Then::Done => None,
            Then::Hold(from, want) => {
                stream::hold(chunk, from, want)?.map(|told| Status::new(Code::ResourceExhausted, told))
            }
            Then::Malformed(error) => Some(broken(error)),
            Then::Refused(status) => Some(status),
        };
        if let Some(status) = failed {
            return self.break_off(chunk, streaming, frames, &status);
        }
        if chunk.is_last() && is_done {
            frames.extend(self.end(chunk)?);
        }
        match chunk.set(frames) {
            Err(error) if error.refuses_value() => {
                let status = Status::new(Code::ResourceExhausted, TOO_LARGE);
                self.break_off(chunk, streaming, Vec::new(), &status)
            }
            set => set,
        }
    }

    /// Ends a stream before the service does. What comes after is not passed on.
    fn break_off(
        &self,
        chunk: &mut Chunk,
        streaming: &mut Streaming,
        mut frames: Vec<u8>,
        status: &Status,
    ) -> Result<()> {
        frames.extend(answer::end_stream(status, &Vec::new(), self.methods)?);
        streaming.has_ended = true;
        if chunk.is_last() {
            chunk.trailers_mut().retain(|_| false)?;
        }
        chunk.set(frames)
    }

    /// The end of a stream, as the trailers say it.
    fn end(&self, chunk: &mut Chunk) -> Result<Vec<u8>> {
        let status = Status::from_headers(|name| chunk.trailers().get(name));
        let status = status.unwrap_or_else(answer::missing_status);
        let end = answer::end_stream(&status, &trailing(chunk.trailers()), self.methods)?;
        chunk.trailers_mut().retain(|_| false)?;
        Ok(end)
    }
}

/// The service has sent what it should not.
fn broken(error: impl std::fmt::Display) -> Status {
    Status::new(Code::Internal, format!("the service's response: {error}"))
}

/// A status that is no success to clients of calls without streams.
fn failing(status: u16) -> u16 {
    if status >= 400 { status } else { 500 }
}
