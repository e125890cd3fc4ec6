//! Requests: from HTTP to gRPC.

use sluice_sdk::Code as HostCode;
use sluice_sdk::prelude::*;
use sluice_sdk_grpc::{HEAD, metadata, timeout};
use sluice_sdk_protobuf::put_bytes;

use crate::config::{Streaming, Unmatched};
use crate::finding::Finding;
use crate::router::{Found, Segments};
use crate::rules::{BodyRule, Route};
use crate::sending::Sending;
use crate::{CALL, Call, RestGrpc, SENDING, media};

impl RestGrpc {
    /// The head: which method it means.
    pub(crate) fn begin(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        if media::is_grpc(request.headers()) {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        }
        let (method, path) = (request.method(), request.path());
        if self.document(&method, &path).is_some() {
            // Answered there, where the host says whether it may be as long as it is.
            ctx.body_mode(BodyMode::Whole);
            return Ok(Verdict::Continue);
        }
        let (place, segments) = match self.find(&method, &path) {
            Found::Target(place, segments) => (place, segments),
            _ if self.config.unmatched == Unmatched::Pass => {
                ctx.skip_body();
                return Ok(Verdict::Continue);
            }
            Found::Methods(mut methods) => {
                methods.sort();
                return Ok(Problem::method_not_allowed("no method of the API has this path and this method")
                    .kind("method-unknown")
                    .header("allow", methods.join(", "))
                    .into());
            }
            Found::Nothing => {
                return Ok(Problem::not_found("no method of the API has this path")
                    .kind("path-unknown")
                    .into());
            }
        };
        let route = &self.api.routes[place];
        if let Some(problem) = self.unreadable(request, route) {
            return Ok(problem.into());
        }
        let accept = request.headers().get("accept");
        let wanted = accept.as_ref().and_then(|accept| Streaming::wanted(accept.as_str()?));
        ctx.set(&CALL, &Call { route: place, streaming: wanted.unwrap_or(self.config.streaming) })?;
        if !route.client_streaming {
            ctx.body_mode(BodyMode::Whole);
            return Ok(Verdict::Continue);
        }
        ctx.body_mode(BodyMode::Chunks);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        if let Err(finding) = self.fields(route, request, &segments, &mut before, &mut after) {
            return Ok(finding.into());
        }
        let content_type = match &route.body {
            BodyRule::Raw(_) => content_type(request),
            _ => String::new(),
        };
        let sending = Sending::new(&before, &after, content_type);
        match ctx.set(&SENDING, &sending) {
            Err(error) if error.code() == Some(HostCode::TooLarge) => return Ok(too_large().into()),
            set => set?,
        }
        self.rewrite(request, route)
    }

    /// The OpenAPI document, if it is asked for.
    fn document(&self, method: &Method, path: &str) -> Option<&str> {
        let (at, document) = self.openapi.as_ref()?;
        (at == path && *method == Method::Get).then_some(document)
    }

