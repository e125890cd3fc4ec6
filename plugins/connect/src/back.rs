//! The other way round: gRPC clients of a service that speaks Connect.

use sluice_sdk::prelude::*;
use sluice_sdk_coding::{Coding, decode};
use sluice_sdk_grpc::{
    Code, Frame, FrameError, Framing, Media, Next, Passage, Protocol, Status, frame, metadata, timeout,
};

use crate::answer::{self, EndOfStream};
use crate::methods::Methods;
use crate::request::{decompress, names_coding, refused_frame};

/// What is remembered of a call.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Back {
    #[serde(rename = "s")]
    is_stream: bool,
    /// How messages are written, which stays.
    #[serde(rename = "c")]
    codec: String,
    /// Whether the request's messages may be compressed.
    #[serde(rename = "r")]
    may_compress: bool,
    /// How far the request's stream has come.
    #[serde(rename = "p")]
    place: u64,
    /// Whether the response's messages are compressed so that they can be read.
    #[serde(rename = "z", default)]
    is_gzip: bool,
}

/// The call; nothing if it is none.
pub(crate) const BACK: Value<Back> = Value::step("back");

/// What stands before trailers that are sent in the head.
const TRAILER: &str = "trailer-";

/// Translates with what is known of the methods.
pub(crate) struct Backwards<'a> {
    pub(crate) methods: &'a Methods,
    pub(crate) max: usize,
}

impl Back {
    fn of(request: &Request) -> Option<Self> {
        let content_type = request.headers().get("content-type")?;
        let media = Media::from_content_type(content_type.as_str()?)?;
        let is_call = media.protocol == Protocol::Grpc && request.method() == Method::Post;
        let coding = request.headers().get("grpc-encoding").map(|coding| coding.to_string());
        is_call.then(|| Self {
            is_stream: false,
            codec: media.codec().to_owned(),
            may_compress: names_coding(coding.as_deref()),
            place: 0,
            is_gzip: false,
        })
    }

    /// Connect's, of a request and of a good response.
    fn content_type(&self) -> String {
        let stream = if self.is_stream { "connect+" } else { "" };
        format!("application/{stream}{}", self.codec)
    }

    fn grpc_type(&self) -> String {
        format!("application/grpc+{}", self.codec)
    }

    /// An answer without messages. Metadata in the response's head stays, trailers in it are no longer marked.
    fn reply(&self, response: &Response, status: &Status) -> Reply {
        let reply = Reply::new(200).header("content-type", self.grpc_type());
        let kept = response.headers().iter().map(|(name, value)| match name.strip_prefix(TRAILER) {
            Some(name) => (name.to_owned(), value),
            None => (name, value),
        });
        let kept = kept.filter(|(name, _)| metadata::is_metadata(name));
        let reply = kept.fold(reply, |reply, (name, value)| reply.header(name, value.as_bytes()));
        status.trailers().into_iter().fold(reply, |reply, (name, value)| reply.header(name, value))
    }
}

