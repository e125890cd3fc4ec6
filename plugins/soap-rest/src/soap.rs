//! SOAP clients of a REST upstream.

use sluice_sdk::prelude::*;

use crate::envelope::{self, Code, Envelope, NewFault, NoEnvelope, Version};
use crate::failure::{Failure, Side};
use crate::fault;
use crate::json::{self, Json};
use crate::media::MediaType;
use crate::operation::{Operation, Stands};
use crate::outgoing::Outgoing;
use crate::service::{KEPT, Service, prepare, unexpected, write_body};
use crate::shape::{Budget, absent, read};
use crate::stop::Stop;

/// What an exchange remembers.
#[derive(Deserialize, Serialize)]
struct Exchange {
    version: Version,
    action: Option<String>,
    charset: Option<String>,
    operation: Option<usize>,
    /// This step has answered: what comes back is its own.
    answered: bool,
}

const EXCHANGE: Value<Exchange> = Value::step("exchange");

/// A request that is not translated.
enum Refusal {
    Failure(Failure),
    /// A fault in an envelope of this version.
    Fault(Code, String, Version),
}

impl<F: Into<Failure>> From<F> for Refusal {
    fn from(failure: F) -> Self {
        Self::Failure(failure.into())
    }
}

impl Service {
    pub(crate) fn soap_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let query = request.query().unwrap_or_default();
        if let Some(wsdl) = &self.wsdl
            && request.method() == Method::Get
            && query.split('&').any(|pair| pair.eq_ignore_ascii_case("wsdl"))
        {
            let reply = Reply::new(200).header("content-type", "text/xml; charset=utf-8");
            return Ok(Verdict::respond(reply.body(wsdl.as_str())));
        }
        let Some(media) = MediaType::of(&request.headers()) else {
            let problem = Problem::bad_request("there are several `Content-Type` headers");
            return Ok(problem.kind("content-type-ambiguous").into());
        };
        let version = match media.essence.as_str() {
            "text/xml" => Some(Version::V11),
            "application/soap+xml" => Some(Version::V12),
            _ => None,
        };
        let is_post = request.method() == Method::Post;
        let Some(version) = version.filter(|_| is_post) else {
            ctx.skip_body();
            return Ok(if self.passes_unmatched { Verdict::Continue } else { no_soap(is_post) });
        };
        let action = match version {
            Version::V11 => request.headers().get("soapaction").map(|value| value.to_string()),
            Version::V12 => media.parameter("action").map(str::to_owned),
        };
        let action = action.map(|action| action.trim().trim_matches('"').to_owned());
        let charset = media.parameter("charset").map(str::to_owned);
        let exchange = Exchange { version, action, charset, operation: None, answered: false };
        match ctx.set(&EXCHANGE, &exchange) {
            Err(error) if error.refuses_value() => {
                return Ok(Problem::new(431, "the action is too long").kind("headers-too-large").into());
            }
            kept => kept?,
        }
        prepare(request, "application/json, application/problem+json")?;
        Ok(Verdict::Continue)
    }

    pub(crate) fn soap_request_body(
        &self,
        request: &mut Request,
        body: &mut Body,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        let Some(mut exchange) = ctx.get(&EXCHANGE)? else { return Ok(Verdict::Continue) };
        let translated = match self.plain(&request.headers(), body)? {
            Ok(bytes) => self.to_rest(bytes, &exchange),
            Err(failure) => Err(failure.into()),
        };
        let sent = match translated {
            Ok(outgoing) => {
                exchange.operation = Some(outgoing.operation);
                self.send(outgoing, request, body)?.map_err(Refusal::Failure)
            }
            Err(refusal) => Err(refusal),
        };
        exchange.answered = sent.is_err();
        ctx.set(&EXCHANGE, &exchange)?;
        match sent {
            Ok(()) => Ok(Verdict::Continue),
            Err(Refusal::Failure(failure)) => self.failed(&failure, Side::Request, exchange.version),
            Err(Refusal::Fault(code, reason, version)) => {
                let fault = NewFault { code, subcode: None, reason: &reason, detail: "" };
                self.answer(&fault, version, &[])
            }
        }
    }

    fn to_rest(&self, bytes: Vec<u8>, exchange: &Exchange) -> Result<Outgoing, Refusal> {
        let mut media = MediaType::default();
        if let Some(charset) = &exchange.charset {
            media = MediaType::parse(&format!("text/xml; charset=\"{}\"", charset.replace(['"', '\\'], "")));
        }
        // Who speaks a version that is not known is answered in one that is served.
        let served = self.version.unwrap_or(exchange.version);
        let envelope = Envelope::new(self.root(bytes, &media)?).map_err(|reason| match reason {
            NoEnvelope::Version => {
                let reason = "this version of SOAP is not known".to_owned();
                Refusal::Fault(Code::VersionMismatch, reason, served)
            }
            NoEnvelope::Malformed(why) => Failure::new(400, "soap-malformed", why).into(),
        })?;
        if envelope.version != exchange.version || self.version.is_some_and(|only| only != envelope.version) {
            let reason = "the envelope is of another version of SOAP than it should be";
            // SOAP 1.1 is answered in SOAP 1.1, which its clients can read (SOAP 1.2 part 1 appendix A).
            let version = if envelope.version == Version::V11 { Version::V11 } else { served };
            return Err(Refusal::Fault(Code::VersionMismatch, reason.to_owned(), version));
        }
        let index = self.operation_of(&envelope, exchange.action.as_deref())?;
        let operation = &self.operations[index];
        let is_understood = |name: &crate::xml::Name| {
            let mut known = operation.header.child_names().chain(&self.understood);
            known.any(|tag| tag.name == *name)
        };
        if let Some(name) = envelope.misunderstood(&is_understood) {
            let reason = format!("the header block `{}` is not understood", name.local);
            return Err(Refusal::Fault(Code::MustUnderstand, reason, exchange.version));
        }
        let mut document = operation.input.read(envelope.body.first(), &self.terms)?;
        let budget = Budget::lenient(&self.terms);
        match &envelope.header {
            Some(header) => read(&operation.header, header, &mut document, &budget),
            None => absent(&operation.header, &mut document, &budget),
        }
        .map_err(|stop| stop.within("Header", '/'))?;
        Ok(Outgoing::new(index, operation, document, &self.terms.bounds)?)
    }

    fn operation_of(&self, envelope: &Envelope, action: Option<&str>) -> Result<usize, Failure> {
        let [element] = &envelope.body[..] else {
            return Err(Failure::new(400, "soap-malformed", "the `Body` has not exactly one element"));
        };
        let action = action.filter(|action| !action.is_empty());
        let of_element = |operation: &Operation| operation.request.name == element.name;
        let suits = |operation: &Operation| match (&operation.action, action) {
            (Some(known), Some(action)) => known == action,
            _ => true,
        };
        let mut known =
            self.operations.iter().enumerate().filter(|(_, operation)| of_element(operation)).peekable();
        if known.peek().is_none() {
            let detail = format!(
                "there is no operation with the element `{}` of `{}`",
                element.name.local, element.name.namespace
            );
            return Err(Failure::new(404, "operation-unknown", detail));
        }
        let mut suitable = known.filter(|(_, operation)| suits(operation));
        match (suitable.next(), suitable.next()) {
            (Some((index, _)), None) => Ok(index),
            (None, _) => Err(Failure::new(
                400,
                "action-mismatch",
                "the action is not that of the element in the `Body`",
            )),
            _ => Err(Failure::new(
                400,
                "action-mismatch",
                "operations with this element are told apart by the action, which is missing",
            )),
        }
    }

    fn send(
        &self,
        outgoing: Outgoing,
        request: &mut Request,
        body: &mut Body,
    ) -> Result<Result<(), Failure>> {
        let operation = &self.operations[outgoing.operation];
        request.mark_rewritten()?;
        request.set_method(&operation.method)?;
        request.set_path(&outgoing.path)?;
        request.set_query(&outgoing.query)?;
        for (name, values) in &outgoing.headers {
            request.headers_mut().remove(name)?;
            for value in values {
                match request.headers_mut().append(name, value) {
                    Err(error) if error.refuses_value() => {
                        let detail = format!("what stands in the header `{name}` cannot be sent");
                        return Ok(Err(Failure::new(400, "parameter-invalid", detail)));
                    }
                    done => done?,
                }
            }
        }
        if outgoing.body.is_some() {
            request.headers_mut().set("content-type", "application/json")?;
        }
        write_body(body, outgoing.body.unwrap_or_default().as_bytes())
    }

    pub(crate) fn soap_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let exchange = ctx.get(&EXCHANGE)?.filter(|exchange| !exchange.answered);
        let Some(exchange) = exchange else {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        };
        let status = response.status();
        let is_gateways = response.origin() == Origin::Gateway;
        if !is_gateways && !matches!(status, 204 | 205) && !response.describes_absent_body(ctx) {
            return Ok(Verdict::Continue);
        }
        // What is answered here is not to come back as a body to be translated.
        ctx.skip_body();
        if is_gateways {
            return self.refused(status, None, response, exchange.version);
        }
        if matches!(status, 204 | 205) {
            let headers = response.headers();
            return match self.to_soap(None, &headers, &exchange) {
                Ok(message) => Ok(soap_reply(200, exchange.version, message).into()),
                Err(failure) => self.failed(&failure, Side::Response, exchange.version),
            };
        }
        self.failed(&unexpected(status), Side::Response, exchange.version)
    }

    pub(crate) fn soap_response_body(
        &self,
        response: &mut Response,
        body: &mut Body,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        let Some(exchange) = ctx.get(&EXCHANGE)? else { return Ok(Verdict::Continue) };
        let (version, status) = (exchange.version, response.status());
        let document = self.document(response, body)?;
        if status >= 400 {
            let is_problem = MediaType::of(&response.headers()).is_some_and(|media| media.is_json());
            let document = document.ok().flatten().filter(|_| is_problem);
            return self.refused(status, document.as_ref(), response, version);
        }
        let message = match document {
            _ if status >= 300 => Err(unexpected(status)),
            Ok(document) => self.to_soap(document, &response.headers(), &exchange),
            Err(failure) => Err(failure),
        };
        let message = match message {
            Ok(message) => message,
            Err(failure) => return self.failed(&failure, Side::Response, version),
        };
        response.mark_rewritten()?;
        response.set_status(200)?;
        response.headers_mut().set("content-type", version.content_type(None))?;
        match write_body(body, message.as_bytes())? {
            Ok(()) => Ok(Verdict::Continue),
            Err(failure) => self.failed(&failure, Side::Response, version),
        }
    }

    /// The JSON of a response; none if it has no body.
    fn document(&self, response: &Response, body: &Body) -> Result<Result<Option<Json>, Failure>> {
        if body.is_empty() {
            return Ok(Ok(None));
        }
        if !MediaType::of(&response.headers()).is_some_and(|media| media.is_json()) {
            return Ok(Err(Failure::new(
                415,
                "media-type-unsupported",
                "the body is not JSON by its `Content-Type`",
            )));
        }
        let bytes = match self.plain(&response.headers(), body)? {
            Ok(bytes) => bytes,
            Err(failure) => return Ok(Err(failure)),
        };
        Ok(json::parse(&bytes, &self.terms.bounds).map(Some).map_err(Failure::from))
    }

    fn to_soap(
        &self,
        document: Option<Json>,
        headers: &Headers<'_>,
        exchange: &Exchange,
    ) -> Result<String, Failure> {
        let operation = exchange.operation.and_then(|index| self.operations.get(index));
        let operation = operation.ok_or_else(|| {
            Failure::new(502, "response-unexpected", "it came before the operation was known")
        })?;
        let mut document = document.unwrap_or_else(|| Json::Object(Vec::new()));
        for param in &operation.response_headers {
            let Stands::Header(name) = &param.stands else { continue };
            let values: Vec<String> = headers.get_all(name).iter().map(ToString::to_string).collect();
            if !values.is_empty() {
                if !matches!(document, Json::Object(_)) {
                    let why = format!("it is {} and has no member for the header `{name}`", document.kind());
                    return Err(Stop::mismatch("", why).into());
                }
                operation.output.remove(&mut document, &param.at, &self.terms);
                document.put(&param.at, param.read(&values)?);
            }
        }
        envelope::write(exchange.version, &self.terms, "", |out| {
            operation.output.write(&operation.response, &document, out, &self.terms)
        })
    }

    /// A response that is no success, as a fault.
    fn refused(
        &self,
        status: u16,
        document: Option<&Json>,
        response: &Response,
        version: Version,
    ) -> Result<Verdict> {
        let told = fault::fault(&self.faults, status, document, &self.fault_terms);
        let fault =
            NewFault { code: told.code, subcode: told.subcode, reason: &told.reason, detail: &told.detail };
        let headers = response.headers();
        let kept = KEPT
            .into_iter()
            .flat_map(|name| headers.get_all(name).into_iter().map(move |value| (name, value)));
        self.answer(&fault, version, &kept.collect::<Vec<_>>())
    }

    fn failed(&self, failure: &Failure, side: Side, version: Version) -> Result<Verdict> {
        let code = if side == Side::Request { Code::Sender } else { Code::Receiver };
        let reason = failure.told(side);
        let mut members =
            vec![("type".to_owned(), Json::text(failure.kind)), ("detail".to_owned(), Json::text(&*reason))];
        members.extend(failure.field.iter().map(|field| ("field".to_owned(), Json::text(&**field))));
        let detail = fault::problem_element(failure.status(side), Some(&Json::Object(members)), &self.terms);
        self.answer(&NewFault { code, subcode: None, reason: &reason, detail: &detail }, version, &[])
    }

    fn answer(
        &self,
        fault: &NewFault<'_>,
        version: Version,
        headers: &[(&str, HeaderValue)],
    ) -> Result<Verdict> {
        let write = |fault: &NewFault<'_>| {
            envelope::write(version, &self.terms, "", |out| {
                fault.write(version, out);
                Ok(())
            })
        };
        // A problem document may come to more than a body may have.
        let message = write(fault)
            .or_else(|_| write(&NewFault { detail: "", reason: "the response is too large", ..*fault }));
        let message = message.map_err(|failure| Error::new(failure.detail))?;
        let reply = soap_reply(fault.status(version), version, message);
        Ok(headers.iter().fold(reply, |reply, (name, value)| reply.header(name, value.as_bytes())).into())
    }
}

fn soap_reply(status: u16, version: Version, message: String) -> Reply {
    Reply::new(status).header("content-type", version.content_type(None)).body(message)
}

fn no_soap(is_post: bool) -> Verdict {
    if !is_post {
        let problem = Problem::method_not_allowed("SOAP messages are sent with `POST`");
        return problem.kind("method-unknown").header("allow", "POST").into();
    }
    let problem =
        Problem::unsupported_media_type("SOAP messages are of the type `text/xml` or `application/soap+xml`");
    problem.kind("media-type-unsupported").header("accept", "text/xml, application/soap+xml").into()
}
