//! Holds requests and responses to an OpenAPI document.

mod api;
mod check;
mod config;
mod dialect;
mod document;
mod finding;
mod json;
mod media;
mod operation;
mod request;
mod response;
mod router;
mod schemas;
mod shape;
mod style;

use sluice_sdk::prelude::*;

use api::{Api, OperationId};
pub use config::Config;
use config::{Permission, RequestMode, ResponseMode};
use document::Document;
use request::Refused;
use schemas::Schemas;

/// The operation that a request was let through for.
const OPERATION: Value<OperationId> = Value::step("operation");

/// The policy.
pub struct OpenApiValidate {
    api: Api,
    mode: RequestMode,
    responses: ResponseMode,
    unknown_query: bool,
    unknown_status: bool,
    /// Bytes that the values of one body may take.
    memory: usize,
    /// Bytes of a body without its codings.
    decoded: usize,
}

#[plugin(capabilities(log))]
impl Plugin for OpenApiValidate {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let base = config.base_path.as_deref();
        ensure!(base.is_none_or(|base| base.starts_with('/')), "`base_path` does not begin with `/`");
        let bytes = |size: Size| usize::try_from(size.bytes()).unwrap_or(usize::MAX);
        let (memory, decoded) = (bytes(config.body_memory), bytes(config.decoded_size));
        ensure!(decoded > 0, "`decoded_size` is nothing");
        ensure!(memory >= 4 << 10, "`body_memory` is less than 4KiB: hardly any body would fit");
        let document = Document::parse(config.document.0).context("`document`")?;
        let schemas = Schemas::new(config.formats, config.read_only == Permission::Refuse);
        let with_responses = config.responses != ResponseMode::Off;
        Ok(Self {
            api: Api::new(document, base, schemas, with_responses).context("`document`")?,
            mode: config.mode,
            responses: config.responses,
            unknown_query: config.unknown_query == Permission::Allow,
            unknown_status: config.unknown_status == Permission::Allow,
            memory,
            decoded,
        })
    }

    fn self_test(&self) -> Result<()> {
        self.api.test().context("`document`")
    }

    fn skips(&self, phase: Phase) -> bool {
        matches!(phase, Phase::Response | Phase::ResponseBody) && self.responses == ResponseMode::Off
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let (id, refused) = self.check_request(request)?;
        let mut wants_body = match id {
            Some(id) if refused.is_none() => self.wants_body(id, request)?,
            _ => false,
        };
        if let Some(refused) = &refused
            && self.refuses(id, refused)
        {
            return Ok(refused.answer());
        }
        // The gateway refuses what it cannot hold, which a report must not come to.
        if let Some(id) = id.filter(|_| wants_body && self.mode == RequestMode::Report)
            && let Some(length) = self.oversized(request.headers())
        {
            warn!("request {} is not checked: {}", self.api.name(id), self.too_long(length));
            wants_body = false;
        }
        if !wants_body {
            ctx.skip_body();
        }
        if let Some(id) = id.filter(|_| wants_body || self.responses != ResponseMode::Off) {
            ctx.set(&OPERATION, &id)?;
        }
        Ok(Verdict::Continue)
    }

    fn on_request_body(&self, request: &mut Request, body: &mut Body, ctx: &mut Context) -> Result<Verdict> {
        let Some(id) = ctx.get(&OPERATION)? else { return Ok(Verdict::Continue) };
        let refused = self.check_request_body(id, request, body)?;
        match refused.filter(|refused| self.refuses(Some(id), refused)) {
            Some(refused) => Ok(refused.answer()),
            None => Ok(Verdict::Continue),
        }
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        // The document is of the upstream. What refuses a request in its place, a step or the gateway, knows nothing of it.
        let operation = if response.origin() == Origin::Upstream { ctx.get(&OPERATION)? } else { None };
        let Some(id) = operation else {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        };
        let wrong = self.check_response(id, response)?;
        let has_body = !response.describes_absent_body(ctx);
        let mut wants_body = has_body && wrong.is_none() && self.wants_response_body(id, response)?;
        if wants_body
            && self.responses == ResponseMode::Report
            && let Some(length) = self.oversized(response.headers())
        {
            warn!("response of {} is not checked: {}", self.api.name(id), self.too_long(length));
            wants_body = false;
        }
        if !wants_body {
            ctx.skip_body();
        }
        Ok(self.judge(id, wrong))
    }

    fn on_response_body(
        &self,
        response: &mut Response,
        body: &mut Body,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        let Some(id) = ctx.get(&OPERATION)? else { return Ok(Verdict::Continue) };
        let wrong = self.check_response_body(id, response, body)?;
        Ok(self.judge(id, wrong))
    }
}

impl OpenApiValidate {
    /// Whether a request that should be refused is. If not, the log tells.
    fn refuses(&self, id: Option<OperationId>, refused: &Refused) -> bool {
        if self.mode == RequestMode::Enforce {
            return true;
        }
        let operation = id.map(|id| format!(" {}", self.api.name(id))).unwrap_or_default();
        warn!("request{operation} does not follow the document: {}", refused.reason());
        false
    }

    fn too_long(&self, length: usize) -> String {
        format!("its body of {length} bytes is larger than the {} bytes of `decoded_size`", self.decoded)
    }

    /// What becomes of a response. The client is not told what is wrong with it.
    fn judge(&self, id: OperationId, wrong: Option<String>) -> Verdict {
        let Some(wrong) = wrong else { return Verdict::Continue };
        warn!("response of {} does not follow the document: {wrong}", self.api.name(id));
        if self.responses != ResponseMode::Enforce {
            return Verdict::Continue;
        }
        let problem = Problem::bad_gateway("the answer is not what the API describes");
        Verdict::respond(problem.kind("response-invalid"))
    }
}

/// All values of a header.
fn joined(headers: Headers<'_>, name: &str, by: &str) -> Option<String> {
    let values = headers.get_all(name);
    let values: Vec<_> = values.iter().map(ToString::to_string).collect();
    if values.is_empty() { None } else { Some(values.join(by)) }
}