impl Backwards<'_> {
    /// That of a request.
    fn framing(&self, back: &Back) -> Framing {
        let framing = Framing::grpc(self.max);
        if back.may_compress { framing } else { framing.without_compression() }
    }

    pub(crate) fn request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let Some(mut back) = Back::of(request) else {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        };
        // From here on every answer is gRPC's.
        let method = self.methods.find(&request.path());
        back.is_stream = method.is_some_and(|(_, method)| method.is_streaming);
        ctx.set(&BACK, &back)?;
        if method.is_none() {
            return Ok(Problem::new(501, "there is no such method").kind("connect-method-unknown").into());
        }
        if connect_timeout(request).is_none() {
            let problem = Problem::bad_request("`grpc-timeout` is not at most eight digits and a unit");
            return Ok(problem.kind("connect-timeout-invalid").into());
        }
        if !back.is_stream {
            ctx.body_mode(BodyMode::Whole);
            return Ok(Verdict::Continue);
        }
        let coding = request.headers().get("grpc-encoding");
        rewrite(request, &back, ["connect-content-encoding", "connect-accept-encoding"], coding)?;
        Ok(Verdict::Continue)
    }

    pub(crate) fn request_body(
        &self,
        request: &mut Request,
        body: &mut Body,
        back: &Back,
    ) -> Result<Verdict> {
        let bytes = body.bytes()?;
        let message = match self.framing(back).single(&bytes) {
            Ok(message) => message,
            Err(error @ (FrameError::Missing | FrameError::Several)) => {
                // Whoever expects one message and gets another number: statuscodes.md.
                return Ok(Problem::new(501, error.to_string()).kind("connect-malformed").into());
            }
            Err(error) => return Ok(refused_frame(error).into()),
        };
        let coding = request.headers().get("grpc-encoding").filter(|_| message.is_compressed());
        rewrite(request, back, ["content-encoding", "accept-encoding"], coding)?;
        body.trailers_mut().retain(|_| false)?;
        body.set(message.message)?;
        Ok(Verdict::Continue)
    }

    pub(crate) fn request_chunk(
        &self,
        chunk: &mut Chunk,
        mut back: Back,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        let mut passage = Passage::from_number(back.place);
        let fed = passage.feed(&self.framing(&back), &chunk.bytes()?);
        let checked = fed.and_then(|_| if chunk.is_last() { passage.end() } else { Ok(()) });
        if let Err(error) = checked {
            return Ok(refused_frame(error).into());
        }
        back.place = passage.number();
        ctx.set(&BACK, &back)?;
        if chunk.is_last() {
            chunk.trailers_mut().retain(|_| false)?;
        }
        Ok(Verdict::Continue)
    }

    pub(crate) fn response(
        &self,
        response: &mut Response,
        back: &Back,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        let content_type = essence(response);
        let (status, origin) = (response.status(), response.origin());
        if origin == Origin::Gateway {
            return Ok(back.reply(response, &answer::untold(response, "Connect")).into());
        }
        let is_good = status == 200 && content_type == back.content_type();
        if is_good && back.is_stream {
            let coding = response.headers().get("connect-content-encoding");
            let is_gzip =
                coding.as_ref().is_some_and(|coding| coding.as_bytes() == Coding::Gzip.name().as_bytes());
            ctx.set(&BACK, &Back { is_gzip, ..back.clone() })?;
            response.mark_rewritten()?;
            let mut headers = response.headers_mut();
            headers.remove_prefix("connect-")?;
            headers.remove_prefix("grpc-")?;
            headers.set("content-type", back.grpc_type())?;
            if let Some(coding) = coding {
                headers.set("grpc-encoding", coding.as_bytes())?;
            }
            return Ok(Verdict::Continue);
        }
        let is_error = status != 200 && content_type == "application/json";
        if is_good || is_error || (origin == Origin::Step && response.is_refusal()) {
            ctx.body_mode(BodyMode::Whole);
            return Ok(Verdict::Continue);
        }
        Ok(back.reply(response, &answer::untold(response, "Connect")).into())
    }

    pub(crate) fn response_body(
        &self,
        response: &mut Response,
        body: &mut Body,
        back: &Back,
    ) -> Result<Verdict> {
        if response.is_refusal() {
            return Ok(back.reply(response, &answer::refusal(response, body)).into());
        }
        if response.status() != 200 {
            let bytes = body.bytes()?;
            let coding = response.headers().get("content-encoding").map(|coding| coding.to_string());
            let bytes = decode(coding.as_deref(), &bytes, self.max).unwrap_or_default();
            let status = answer::error_status(&bytes, answer::untold(response, "Connect"));
            return Ok(back.reply(response, &status).into());
        }
        let bytes = body.bytes()?;
        if bytes.len() > self.max {
            let status = Status::new(Code::ResourceExhausted, "the service's response is too large");
            return Ok(back.reply(response, &status).into());
        }
        let coding = response.headers().get("content-encoding").filter(|_| !bytes.is_empty());
        let coding = coding.filter(|coding| coding.as_bytes() != b"identity");
        response.mark_rewritten()?;
        let trailers: Vec<_> =
            response.headers().iter().filter(|(name, _)| name.starts_with(TRAILER)).collect();
        let mut headers = response.headers_mut();
        headers.remove_prefix(TRAILER)?;
        headers.remove_prefix("grpc-")?;
        headers.set("content-type", back.grpc_type())?;
        if let Some(coding) = &coding {
            headers.set("grpc-encoding", coding.as_bytes())?;
        }
        body.set(frame(if coding.is_some() { Frame::COMPRESSED } else { 0 }, &bytes))?;
        let mut written = body.trailers_mut();
        written.set("grpc-status", "0")?;
        for (name, value) in trailers {
            let name = &name[TRAILER.len()..];
            if metadata::is_metadata(name) {
                written.append(name, value.as_bytes())?;
            }
        }
        Ok(Verdict::Continue)
    }

    /// Messages pass as they are; the end of the stream becomes trailers, which can only be written with the last chunk.
    pub(crate) fn response_chunk(&self, chunk: &mut Chunk, back: &Back) -> Result<()> {
        let bytes = chunk.bytes()?;
        let framing = Framing::connect(self.max);
        let mut rest = &bytes[..];
        let mut end = None;
        loop {
            let at = bytes.len() - rest.len();
            match framing.next(rest).context("the upstream's response")? {
                Next::Frame(frame, []) if frame.is_end_stream() && chunk.is_last() => {
                    end = Some(frame);
                    chunk.set(&bytes[..at])?;
                    break;
                }
                Next::Frame(frame, []) if frame.is_end_stream() => return chunk.hold(at, rest.len() + 1),
                Next::Frame(frame, after) if !frame.is_end_stream() => rest = after,
                Next::Frame(..) => bail!("the upstream's response goes on after its end"),
                Next::Wants(_) if rest.is_empty() => break,
                Next::Wants(_) if chunk.is_last() => bail!("the upstream's response: {}", FrameError::CutOff),
                Next::Wants(want) => return chunk.hold(at, want),
            }
        }
        if !chunk.is_last() {
            return Ok(());
        }
        let end = end.map(|end| match (end.is_compressed(), back.is_gzip) {
            (false, _) => EndOfStream::read(end.message),
            // What cannot be read says nothing.
            (true, false) => EndOfStream::read(b""),
            (true, true) => EndOfStream::read(&decompress(end.message, self.max).unwrap_or_default()),
        });
        let end =
            end.unwrap_or_else(|| EndOfStream { status: answer::missing_status(), metadata: Vec::new() });
        let mut trailers = chunk.trailers_mut();
        for (name, value) in end.status.trailers() {
            trailers.set(name, value)?;
        }
        for (name, value) in end.metadata {
            if metadata::is_metadata(&name) {
                trailers.append(name, value)?;
            }
        }
        Ok(())
    }
}

