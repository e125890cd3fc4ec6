//! Bounds what GraphQL requests may ask for.

mod config;
mod items;
mod json;
mod measure;
mod persisted;
mod refusal;
mod request;

use std::cell::Cell;

use sluice_sdk::prelude::*;
use sluice_sdk_graphql::{Document, Operation, OperationKind, ParseError, parse, short};

pub use config::Config;
use config::{Kind, Mode};
use persisted::{Persisted, is_digest};
use refusal::Refusal;
use request::{Asked, Bounds, as_it_is, with_text, without_reference};

/// The policy.
pub struct GraphqlGuard {
    config: Config,
    persisted: Option<Persisted>,
    /// Bytes of a document.
    max_query: usize,
}

/// What a request that is let through is like.
struct Passed {
    /// None if what would be refused could not be measured.
    cost: Option<u64>,
    /// Of each operation, the text of a document that it refers to.
    texts: Vec<Option<String>>,
    /// Why it would be refused, if that is only told.
    refusal: Option<Refusal>,
}

#[plugin(optional(log))]
impl Plugin for GraphqlGuard {
    type Config = Config;

    fn new(mut config: Config) -> Result<Self> {
        config.check()?;
        let persisted = config.persisted.take().map(Persisted::new).transpose()?;
        let max_query = usize::try_from(config.max_query_size.bytes())?;
        let guard = Self { config, persisted, max_query };
        for (id, text) in guard.persisted.iter().flat_map(Persisted::documents) {
            let read = guard.document(text);
            read.map_err(|refusal| Error::new(format!("`persisted.documents`: `{id}`: {}", refusal.line())))?;
        }
        Ok(guard)
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        if let Some(name) = &self.config.cost_header {
            request.headers_mut().remove(name)?;
        }
        let judged = match request.method() {
            Method::Get | Method::Head => match self.judge_query(request) {
                Ok(passed) => self.pass_query(request, passed)?,
                Err(refusal) => Err(refusal),
            },
            Method::Post => match self.judge_head(request) {
                // What was sent means just this, whoever reads it.
                Ok(()) => Ok(request.headers_mut().set("content-type", "application/json")?),
                refused => refused,
            },
            Method::Options => Ok(()),
            _ => Err(self.not_with("GraphQL is asked with `GET` or `POST`")),
        };
        if judged.is_err() || request.method() != Method::Post {
            ctx.skip_body();
        }
        Ok(judged.map_or_else(|refusal| self.refuse(request, refusal), |()| Verdict::Continue))
    }

    fn on_request_body(&self, request: &mut Request, body: &mut Body, _: &mut Context) -> Result<Verdict> {
        let bytes = body.bytes()?;
        let read = str::from_utf8(&bytes).map_err(|_| Refusal::malformed("the body is not UTF-8"));
        let judged = read.and_then(|text| self.judge_body(text));
        let (passed, rewritten) = match judged {
            Ok(passed) => passed,
            Err(refusal) => return Ok(self.refuse(request, refusal)),
        };
        self.tell(request, passed.cost)?;
        if let Some(rewritten) = rewritten {
            match body.set(rewritten) {
                Err(error) if error.refuses_value() => return Ok(self.refuse(request, does_not_fit("body"))),
                set => set?,
            }
            request.mark_rewritten()?;
        }
        Ok(passed.refusal.map_or(Verdict::Continue, |refusal| self.refuse(request, refusal)))
    }
}

impl GraphqlGuard {
    fn refuse(&self, request: &Request, refusal: Refusal) -> Verdict {
        match self.config.mode {
            Mode::Enforce => {
                let accept = request.headers().get_all("accept");
                let accept: Vec<_> = accept.iter().map(ToString::to_string).collect();
                Verdict::respond(refusal.reply(&accept.join(",")))
            }
            Mode::Report => {
                warn!("would be refused: {}", refusal.line());
                Verdict::Continue
            }
        }
    }

    fn not_with(&self, why: &str) -> Refusal {
        let allow = if self.config.get { "GET, POST" } else { "POST" };
        Refusal::new(405, "graphql-method", why).header("allow", allow)
    }

    fn tell(&self, request: &mut Request, cost: Option<u64>) -> Result<()> {
        match self.config.cost_header.as_ref().zip(cost) {
            Some((name, cost)) => request.headers_mut().set(name, cost.to_string()),
            None => Ok(()),
        }
    }