    /// Whether a body is not one that could be read.
    fn unreadable(&self, request: &Request, route: &Route) -> Option<Problem> {
        if matches!(route.body, BodyRule::None) || !request.has_body() {
            return None;
        }
        let headers = request.headers();
        let coding = headers.get("content-encoding");
        if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            let problem = Problem::unsupported_media_type("a body in a content coding cannot be read");
            return Some(problem.kind("content-coding-unknown").header("accept-encoding", "identity"));
        }
        let is_json =
            || headers.get("content-type").is_some_and(|value| value.as_str().is_some_and(media::is_json));
        let wants_json = self.config.require_json && !matches!(route.body, BodyRule::Raw(_));
        if wants_json && !is_json() {
            let problem = Problem::unsupported_media_type("the body has to be JSON");
            return Some(problem.kind("media-type-unknown").header("accept", "application/json"));
        }
        None
    }

    /// What the query and the path say.
    fn fields(
        &self,
        route: &Route,
        request: &Request,
        segments: &Segments<'_>,
        before: &mut Vec<u8>,
        after: &mut Vec<u8>,
    ) -> Result<(), Finding> {
        if let Some(query) = request.query() {
            self.reading.query(&self.api, route, &query, before, after)?;
        }
        self.reading.path(&self.api, route, segments, after)
    }

    /// The whole body: the call's only message.
    pub(crate) fn send(&self, request: &mut Request, body: &mut Body, ctx: &mut Context) -> Result<Verdict> {
        let (method, path) = (request.method(), request.path());
        let Some((_, route)) = self.call(ctx)? else {
            let document = self.document(&method, &path);
            return document.map_or(Ok(Verdict::Continue), |document| answer_document(document, body));
        };
        let Found::Target(_, segments) = self.find(&method, &path) else {
            bail!("the path leads nowhere any more");
        };
        // A call has none, and servers of gRPC hang up on a client that sends some.
        body.trailers_mut().retain(|_| false)?;
        let bytes = body.bytes()?;
        let mut message = Vec::with_capacity(HEAD + bytes.len() + path.len());
        message.extend_from_slice(&[0; HEAD]);
        let mut after = Vec::new();
        if let Err(finding) = self.fields(route, request, &segments, &mut message, &mut after) {
            return Ok(finding.into());
        }
        let content_type = || content_type(request);
        let start = message.len();
        let put = self.put_body(route, &bytes, content_type, &mut message);
        if let Err(finding) = put.and_then(|()| route.yield_to_path(&self.api.pool, &mut message, start)) {
            return Ok(finding.into());
        }
        message.extend_from_slice(&after);
        close(&mut message, 0);
        match body.set(&message) {
            Err(error) if error.code() == Some(HostCode::TooLarge) => return Ok(too_large().into()),
            set => set?,
        }
        self.rewrite(request, route)
    }

    /// What a body says, as fields of the message.
    pub(crate) fn put_body(
        &self,
        route: &Route,
        bytes: &[u8],
        content_type: impl FnOnce() -> String,
        out: &mut Vec<u8>,
    ) -> Result<(), Finding> {
        let pool = &self.api.pool;
        let read = match &route.body {
            // A body that nobody asked for is not looked at, as other servers do it with that of a GET.
            BodyRule::None => Ok(()),
            BodyRule::Message | BodyRule::Field(_) if bytes.iter().all(u8::is_ascii_whitespace) => Ok(()),
            BodyRule::Message => pool.to_wire(route.input, bytes, &self.read, out),
            BodyRule::Field(path) => pool.field_to_wire(path, bytes, &self.read, out),
            BodyRule::Raw(field) => {
                let mut raw = Vec::with_capacity(bytes.len() + 64);
                let content_type = content_type();
                if !content_type.is_empty() {
                    put_bytes(&mut raw, 1, content_type.as_bytes());
                }
                put_bytes(&mut raw, 2, bytes);
                match field {
                    None => {
                        out.extend_from_slice(&raw);
                        Ok(())
                    }
                    Some(field) => field.put_message(pool, &raw, out),
                }
            }
        };
        read.map_err(|error| Finding::of_body(&error))
    }

    /// Makes the head that of a call.
    fn rewrite(&self, request: &mut Request, route: &Route) -> Result<Verdict> {
        let timeout = self.timeout(request);
        let Ok(timeout) = timeout else {
            let name = &self.config.timeout_header;
            let problem = Problem::bad_request(format!("`{name}` is no number of seconds and no duration"));
            return Ok(problem.kind("timeout-invalid").into());
        };
        request.mark_rewritten()?;
        request.set_method(&Method::Post)?;
        request.set_path(&route.target)?;
        request.set_query("")?;
        let mut headers = request.headers_mut();
        if let Some(prefix) = &self.config.metadata_prefix {
            for (name, value) in headers.iter() {
                let Some(name) = name.strip_prefix(prefix.as_str()) else { continue };
                if is_free(name) {
                    headers.append(name, value)?;
                }
            }
            headers.remove_prefix(prefix)?;
        }
        headers.retain(|name| {
            metadata::is_metadata(name) || name == "host" || sluice_sdk::RESERVED_HEADERS.contains(&name)
        })?;
        headers.set("content-type", "application/grpc")?;
        if let Some(timeout) = timeout {
            headers.set("grpc-timeout", timeout::to_grpc(timeout))?;
        }
        Ok(Verdict::Continue)
    }

    /// The least of what the request and the operator say.
    fn timeout(&self, request: &mut Request) -> Result<Option<std::time::Duration>, ()> {
        let header = &self.config.timeout_header;
        let headers = request.headers();
        let asked = match headers.get(header) {
            Some(value) => Some(value.as_str().and_then(media::timeout).ok_or(())?),
            None => match headers.get("grpc-timeout") {
                Some(value) => Some(timeout::from_grpc(value.as_bytes()).ok_or(())?),
                None => None,
            },
        };
        Ok(match (asked, self.config.timeout) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        })
    }
}

/// Whether a client may write a header of the upstream's: one that is a name at all, and by which nobody learns who the client is.
fn is_free(name: &str) -> bool {
    // Many servers read `_` as `-`.
    let Ok(name) = name.replace('_', "-").parse::<HeaderName>() else { return false };
    let text = name.as_str();
    metadata::is_metadata(text)
        && !name.is_reserved()
        && !auth::is_consumer_header(&name)
        && !["client-cert", "x-forwarded-"].iter().any(|prefix| text.starts_with(prefix))
        && text != "forwarded"
}

fn content_type(request: &Request) -> String {
    request.headers().get("content-type").map(|value| value.to_string()).unwrap_or_default()
}

pub(crate) fn too_large() -> Problem {
    Problem::content_too_large("a message is larger than is allowed").kind("request-message-too-large")
}

/// A body may be as long as an answer. One that is too long would be a fault of the step, by which clients could open its circuit.
fn answer_document(document: &str, body: &mut Body) -> Result<Verdict> {
    match body.set(document) {
        Err(error) if error.code() == Some(HostCode::TooLarge) => {
            let length = document.len();
            warn!("the OpenAPI document has {length} bytes: `limits.body` of the plugin is less");
            let detail =
                format!("the document has {length} bytes, more than the gateway lets this step answer");
            return Ok(Problem::new(500, detail).kind("openapi-too-large").into());
        }
        set => set?,
    }
    Ok(Reply::new(200).header("content-type", "application/json").body(document).into())
}

/// Writes the length of a message into the head that stands before it.
pub(crate) fn close(out: &mut [u8], start: usize) {
    let length = u32::try_from(out.len() - start - HEAD).expect("a plugin's memory is below 4 GiB");
    out[start + 1..start + HEAD].copy_from_slice(&length.to_be_bytes());
}
