//! Responses: from gRPC to HTTP.

use sluice_sdk::Code as HostCode;
use sluice_sdk::prelude::*;
use sluice_sdk_grpc::{Code, FrameError, Framing, Next, Status, metadata};
use sluice_sdk_protobuf::{Error as MessageError, Fields};

use crate::config::Streaming;
use crate::failure::{nonsense, not_grpc};
use crate::rules::{ResponseRule, Route};
use crate::{CALL, PER_CALL, RECEIVING, Receiving, RestGrpc, media};

/// Messages of a stream that one call writes.
const MESSAGES: usize = 500;

impl RestGrpc {
    /// The head: whether it is a call's, and whether that has failed already.
    pub(crate) fn receive_head(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let verdict = self.judge_head(response, ctx)?;
        if verdict != Verdict::Continue {
            // An answer passes its own step too, and is no call's.
            ctx.remove(&CALL)?;
            ctx.skip_body();
        }
        Ok(verdict)
    }

    fn judge_head(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let Some((call, route)) = self.call(ctx)? else {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        };
        // Answers of steps and of the gateway are HTTP's.
        if response.origin() != Origin::Upstream {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        }
        let told = Status::from_headers(|name| response.headers().get(name));
        if response.status() != 200 || !media::is_grpc(response.headers()) {
            let status = told.filter(|told| told.code != Code::Ok);
            let status = status.unwrap_or_else(|| not_grpc(response.status()));
            return Ok(self.failures.reply(&self.api, &status, response).into());
        }
        if let Some(status) = &told {
            // An answer without messages.
            if status.code != Code::Ok {
                return Ok(self.failures.reply(&self.api, status, response).into());
            }
            if !route.server_streaming {
                return Ok(nonsense("it has no message").into());
            }
            let body: &[u8] = if call.streaming == Streaming::Array { b"[]" } else { b"" };
            return Ok(Reply::new(200)
                .header("content-type", stream_type(route, call.streaming))
                .body(body)
                .into());
        }
        response.mark_rewritten()?;
        let mut headers = response.headers_mut();
        headers.remove_prefix("grpc-")?;
        if route.server_streaming {
            headers.set("content-type", stream_type(route, call.streaming))?;
            if call.streaming == Streaming::Sse {
                headers.set("cache-control", "no-cache")?;
            }
            ctx.body_mode(BodyMode::Chunks);
        } else {
            ctx.body_mode(BodyMode::Whole);
        }
        Ok(Verdict::Continue)
    }

    /// The whole body of a call that has one message.
    pub(crate) fn receive(
        &self,
        response: &mut Response,
        body: &mut Body,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        let Some((_, route)) = self.call(ctx)? else { return Ok(Verdict::Continue) };
        let verdict = self.judge(response, body, route)?;
        if verdict != Verdict::Continue {
            ctx.remove(&CALL)?;
        }
        Ok(verdict)
    }

    fn judge(&self, response: &mut Response, body: &mut Body, route: &Route) -> Result<Verdict> {
        let status = Status::from_headers(|name| body.trailers().get(name));
        let status =
            status.unwrap_or_else(|| Status::new(Code::Unknown, "the service did not say how it went"));
        if status.code != Code::Ok {
            return Ok(self.failures.reply(&self.api, &status, response).into());
        }
        let bytes = body.bytes()?;
        let frame = match Framing::grpc(usize::MAX).single(&bytes) {
            Ok(frame) if frame.is_compressed() => return Ok(nonsense("it is compressed").into()),
            Ok(frame) => frame,
            Err(error) => return Ok(nonsense(&error.to_string()).into()),
        };
        let mut out = Vec::with_capacity(frame.message.len() * 2);
        let written = match self.put_raw(route, frame.message, &mut out) {
            Ok(Some(content_type)) => response.headers_mut().set("content-type", raw_type(&content_type)),
            Ok(None) => {
                if let Err(error) = self.put_json(route, frame.message, &mut out) {
                    return Ok(nonsense(&error.to_string()).into());
                }
                response.headers_mut().set("content-type", "application/json")
            }
            Err(error) => return Ok(nonsense(&error.to_string()).into()),
        };
        written?;
        body.trailers_mut().retain(metadata::is_metadata)?;
        match body.set(&out) {
            Err(error) if error.code() == Some(HostCode::TooLarge) => {
                let problem = Problem::bad_gateway("the service's answer is larger than is allowed");
                Ok(problem.kind("response-too-large").into())
            }
            set => set.map(|()| Verdict::Continue),
        }
    }