    fn bounds(&self) -> Bounds<'_> {
        Bounds {
            extra: &self.config.extra_members,
            values: Cell::new(self.config.max_values),
            max_values: self.config.max_values,
            max_batch: self.config.max_batch,
        }
    }

    fn judge_query(&self, request: &Request) -> Result<Passed, Refusal> {
        if !self.config.get {
            return Err(self.not_with("GraphQL is not asked with `GET` here"));
        }
        if request.has_body() {
            return Err(Refusal::malformed("a `GET` has a body"));
        }
        let asked = Asked::of_parameters(&parameters(request)?, &self.bounds())?;
        self.judge(&[asked], true)
    }

    /// Puts the text of a document that is referred to into the query.
    fn pass_query(&self, request: &mut Request, passed: Passed) -> Result<Result<(), Refusal>> {
        self.tell(request, passed.cost)?;
        let told = passed.refusal.map_or(Ok(()), Err);
        let Some(Some(text)) = passed.texts.into_iter().next() else { return Ok(told) };
        let extensions = request.query_param("extensions");
        request.remove_query_param("documentId")?;
        request.remove_query_param("extensions")?;
        if let Some(rest) = extensions.as_deref().and_then(without_reference) {
            request.set_query_param("extensions", &rest)?;
        }
        match request.set_query_param("query", &text) {
            Err(error) if error.refuses_value() => Ok(Err(does_not_fit("query"))),
            set => set.map(|()| told),
        }
    }

    /// What the head says of a body: one way to read it, or none.
    fn judge_head(&self, request: &Request) -> Result<(), Refusal> {
        let headers = request.headers();
        let types = headers.get_all("content-type");
        let is_json = match types.as_slice() {
            [only] => is_json(&only.to_string()),
            _ => false,
        };
        if !is_json {
            let detail = "the body has to be `application/json`, in UTF-8";
            let refusal = Refusal::new(415, "graphql-media-type", detail);
            return Err(refusal.header("accept-post", "application/json"));
        }
        let codings = headers.get_all("content-encoding");
        if codings.iter().any(|coding| !coding.to_string().eq_ignore_ascii_case("identity")) {
            let refusal =
                Refusal::new(415, "graphql-content-coding", "a body in a content coding is not read");
            return Err(refusal.header("accept-encoding", "identity"));
        }
        let parameters = parameters(request)?;
        let is_known = |name: &String| self.config.extra_members.contains(name);
        match parameters.iter().map(|(name, _)| name).find(|name| !is_known(name)) {
            Some(name) if request::MEMBERS.contains(&name.as_str()) => {
                let detail =
                    format!("`{name}` stands in the query of a `POST`: upstreams differ in what counts");
                Err(Refusal::malformed(detail))
            }
            Some(name) => Err(request::unknown("parameter", name)),
            None => Ok(()),
        }
    }

    /// What passes, and the body that it becomes, if it is another.
    fn judge_body(&self, body: &str) -> Result<(Passed, Option<String>), Refusal> {
        let bounds = self.bounds();
        let (operations, is_batch) = request::operations(body, &bounds)?;
        let asked = operations.iter().map(|members| Asked::of_members(members, &bounds));
        let asked: Vec<_> = asked.collect::<Result<_, _>>()?;
        let judged = self.judge(&asked, false);
        let passed =
            judged.map_err(|refusal| if is_batch { refusal.of_array(asked.len()) } else { refusal })?;
        if passed.texts.iter().all(Option::is_none) {
            return Ok((passed, None));
        }
        let written = operations.iter().zip(&asked).zip(&passed.texts).map(|((members, asked), text)| {
            match text.as_deref().or(asked.query.as_deref()) {
                Some(text) => with_text(members, text),
                None => as_it_is(members),
            }
        });
        let written = written.collect::<Vec<_>>().join(",");
        let body = if is_batch { format!("[{written}]") } else { written };
        Ok((passed, Some(body)))
    }

    /// Where refusals are only told, the first of them is among what passes, and as much as can be known of everything.
    fn judge(&self, asked: &[Asked], is_get: bool) -> Result<Passed, Refusal> {
        let mut passed = Passed { cost: Some(0), texts: Vec::new(), refusal: None };
        let refuse = |refusal: Refusal, first: &mut Option<Refusal>| match self.config.mode {
            Mode::Enforce => Err(refusal),
            Mode::Report => {
                first.get_or_insert(refusal);
                Ok(())
            }
        };
        for (index, operation) in asked.iter().enumerate() {
            let (cost, text, judged) = self.judge_operation(operation, is_get);
            if let Err(refusal) = judged {
                let refusal = if asked.len() > 1 { refusal.of(index) } else { refusal };
                refuse(refusal, &mut passed.refusal)?;
            }
            passed.cost = passed.cost.zip(cost).map(|(sum, cost)| sum.saturating_add(cost));
            passed.texts.push(text.map(str::to_owned));
        }
        let max = self.config.cost.max;
        if let Some(cost) = passed.cost.filter(|&cost| cost > max) {
            let what = format!("a cost of {cost}");
            refuse(Refusal::over("graphql-too-costly", &what, max), &mut passed.refusal)?;
        }
        Ok(passed)
    }

    /// What it costs if that is known, the text of the document that it refers to, and whether it passes.
    fn judge_operation(
        &self,
        asked: &Asked,
        is_get: bool,
    ) -> (Option<u64>, Option<&str>, Result<(), Refusal>) {
        let (replaced, refused) = match self.look_up(asked) {
            Ok(replaced) => (replaced, Ok(())),
            Err(refusal) => (None, Err(refusal)),
        };
        if refused.is_err() && self.config.mode == Mode::Enforce {
            return (None, None, refused);
        }
        let Some(text) = replaced.or(asked.query.as_deref()) else {
            return (None, None, refused.and_then(|()| Err(Refusal::malformed("there is no `query`"))));
        };
        let mut cost = None;
        let held = self.hold(text, asked, is_get, &mut cost);
        (cost, replaced, refused.and(held))
    }

    /// Holds a document to what the operator allows, and tells its cost.
    fn hold(&self, text: &str, asked: &Asked, is_get: bool, cost: &mut Option<u64>) -> Result<(), Refusal> {
        let document = self.document(text)?;
        let operation = choose(&document, asked.operation.as_deref())?;
        let measured = measure::measure(&self.config, text, &document, operation, &asked.variables);
        *cost = measured.as_ref().ok().map(|measure| measure.cost);
        if is_get && operation.kind != OperationKind::Query {
            return Err(Refusal::new(405, "graphql-method", "`GET` is for queries").header("allow", "POST"));
        }
        if !self.config.operations.contains(&Kind::from(operation.kind)) {
            let detail = format!("operations of the kind `{}` are not served", operation.kind.name());
            return Err(Refusal::new(403, "graphql-operation", detail));
        }
        measured?.check(&self.config)
    }

    /// The text of the document that an operation refers to.
    fn look_up(&self, asked: &Asked) -> Result<Option<&str>, Refusal> {
        let id = asked.id.as_deref();
        let found = self.persisted.as_ref().zip(id).and_then(|(persisted, id)| persisted.find(id));
        let Some(query) = asked.query.as_deref() else {
            return match (id, &self.persisted) {
                (Some(_), _) if found.is_none() && asked.is_automatic => Err(Refusal::unknown_hash()),
                (Some(_), None) => {
                    let refusal = Refusal::malformed("PersistedQueryNotSupported");
                    Err(refusal.code("PERSISTED_QUERY_NOT_SUPPORTED"))
                }
                (Some(_), Some(_)) if found.is_none() => {
                    let refusal = Refusal::new(404, "graphql-document-unknown", "PersistedQueryNotFound");
                    Err(refusal.code("PERSISTED_QUERY_NOT_FOUND"))
                }
                _ => Ok(found),
            };
        };
        // An upstream may go by the one or by the other.
        if found.is_some_and(|text| text != query)
            || found.is_none() && id.is_some_and(|id| !is_digest(id, query))
        {
            return Err(Refusal::malformed("the document's text is not that of its id"));
        }
        match &self.persisted {
            Some(persisted) if persisted.only && !persisted.knows(query) => {
                let detail = "the document is none of those that are served";
                Err(Refusal::new(403, "graphql-document-unlisted", detail))
            }
            _ => Ok(found),
        }
    }

    fn document<'t>(&self, text: &'t str) -> Result<Document<'t>, Refusal> {
        if text.len() > self.max_query {
            return Err(Refusal::too_large("bytes of a document", self.max_query));
        }
        parse(text, self.config.max_tokens).map_err(|error| match error {
            ParseError::TooManyTokens(bound) => Refusal::too_large("tokens of a document", bound),
            ParseError::Syntax { at, message } => {
                let refusal = Refusal::new(400, "graphql-syntax", format!("the document is none: {message}"));
                refusal.code("GRAPHQL_PARSE_FAILED").at(text, at)
            }
        })
    }
}

