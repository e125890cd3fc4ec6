//! Lets gRPC-Web clients, browsers above all, call gRPC services: PROTOCOL-WEB.md of gRPC.

mod answer;
mod config;
mod text;

use sluice_sdk::prelude::*;
use sluice_sdk_grpc::{Code, FrameError, Framing, Media, Passage, Protocol, Status};

use answer::Form;
pub use config::Config;

/// The policy.
pub struct GrpcWeb {
    requests: Framing,
}

/// How the client wants its response; nothing if it is no gRPC-Web client.
const FORM: Value<Form> = Value::step("form");
/// How far the request has come, and whether it is in Base64.
const REQUEST: Value<(bool, u64)> = Value::step("request");
/// The same of the response.
const RESPONSE: Value<(bool, u64)> = Value::step("response");

#[plugin]
impl Plugin for GrpcWeb {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        Ok(Self { requests: Framing::grpc(config.max_message()?) })
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let Some((media, is_text)) = web_media(request.headers()) else {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        };
        if request.method() != Method::Post {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        }
        ctx.set(&FORM, &Form::wanted(request.headers(), &media, is_text))?;
        ctx.set(&REQUEST, &(is_text, Passage::default().number()))?;
        if is_text {
            request.mark_rewritten()?;
        }
        let codec = media.codec.map(|codec| format!("+{codec}")).unwrap_or_default();
        let mut headers = request.headers_mut();
        headers.set("content-type", format!("application/grpc{codec}"))?;
        headers.remove("x-grpc-web")?;
        Ok(Verdict::Continue)
    }

    fn on_request_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<Verdict> {
        let Some((is_text, place)) = ctx.get(&REQUEST)? else { return Ok(Verdict::Continue) };
        let mut bytes = chunk.bytes()?;
        if is_text {
            let whole = bytes.len() - bytes.len() % text::QUANTUM;
            match text::decode(&bytes[..whole]) {
                Some(decoded) if whole == bytes.len() || !chunk.is_last() => {
                    // What is before the place from which it holds is what is written.
                    chunk.set(&decoded)?;
                    if whole < bytes.len() {
                        chunk.hold(whole, text::QUANTUM)?;
                    }
                    bytes = decoded;
                }
                _ => return Ok(malformed("the body is not valid Base64").into()),
            }
        }
        let mut passage = Passage::from_number(place);
        let fed = passage.feed(&self.requests, &bytes);
        let checked = fed.and_then(|_| if chunk.is_last() { passage.end() } else { Ok(()) });
        if let Err(error) = checked {
            return Ok(refusal(error).into());
        }
        ctx.set(&REQUEST, &(is_text, passage.number()))?;
        if chunk.is_last() {
            // gRPC has none in a request: services close the connection that brings them.
            chunk.trailers_mut().retain(|_| false)?;
        }
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let Some(form) = ctx.get(&FORM)? else {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        };
        let is_gateways = response.origin() == Origin::Gateway;
        if !is_gateways && web_media(response.headers()).is_some() {
            // Somebody behind speaks it.
            ctx.skip_body();
            return Ok(Verdict::Continue);
        }
        // An answer without messages has its trailers in its head. A browser may be kept from reading those, but never the body.
        let told = Status::from_headers(|name| response.headers().get(name)).filter(|_| !is_gateways);
        if told.is_some() {
            return Ok(form.only_trailers(response).into());
        }
        if !is_gateways && response.status() == 200 && is_grpc(response.headers()) {
            // The trailers become a frame of the body.
            response.mark_rewritten()?;
            response.headers_mut().set("content-type", form.content_type())?;
            ctx.set(&RESPONSE, &(form.is_text, Passage::default().number()))?;
            return Ok(Verdict::Continue);
        }
        if response.origin() == Origin::Step && response.is_refusal() {
            // It says why in its body.
            ctx.body_mode(BodyMode::Whole);
            return Ok(Verdict::Continue);
        }
        Ok(form.failed(response, &failure(response)).into())
    }

    fn on_response_body(
        &self,
        response: &mut Response,
        body: &mut Body,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        let Some(form) = ctx.get(&FORM)? else { return Ok(Verdict::Continue) };
        let document: Document = body.json().unwrap_or_default();
        let message = document.detail.or(document.title).unwrap_or_default();
        let status = Status::new(Code::from_refusal(response.status()), message);
        Ok(form.failed(response, &status).into())
    }

    fn on_response_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<()> {
        let Some((is_text, place)) = ctx.get(&RESPONSE)? else { return Ok(()) };
        let mut bytes = chunk.bytes()?;
        if is_text && bytes.len() > PER_CALL {
            bytes.truncate(PER_CALL);
            chunk.again(PER_CALL)?;
        }
        let mut passage = Passage::from_number(place);
        // Trailers within what says to be a message would be taken for a part of it.
        passage.feed(&Framing::grpc(usize::MAX), &bytes).context("the upstream's response")?;
        if chunk.is_last() && bytes.len() == chunk.len() {
            passage.end().context("the upstream's response")?;
            bytes.extend(answer::trailers_frame(chunk.trailers()));
            chunk.trailers_mut().retain(|_| false)?;
        } else {
            ctx.set(&RESPONSE, &(is_text, passage.number()))?;
            if !is_text {
                return Ok(());
            }
        }
        if is_text { chunk.set(text::encode(&bytes)) } else { chunk.set(bytes) }
    }
}

/// What is written in Base64 in one call, for chunks that another step has rewritten: in whole quanta, and with room for a third more.
const PER_CALL: usize = 3 * (64 << 10);

/// What a problem document says to people.
#[derive(Default, Deserialize)]
#[serde(crate = "sluice_sdk::serde")]
struct Document {
    detail: Option<String>,
    title: Option<String>,
}

/// What a content type says of gRPC-Web, and whether it is the text form. None if it is of something else.
fn web_media(headers: Headers<'_>) -> Option<(Media, bool)> {
    let media = media(headers)?;
    let is_text = match media.protocol {
        Protocol::GrpcWeb => false,
        Protocol::GrpcWebText => true,
        Protocol::Grpc | Protocol::Connect => return None,
    };
    Some((media, is_text))
}

fn is_grpc(headers: Headers<'_>) -> bool {
    media(headers).is_some_and(|media| media.protocol == Protocol::Grpc)
}

fn media(headers: Headers<'_>) -> Option<Media> {
    Media::from_content_type(headers.get("content-type")?.as_str()?)
}

/// What becomes of a response that is not gRPC's and says nothing that a client of gRPC could read.
fn failure(response: &Response) -> Status {
    let status = response.status();
    match response.origin() {
        Origin::Upstream => {
            let message = format!("the service answered with {status} and not in gRPC");
            Status::new(Code::from_http(status), message)
        }
        Origin::Step => Status::new(Code::from_refusal(status), format!("answered with {status}")),
        Origin::Gateway => {
            Status::new(Code::from_refusal(status), format!("the gateway answered with {status}"))
        }
    }
}

fn malformed(detail: &str) -> Problem {
    Problem::bad_request(detail).kind("grpc-web-malformed")
}

fn refusal(error: FrameError) -> Problem {
    match error {
        FrameError::TooLarge { bound, .. } => {
            Problem::content_too_large(error.to_string()).kind("grpc-message-too-large").with("limit", &bound)
        }
        _ => malformed(&error.to_string()),
    }
}