    /// A message in JSON, or what of it is the body.
    fn put_json(&self, route: &Route, message: &[u8], out: &mut Vec<u8>) -> Result<(), MessageError> {
        match &route.response {
            ResponseRule::Field(path) => self.api.pool.field_to_json(path, message, &self.write, out),
            ResponseRule::Message | ResponseRule::Raw(_) => {
                self.api.pool.to_json(route.output, message, &self.write, out)
            }
        }
    }

    /// The data of an `HttpBody`, and its type. `None` if it is none.
    fn put_raw(
        &self,
        route: &Route,
        message: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<String>, MessageError> {
        let ResponseRule::Raw(field) = &route.response else { return Ok(None) };
        let message = match field {
            Some(field) => field.message(&self.api.pool, message)?,
            None => message.into(),
        };
        let (mut content_type, mut data) = ("", &b""[..]);
        for field in Fields::new(&message) {
            match field? {
                (1, value) => content_type = value.text().unwrap_or_default(),
                (2, value) => data = value.bytes().unwrap_or_default(),
                _ => {}
            }
        }
        out.extend_from_slice(data);
        Ok(Some(content_type.to_owned()))
    }

    /// A piece of a stream of messages.
    pub(crate) fn receive_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<()> {
        let Some((call, route)) = self.call(ctx)? else { return Ok(()) };
        let before = ctx.get(&RECEIVING)?.unwrap_or_default();
        let mut writer = Writer {
            plugin: self,
            route,
            form: call.streaming,
            state: before,
            out: Vec::new(),
            failure: None,
            last: (0, before),
        };
        let bytes = chunk.bytes()?;
        let place = if before.has_failed { Place::End } else { writer.messages(&bytes) };
        match place {
            Place::Again(at) => chunk.again(at)?,
            Place::Hold(at, want) if !chunk.is_last() => match chunk.hold(at, want) {
                Err(error) if error.code() == Some(HostCode::TooLarge) => {
                    writer.fail(&Status::new(Code::ResourceExhausted, "a message is larger than is allowed"));
                }
                hold => hold?,
            },
            Place::Hold(..) => writer.fail(&Status::new(Code::Internal, "the last message is cut off")),
            Place::End => {}
        }
        let is_end = chunk.is_last() && !matches!(place, Place::Again(_));
        if is_end {
            let status = Status::from_headers(|name| chunk.trailers().get(name));
            chunk.trailers_mut().retain(metadata::is_metadata)?;
            match status {
                _ if writer.state.has_failed => {}
                Some(status) if status.code == Code::Ok => {}
                Some(status) => writer.fail(&status),
                None => writer.fail(&Status::new(Code::Unknown, "the service did not say how it went")),
            }
            writer.end();
        }
        match chunk.set(&writer.out) {
            Err(error) if error.code() == Some(HostCode::TooLarge) => {
                writer.take_back();
                if is_end {
                    writer.end();
                }
                chunk.set(&writer.out)?;
            }
            set => set?,
        }
        if let (ResponseRule::Raw(_), Some(reason)) = (&route.response, &writer.failure) {
            // Data has no place for an error. What is cut off does not look whole.
            bail!("a stream of data failed: {reason}");
        }
        if writer.state.has_begun != before.has_begun || writer.state.has_failed != before.has_failed {
            ctx.set(&RECEIVING, &writer.state)?;
        }
        Ok(())
    }
}

/// Where the reading of a piece has come to.
#[derive(Clone, Copy)]
enum Place {
    /// There is more than one call should do.
    Again(usize),
    /// From here on it is a part of a message, which wants so many bytes.
    Hold(usize, usize),
    End,
}

/// Writes a stream.
struct Writer<'a> {
    plugin: &'a RestGrpc,
    route: &'a Route,
    form: Streaming,
    state: Receiving,
    out: Vec<u8>,
    /// Why data that goes as it is has failed.
    failure: Option<String>,
    /// Where the last message begins, and what was so before it.
    last: (usize, Receiving),
}