/// The operation that is executed.
fn choose<'d, 's>(document: &'d Document<'s>, name: Option<&str>) -> Result<&'d Operation<'s>, Refusal> {
    document.operation(name).ok_or_else(|| match name {
        Some(name) => Refusal::invalid(format!("there is no operation `{}`", short(name))),
        None if document.operations.is_empty() => Refusal::invalid("the document has no operation"),
        None => Refusal::invalid("the document has several operations, and `operationName` is missing"),
    })
}

fn does_not_fit(what: &str) -> Refusal {
    Refusal::new(413, "graphql-too-large", format!("with the document's text the {what} is too large"))
}

/// The parameters of the URL's query. There are readers for which `;` parts them too.
fn parameters(request: &Request) -> Result<Vec<(String, String)>, Refusal> {
    if request.query().is_some_and(|query| query.contains(';')) {
        return Err(Refusal::malformed("the URL's query has a `;`, which is written `%3B`"));
    }
    Ok(request.query_params())
}

/// `application/json`, in UTF-8 if it says in what. Nothing else stands there, and no blanks around `=`: readers differ in what those
/// make of a parameter.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(|part| part.trim_matches([' ', '\t']));
    let is_json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let charset = |parameter: &str| {
        let (name, value) = parameter.split_once('=')?;
        let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        name.eq_ignore_ascii_case("charset").then(|| quoted.unwrap_or(value).to_ascii_lowercase())
    };
    let is_utf_8 = |charset: String| matches!(charset.as_str(), "utf-8" | "utf8");
    is_json && parts.next().is_none_or(|only| charset(only).is_some_and(is_utf_8)) && parts.next().is_none()
}