/// `Connect-Timeout-Ms`, if there is one to write. None if what the client says is no timeout.
fn connect_timeout(request: &Request) -> Option<Option<String>> {
    let Some(value) = request.headers().get("grpc-timeout") else { return Some(None) };
    let told = timeout::from_grpc(value.as_bytes())?;
    Some(Some(timeout::to_connect(told.max(std::time::Duration::from_millis(1)))))
}

/// Makes the head that of a Connect request. `codings` are the headers of what is used and what is accepted.
fn rewrite(request: &mut Request, back: &Back, codings: [&str; 2], used: Option<HeaderValue>) -> Result<()> {
    let timeout = connect_timeout(request).flatten();
    let accepted = request.headers().get("grpc-accept-encoding").and_then(|accepted| readable(&accepted));
    request.mark_rewritten()?;
    let mut headers = request.headers_mut();
    headers.remove_prefix("grpc-")?;
    headers.remove_prefix("connect-")?;
    headers.remove("accept")?;
    headers.remove("accept-encoding")?;
    headers.set("content-type", back.content_type())?;
    headers.set("connect-protocol-version", "1")?;
    if let Some(timeout) = timeout {
        headers.set("connect-timeout-ms", timeout)?;
    }
    let [use_header, accept_header] = codings;
    if let Some(used) = used {
        headers.set(use_header, used.as_bytes())?;
    }
    if let Some(accepted) = accepted {
        headers.set(accept_header, accepted)?;
    }
    Ok(())
}

/// Those of the codings that this step can undo too, which it has to at the end of a stream.
fn readable(accepted: &HeaderValue) -> Option<String> {
    let names = accepted.as_str()?.split(',').map(str::trim);
    let known: Vec<_> = names.filter(|name| matches!(*name, "gzip" | "identity")).collect();
    (!known.is_empty()).then(|| known.join(", "))
}

fn essence(response: &Response) -> String {
    let content_type =
        response.headers().get("content-type").map(|value| value.to_string()).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase()
}
