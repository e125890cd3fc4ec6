//! Lets Connect clients call gRPC services, and gRPC clients Connect services: calls and streams, in Protobuf and in JSON. Connect's
//! protocol reference.

mod answer;
mod back;
mod call;
mod config;
mod methods;
mod request;
mod response;
mod stream;

use sluice_sdk::prelude::*;
use sluice_sdk_grpc::{Framing, Passage, Status, frame};

use back::{BACK, Backwards};
use call::{Call, Recognised, Shape};
pub use config::{Config, UnknownFields, Upstream};
use methods::Methods;
use request::{Codings, refused_coding, refused_frame, too_large};
use response::{Streaming, Translator, is_grpc};
use stream::{Changed, Then};

/// The policy.
pub struct Connect {
    methods: Methods,
    max_message: usize,
    requires_version: bool,
    /// Whether the services speak Connect, and the clients gRPC.
    is_backwards: bool,
}

/// The call; nothing if it is none.
const CALL: Value<Call> = Value::step("call");
/// How far a request's stream has come whose messages pass as they are.
const REQUEST: Value<u64> = Value::step("request");
/// A response's stream.
const RESPONSE: Value<Streaming> = Value::step("response");

#[plugin]
impl Plugin for Connect {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        config.check()?;
        Ok(Self {
            methods: Methods::new(&config)?,
            max_message: config.max_message()?,
            requires_version: config.require_protocol_version,
            is_backwards: config.upstream == Upstream::Connect,
        })
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        if self.is_backwards {
            return self.backwards().request(request, ctx);
        }
        let mut call = match Call::recognise(request, &self.methods) {
            Recognised::Call(call) => call,
            Recognised::Unsupported(problem) => return Ok(problem.into()),
            Recognised::Other => {
                ctx.skip_body();
                return Ok(Verdict::Continue);
            }
        };
        // From here on every answer is Connect's.
        ctx.set(&CALL, &call)?;
        match self.check(request, &call) {
            Ok(may_compress) => call.may_compress = may_compress,
            Err(problem) => return Ok(problem.into()),
        }
        ctx.set(&CALL, &call)?;
        if !call.is_stream() {
            ctx.body_mode(BodyMode::Whole);
            return Ok(Verdict::Continue);
        }
        let timeout = match request::grpc_timeout(request) {
            Ok(timeout) => timeout,
            Err(problem) => return Ok(problem.into()),
        };
        let codings = Codings::of(request);
        request::rewrite(request, timeout.as_deref())?;
        if !call.is_json {
            codings.write(request)?;
        }
        Ok(Verdict::Continue)
    }

    fn on_request_body(&self, request: &mut Request, body: &mut Body, ctx: &mut Context) -> Result<Verdict> {
        if let Some(back) = ctx.get(&BACK)? {
            return self.backwards().request_body(request, body, &back);
        }
        let Some(call) = ctx.get(&CALL)? else { return Ok(Verdict::Continue) };
        let timeout = request::grpc_timeout(request);
        let bytes = body.bytes()?;
        // gRPC has none in a request: services close the connection that brings them.
        body.trailers_mut().retain(|_| false)?;
        let prepared = timeout.and_then(|timeout| Ok((timeout, self.message(request, bytes, &call)?)));
        let (timeout, message) = match prepared {
            Ok(prepared) => prepared,
            Err(problem) => return Ok(problem.into()),
        };
        request::rewrite(request, timeout.as_deref())?;
        match body.set(frame(0, &message)) {
            Err(error) if error.refuses_value() => {
                Ok(too_large("the message is too large to be translated").into())
            }
            set => set.map(|()| Verdict::Continue),
        }
    }

    fn on_request_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<Verdict> {
        if self.is_backwards {
            let back = ctx.get(&BACK)?;
            return back
                .map_or(Ok(Verdict::Continue), |back| self.backwards().request_chunk(chunk, back, ctx));
        }
        let Some(call) = ctx.get(&CALL)? else { return Ok(Verdict::Continue) };
        if chunk.is_last() {
            chunk.trailers_mut().retain(|_| false)?;
        }
        if call.is_json {
            return self.change_request(chunk, &call);
        }
        let mut passage = Passage::from_number(ctx.get(&REQUEST)?.unwrap_or_default());
        let fed = passage.feed(&self.framing(&call), &chunk.bytes()?);
        let checked = fed.and_then(|_| if chunk.is_last() { passage.end() } else { Ok(()) });
        if let Err(error) = checked {
            return Ok(refused_frame(error).into());
        }
        ctx.set(&REQUEST, &passage.number())?;
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        if let Some(back) = ctx.get(&BACK)? {
            return self.backwards().response(response, &back, ctx);
        }
        let Some(call) = ctx.get(&CALL)? else {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        };
        let (origin, translator) = (response.origin(), self.translator());
        if origin == Origin::Gateway {
            return Ok(translator.failure(response, &call)?.into());
        }
        if let Some(status) = Status::from_headers(|name| response.headers().get(name)) {
            return Ok(translator.only_trailers(response, &call, status)?.into());
        }
        if response.status() == 200 && is_grpc(response.headers()) {
            if call.is_stream() {
                ctx.set(&RESPONSE, &translator.begin_stream(response, &call)?)?;
            } else {
                ctx.body_mode(BodyMode::Whole);
            }
            return Ok(Verdict::Continue);
        }
        if origin == Origin::Step && response.is_refusal() {
            // It says why in its body.
            ctx.body_mode(BodyMode::Whole);
            return Ok(Verdict::Continue);
        }
        if origin == Origin::Step && speaks_connect(response, &call) {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        }
        Ok(translator.failure(response, &call)?.into())
    }

    fn on_response_body(
        &self,
        response: &mut Response,
        body: &mut Body,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        if let Some(back) = ctx.get(&BACK)? {
            return self.backwards().response_body(response, body, &back);
        }
        let Some(call) = ctx.get(&CALL)? else { return Ok(Verdict::Continue) };
        if is_grpc(response.headers()) {
            self.translator().single(response, body, &call)
        } else {
            Ok(self.translator().refusal(response, body, &call)?.into())
        }
    }

    fn on_response_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<()> {
        if self.is_backwards {
            let back = ctx.get(&BACK)?;
            return back.map_or(Ok(()), |back| self.backwards().response_chunk(chunk, &back));
        }
        let Some(streaming) = ctx.get(&RESPONSE)? else { return Ok(()) };
        let streaming = self.translator().chunk(chunk, streaming)?;
        ctx.set(&RESPONSE, &streaming)
    }
}

