//! REST clients of a SOAP upstream.

use sluice_sdk::path::has_dot_segments;
use sluice_sdk::prelude::*;

use crate::envelope::{self, Envelope, Fault, NoEnvelope, Version};
use crate::failure::{Failure, Side};
use crate::fault;
use crate::json::{self, Json};
use crate::media::MediaType;
use crate::operation::{BodyPart, Operation, Stands};
use crate::service::{KEPT, Service, prepare, unexpected, write_body};
use crate::shape::write_element;
use crate::xml::Writer;

/// What an exchange remembers.
#[derive(Deserialize, Serialize)]
struct Exchange {
    operation: usize,
    /// The texts of each parameter of the operation.
    params: Vec<Vec<String>>,
    /// Whether the request's body says that it is JSON.
    is_json: bool,
}

/// Headers, each with its values.
type HeaderTexts = Vec<(HeaderName, Vec<String>)>;

const EXCHANGE: Value<Exchange> = Value::step("exchange");

impl Service {
    fn upstream_version(&self) -> Version {
        self.version.unwrap_or(Version::V11)
    }

    pub(crate) fn rest_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let (path, method) = (request.path(), request.method());
        let found = if has_dot_segments(&path) { Err(Vec::new()) } else { self.route(&path, &method) };
        let (index, in_path) = match found {
            Ok(found) => found,
            Err(methods) => {
                ctx.skip_body();
                return Ok(if self.passes_unmatched { Verdict::Continue } else { no_operation(methods) });
            }
        };
        let operation = &self.operations[index];
        let params = match self.params(operation, in_path, request) {
            Ok(params) => params,
            Err(failure) => return Ok(failure.problem(Side::Request).into()),
        };
        let Some(media) = MediaType::of(&request.headers()) else {
            let problem = Problem::bad_request("there are several `Content-Type` headers");
            return Ok(problem.kind("content-type-ambiguous").into());
        };
        match ctx.set(&EXCHANGE, &Exchange { operation: index, params, is_json: media.is_json() }) {
            Err(error) if error.refuses_value() => {
                let detail =
                    "the parameters of the request are more than the 64 KiB that an exchange remembers";
                return Ok(Problem::new(431, detail).kind("headers-too-large").into());
            }
            kept => kept?,
        }
        let version = self.upstream_version();
        let (path, query) = self.endpoint.split_once('?').unwrap_or((&self.endpoint, ""));
        prepare(request, version.media_type())?;
        request.set_method(&Method::Post)?;
        request.set_path(path)?;
        request.set_query(query)?;
        let mut headers = request.headers_mut();
        headers.set("content-type", version.content_type(operation.action.as_deref()))?;
        if version == Version::V11 {
            let action = operation.action.as_deref().unwrap_or_default();
            headers.set("soapaction", format!("\"{action}\""))?;
        }
        Ok(Verdict::Continue)
    }

    /// The operation of a path and the values in it, or the methods that the path has.
    fn route(&self, path: &str, method: &Method) -> Result<(usize, Vec<String>), Vec<&'static str>> {
        let mut methods = Vec::new();
        for (index, operation) in self.operations.iter().enumerate() {
            let Some(values) = operation.path.values(path) else { continue };
            if operation.method == *method {
                return Ok((index, values));
            }
            let known = ["GET", "POST", "PUT", "PATCH", "DELETE"]
                .into_iter()
                .find(|name| *name == operation.method.as_str());
            methods.extend(known.filter(|name| !methods.contains(name)));
        }
        Err(methods)
    }

    fn params(
        &self,
        operation: &Operation,
        in_path: Vec<String>,
        request: &Request,
    ) -> Result<Vec<Vec<String>>, Failure> {
        let (headers, query) = (request.headers(), request.query_params());
        let mut in_path = in_path.into_iter();
        if self.terms.refuses_unknown {
            let known = |name: &str| {
                operation
                    .params()
                    .iter()
                    .any(|param| matches!(&param.stands, Stands::Query(known) if known == name))
            };
            if let Some((name, _)) = query.iter().find(|(name, _)| !known(name)) {
                let name: String = name.chars().take(100).collect();
                let detail = format!("the query parameter `{name}` is not known");
                return Err(Failure::new(400, "parameter-invalid", detail));
            }
        }
        let texts = operation.params().iter().map(|param| match &param.stands {
            Stands::Path => in_path.next().into_iter().collect(),
            Stands::Query(name) => {
                query.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
            }
            Stands::Header(name) => headers.get_all(name).iter().map(ToString::to_string).collect(),
        });
        let texts: Vec<Vec<String>> = texts.collect();
        for (param, texts) in operation.params().iter().zip(&texts).filter(|(_, texts)| !texts.is_empty()) {
            param.read(texts)?;
        }
        Ok(texts)
    }

    pub(crate) fn rest_request_body(
        &self,
        request: &mut Request,
        body: &mut Body,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        let Some(exchange) = ctx.get(&EXCHANGE)? else { return Ok(Verdict::Continue) };
        let message = match self.plain(&request.headers(), body)? {
            Ok(bytes) => self.to_envelope(&bytes, &exchange),
            Err(failure) => Err(failure),
        };
        let written = match message {
            Ok(message) => {
                request.mark_rewritten()?;
                write_body(body, message.as_bytes())?
            }
            Err(failure) => Err(failure),
        };
        Ok(match written {
            Ok(()) => Verdict::Continue,
            Err(failure) => failure.problem(Side::Request).into(),
        })
    }

    fn to_envelope(&self, bytes: &[u8], exchange: &Exchange) -> Result<String, Failure> {
        let terms = &self.terms;
        let operation = self.operations.get(exchange.operation);
        let operation =
            operation.ok_or_else(|| Failure::new(404, "operation-unknown", "there is no such operation"))?;
        let mut document = Json::Object(Vec::new());
        if operation.body != BodyPart::None && !bytes.is_empty() {
            if !exchange.is_json {
                return Err(Failure::new(
                    415,
                    "media-type-unsupported",
                    "the body is not JSON by its `Content-Type`",
                ));
            }
            let value = json::parse(bytes, &terms.bounds)?;
            match &operation.body {
                BodyPart::Member(at) => document.put(at, value),
                _ if matches!(value, Json::Object(_)) || operation.params().is_empty() => document = value,
                _ => {
                    return Err(Failure::new(
                        422,
                        "body-mismatch",
                        format!("the body is {} and not an object", value.kind()),
                    ));
                }
            }
        }
        // What stands in path, query and headers counts, whatever the body says.
        for (param, texts) in operation.params().iter().zip(&exchange.params) {
            document.take(&param.at);
            operation.input.remove(&mut document, &param.at, terms);
            if !texts.is_empty() || param.list {
                document.put(&param.at, param.read(texts)?);
            }
        }
        let mut header = Writer::new(&terms.bounds);
        if operation.header.wants(&document) {
            write_element("soap:Header", &operation.header, &document, &mut header, terms)?;
        }
        for (at, ..) in operation.header.places() {
            document.take(at);
        }
        envelope::write(self.upstream_version(), terms, &header.finish()?, |out| {
            operation.input.write(&operation.request, &document, out, terms)
        })
    }

    pub(crate) fn rest_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let exchange = ctx.get(&EXCHANGE)?;
        let Some(exchange) = exchange.filter(|_| !response.is_refusal()) else {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        };
        let status = response.status();
        if !matches!(status, 204 | 205) && !response.describes_absent_body(ctx) {
            return Ok(Verdict::Continue);
        }
        // What is answered here is not to come back as a body to be translated.
        ctx.skip_body();
        if status >= 300 {
            return Ok(unexpected(status).problem(Side::Response).into());
        }
        let operation = &self.operations[exchange.operation];
        Ok(match self.to_json(None, operation) {
            Ok((headers, body)) => {
                let reply = headers
                    .iter()
                    .flat_map(|(name, values)| values.iter().map(move |value| (name, value)))
                    .fold(Reply::new(operation.status), |reply, (name, value)| reply.header(name, value));
                let is_empty = operation.status == 204;
                if is_empty { reply } else { reply.header("content-type", "application/json").body(body) }
                    .into()
            }
            Err(failure) => failure.problem(Side::Response).into(),
        })
    }

    pub(crate) fn rest_response_body(
        &self,
        response: &mut Response,
        body: &mut Body,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        let Some(exchange) = ctx.get(&EXCHANGE)? else { return Ok(Verdict::Continue) };
        let operation = &self.operations[exchange.operation];
        let envelope = match self.envelope(response, body)? {
            Ok(envelope) => envelope,
            Err(failure) => return Ok(self.no_soap(&failure, response)),
        };
        if let Some(fault) = envelope.as_ref().and_then(Fault::of) {
            let problem = fault::problem(&self.faults, &fault, self.exposes_detail, &self.fault_terms);
            return Ok(keep_headers(problem, response).into());
        }
        if !(200..=299).contains(&response.status()) {
            return Ok(self.no_soap(&unexpected(response.status()), response));
        }
        let (headers, json) = match self.to_json(envelope.as_ref(), operation) {
            Ok(made) => made,
            Err(failure) => return Ok(failure.problem(Side::Response).into()),
        };
        response.mark_rewritten()?;
        response.set_status(operation.status)?;
        for (name, values) in headers {
            response.headers_mut().remove(&name)?;
            for value in values {
                match response.headers_mut().append(&name, value) {
                    Err(error) if error.refuses_value() => {
                        let detail = format!("what stands in the header `{name}` cannot be sent");
                        return Ok(Failure::new(502, "body-mismatch", detail).problem(Side::Response).into());
                    }
                    done => done?,
                }
            }
        }
        let json = if operation.status == 204 {
            response.headers_mut().remove("content-type")?;
            String::new()
        } else {
            response.headers_mut().set("content-type", "application/json")?;
            json
        };
        Ok(match write_body(body, json.as_bytes())? {
            Ok(()) => Verdict::Continue,
            Err(failure) => failure.problem(Side::Response).into(),
        })
    }

    /// The envelope of a response; none if it has no body.
    fn envelope(&self, response: &Response, body: &Body) -> Result<Result<Option<Envelope>, Failure>> {
        if body.is_empty() {
            return Ok(Ok(None));
        }
        let not_soap = |why: &str| Failure::new(502, "response-not-soap", why);
        let media = MediaType::of(&response.headers()).filter(MediaType::is_xml);
        let Some(media) = media else {
            return Ok(Err(not_soap("the body is not SOAP by its `Content-Type`")));
        };
        let bytes = match self.plain(&response.headers(), body)? {
            Ok(bytes) => bytes,
            Err(failure) => return Ok(Err(failure)),
        };
        Ok(self.root(bytes, &media).and_then(|root| {
            let envelope = Envelope::new(root).map_err(|reason| match reason {
                NoEnvelope::Version => not_soap("this version of SOAP is not known"),
                NoEnvelope::Malformed(why) => not_soap(why),
            });
            envelope.map(Some)
        }))
    }

    /// The headers and the body of what succeeded.
    fn to_json(
        &self,
        envelope: Option<&Envelope>,
        operation: &Operation,
    ) -> Result<(HeaderTexts, String), Failure> {
        let element = match envelope.map(|envelope| &envelope.body[..]) {
            None | Some([]) => None,
            Some([element]) if element.name == operation.response.name => Some(element),
            Some(_) => {
                let detail = format!("the `Body` is not one `{}`", operation.response.written);
                return Err(Failure::new(502, "response-unexpected", detail));
            }
        };
        let mut document = operation.output.read(element, &self.terms)?;
        let mut headers = Vec::new();
        for param in &operation.response_headers {
            let Stands::Header(name) = &param.stands else { continue };
            let texts = param.write(document.take(&param.at))?;
            if !texts.is_empty() {
                headers.push((name.clone(), texts));
            }
        }
        let body = document.write();
        if body.len() > self.terms.bounds.size {
            return Err(Failure::too_large(self.terms.bounds.too_large()));
        }
        Ok((headers, body))
    }

    /// What failed at the upstream without a word of SOAP keeps its status.
    fn no_soap(&self, failure: &Failure, response: &Response) -> Verdict {
        let status = response.status();
        if status < 400 {
            return failure.problem(Side::Response).into();
        }
        let problem = Problem::new(status, format!("the upstream answered {status}, and no SOAP"))
            .kind("response-not-soap");
        keep_headers(problem, response).into()
    }
}

/// What a client needs to know whatever the answer is.
fn keep_headers(problem: Problem, response: &Response) -> Problem {
    let headers = response.headers();
    let kept =
        KEPT.into_iter().flat_map(|name| headers.get_all(name).into_iter().map(move |value| (name, value)));
    kept.fold(problem, |problem, (name, value)| problem.header(name, value.as_bytes()))
}

fn no_operation(methods: Vec<&'static str>) -> Verdict {
    if methods.is_empty() {
        return Problem::not_found("there is no operation of this path").kind("operation-unknown").into();
    }
    let problem = Problem::method_not_allowed("the path has other methods").kind("method-unknown");
    problem.header("allow", methods.join(", ")).into()
}