impl Writer<'_> {
    fn messages(&mut self, bytes: &[u8]) -> Place {
        self.out.reserve(bytes.len().min(PER_CALL) * 2);
        let mut rest = bytes;
        for _ in 0..MESSAGES {
            let at = bytes.len() - rest.len();
            match self.plugin.framing.next(rest) {
                Ok(Next::Frame(frame, after)) => {
                    if frame.is_compressed() {
                        self.fail(&Status::new(Code::Internal, "a message is compressed"));
                        return Place::End;
                    }
                    if let Err(error) = self.message(frame.message) {
                        warn!("a message of the service cannot be written: {error}");
                        self.fail(&Status::new(Code::Internal, "a message of the service makes no sense"));
                        return Place::End;
                    }
                    rest = after;
                }
                Ok(Next::Wants(_)) if rest.is_empty() => return Place::End,
                Ok(Next::Wants(want)) => return Place::Hold(at, want),
                Err(error) => {
                    let code = match error {
                        FrameError::TooLarge { .. } => Code::ResourceExhausted,
                        _ => Code::Internal,
                    };
                    self.fail(&Status::new(code, error.to_string()));
                    return Place::End;
                }
            }
            if self.out.len() >= PER_CALL {
                break;
            }
        }
        let at = bytes.len() - rest.len();
        if rest.is_empty() { Place::End } else { Place::Again(at) }
    }

    fn message(&mut self, message: &[u8]) -> Result<(), MessageError> {
        self.last = (self.out.len(), self.state);
        if matches!(self.route.response, ResponseRule::Raw(_)) {
            return self.plugin.put_raw(self.route, message, &mut self.out).map(drop);
        }
        let before = self.out.len();
        self.open("");
        let put = self.plugin.put_json(self.route, message, &mut self.out);
        if put.is_err() {
            self.out.truncate(before);
        } else {
            self.close();
            self.state.has_begun = true;
        }
        put
    }

    /// What stands before a value.
    fn open(&mut self, event: &str) {
        match self.form {
            Streaming::Ndjson => {}
            Streaming::Sse => {
                if !event.is_empty() {
                    self.out.extend_from_slice(format!("event: {event}\n").as_bytes());
                }
                self.out.extend_from_slice(b"data: ");
            }
            Streaming::Array => self.out.push(if self.state.has_begun { b',' } else { b'[' }),
        }
    }

    fn close(&mut self) {
        match self.form {
            Streaming::Ndjson => self.out.push(b'\n'),
            Streaming::Sse => self.out.extend_from_slice(b"\n\n"),
            Streaming::Array => {}
        }
    }

    /// The status has gone: an error is the stream's last value.
    fn fail(&mut self, status: &Status) {
        self.state.has_failed = true;
        if matches!(self.route.response, ResponseRule::Raw(_)) {
            self.failure = Some(format!("{}: {}", status.code.name(), status.message));
            return;
        }
        self.open("error");
        self.out.extend_from_slice(br#"{"error":"#);
        let json = self.plugin.failures.json(&self.plugin.api, status);
        self.out.extend_from_slice(&json);
        self.out.push(b'}');
        self.close();
        self.state.has_begun = true;
    }

    /// The last message has become longer than what may be written: there is an error in its place.
    fn take_back(&mut self) {
        self.out.truncate(self.last.0);
        self.state = self.last.1;
        self.fail(&Status::new(Code::ResourceExhausted, "a message is larger than is allowed"));
    }

    fn end(&mut self) {
        let is_raw = matches!(self.route.response, ResponseRule::Raw(_));
        if self.form == Streaming::Array && !is_raw {
            self.out.extend_from_slice(if self.state.has_begun { b"]" } else { b"[]" });
        }
    }
}

fn stream_type(route: &Route, form: Streaming) -> &'static str {
    match route.response {
        ResponseRule::Raw(_) => "application/octet-stream",
        ResponseRule::Message | ResponseRule::Field(_) => form.content_type(),
    }
}

/// A type that the service gave, if it can be a header's value.
fn raw_type(content_type: &str) -> &str {
    let is_value = !content_type.is_empty() && content_type.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_value { content_type } else { "application/octet-stream" }
}