impl Connect {
    fn translator(&self) -> Translator<'_> {
        Translator { methods: &self.methods, max: self.max_message }
    }

    fn backwards(&self) -> Backwards<'_> {
        Backwards { methods: &self.methods, max: self.max_message }
    }

    /// That of a request's stream.
    fn framing(&self, call: &Call) -> Framing {
        let framing = Framing::grpc(self.max_message);
        if call.may_compress { framing } else { framing.without_compression() }
    }

    /// What the head alone can be refused for. Whether messages may be compressed.
    fn check(&self, request: &Request, call: &Call) -> Result<bool, Problem> {
        let path = request.path();
        if call.shape == Shape::Get && !self.methods.may_get(&path) {
            return Err(Problem::method_not_allowed("this method cannot be called with GET")
                .kind("connect-get-not-allowed")
                .header("allow", "POST"));
        }
        request::check_version(request, call, self.requires_version)?;
        if call.is_json && call.method.is_none() {
            return Err(Problem::new(501, "there is no such method").kind("connect-method-unknown"));
        }
        let coding = |name| request.headers().get(name).map(|value| value.to_string());
        match call.shape {
            Shape::Post => request::is_gzip(coding("content-encoding").as_deref()),
            Shape::Stream if call.is_json => request::is_gzip(coding("connect-content-encoding").as_deref()),
            Shape::Stream => Ok(request::names_coding(coding("connect-content-encoding").as_deref())),
            Shape::Get => Ok(false),
        }
    }

    /// The message of a call without streams, as Protobuf writes it.
    fn message(&self, request: &Request, body: Vec<u8>, call: &Call) -> Result<Vec<u8>, Problem> {
        let message = match call.shape {
            Shape::Get => request::message_of_query(request, call, self.max_message)?,
            _ if call.may_compress => {
                request::decompress(&body, self.max_message).map_err(|error| refused_coding(&error))?
            }
            _ => body,
        };
        self.to_protobuf(message, call)
    }

    fn to_protobuf(&self, message: Vec<u8>, call: &Call) -> Result<Vec<u8>, Problem> {
        if message.len() > self.max_message {
            return Err(too_large(format!("the message is larger than {} bytes", self.max_message)));
        }
        match call.method.filter(|_| call.is_json) {
            Some(id) => self.methods.read(id, &message),
            None => Ok(message),
        }
    }

    /// A chunk of a request's stream whose messages are in JSON.
    fn change_request(&self, chunk: &mut Chunk, call: &Call) -> Result<Verdict> {
        let framing = self.framing(call);
        let Changed { frames, then } =
            stream::change(&chunk.bytes()?, chunk.is_last(), &framing, |frame, read| {
                if !frame.is_compressed() {
                    return self.to_protobuf(frame.message.to_vec(), call);
                }
                let message = request::decompress(frame.message, self.max_message)
                    .map_err(|error| refused_coding(&error))?;
                *read += message.len();
                self.to_protobuf(message, call)
            });
        let refused = match then {
            Then::Done => None,
            Then::Hold(from, want) => stream::hold(chunk, from, want)?.map(too_large),
            Then::Malformed(error) => Some(refused_frame(error)),
            Then::Refused(problem) => Some(problem),
        };
        if let Some(problem) = refused {
            return Ok(problem.into());
        }
        match chunk.set(frames) {
            Err(error) if error.refuses_value() => {
                Ok(too_large("the messages are too large to be translated").into())
            }
            set => set.map(|()| Verdict::Continue),
        }
    }
}

/// Whether a step has answered as Connect's servers do.
fn speaks_connect(response: &Response, call: &Call) -> bool {
    let content_type =
        response.headers().get("content-type").map(|value| value.to_string()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(call.content_type())
        || (!call.is_stream() && essence.eq_ignore_ascii_case("application/json"))
}
