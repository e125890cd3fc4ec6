//! Serves REST routes by GraphQL operations that the operator has written.

mod answer;
mod ask;
mod body;
mod config;
mod errors;
mod input;
mod result;
mod route;
mod schema;
mod template;

use sluice_sdk::prelude::*;

use answer::Asked;
use ask::{Parts, ask};
pub use config::Config;
use config::{SchemaConfig, Unknown, Unmatched};
use errors::Rules;
use route::Route;
use schema::Types;

/// What was asked for.
const ASKED: Value<Asked> = Value::step("asked");

/// Bytes of an `If-None-Match` that is looked at.
const MOST_TAGS: usize = 4_096;

/// The policy.
pub struct RestGraphql {
    endpoint: String,
    /// In order of precedence.
    routes: Vec<Route>,
    types: Types,
    errors: Rules,
    unmatched: Unmatched,
    unknown_query: Unknown,
}

#[plugin]
impl Plugin for RestGraphql {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let endpoint = config.endpoint;
        ensure!(
            endpoint.starts_with('/') && !endpoint.contains(['?', '#']),
            "`endpoint` is a path, such as `/graphql`"
        );
        ensure!(!config.routes.is_empty(), "`routes` is empty: nothing would be served");
        let schema = match config.schema {
            Some(SchemaConfig::File(file)) => {
                let text = file.bytes().context("`schema`")?;
                String::from_utf8(text).context("`schema`")?
            }
            Some(SchemaConfig::Text(text)) => text,
            None => String::new(),
        };
        let types = Types::new(&schema)?;
        let mut routes: Vec<Route> = Vec::new();
        for (at, config) in config.routes.into_iter().enumerate() {
            let place = format!("`routes[{at}]`");
            let route = Route::new(config, &types).context(&place)?;
            let same = |known: &Route| {
                known.method == route.method && known.template.shape() == route.template.shape()
            };
            ensure!(!routes.iter().any(same), "{place}: there is another route of this method and path");
            routes.push(route);
        }
        routes.sort_by(|a, b| a.template.cmp(&b.template));
        let errors = Rules::new(config.errors)?;
        let (unmatched, unknown_query) = (config.unmatched, config.unknown_query);
        Ok(Self { endpoint, routes, types, errors, unmatched, unknown_query })
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let (method, path) = (request.method(), request.path());
        let Some(route) = self.find(&method, &path) else {
            if self.unmatched == Unmatched::Pass {
                ctx.skip_body();
                return Ok(Verdict::Continue);
            }
            return Ok(self.no_route(&path).into());
        };
        if self.routes[route].takes_body()
            && request.has_body()
            && let Err(problem) = answer::is_json(&request.headers())
        {
            return Ok(problem.into());
        }
        let tags = request.headers().get("if-none-match").map(|tags| tags.to_string());
        let tags = tags.filter(|tags| self.routes[route].is_get() && tags.len() <= MOST_TAGS);
        ctx.set(&ASKED, &Asked { route, tags })?;
        Ok(Verdict::Continue)
    }

    fn on_request_body(&self, request: &mut Request, body: &mut Body, ctx: &mut Context) -> Result<Verdict> {
        let Some(Asked { route, .. }) = ctx.get(&ASKED)? else { return Ok(Verdict::Continue) };
        let route = &self.routes[route];
        let sent = if route.takes_body() { body.bytes()? } else { Vec::new() };
        let Ok(text) = str::from_utf8(&sent) else {
            return Ok(Problem::bad_request("the body is not UTF-8").kind("body-malformed").into());
        };
        let path = template::segments(&request.path()).unwrap_or_default();
        let parts = Parts {
            request,
            path: route.template.values(&path).unwrap_or_default(),
            query: request.query_params(),
            body: text,
            consumer: ctx.consumer_name(),
        };
        let question = match ask(route, &self.types, &parts, self.unknown_query) {
            Ok(question) => question,
            Err(problem) => return Ok(problem.into()),
        };
        match body.set(question) {
            Err(error) if error.refuses_value() => {
                let detail = "with the route's query the body is too large";
                return Ok(Problem::content_too_large(detail).kind("body-too-large").into());
            }
            set => set?,
        }
        self.direct(request)?;
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        if ctx.get(&ASKED)?.is_none() || response.is_refusal() {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        }
        // There will be no body to look at.
        if matches!(response.status(), 204 | 304) {
            return Ok(answer::nonsense("the upstream answered without a body").into());
        }
        Ok(Verdict::Continue)
    }

    fn on_response_body(
        &self,
        response: &mut Response,
        body: &mut Body,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        let Some(asked) = ctx.get(&ASKED)? else { return Ok(Verdict::Continue) };
        self.answer(&asked, response, body)
    }
}

impl RestGraphql {
    fn find(&self, method: &Method, path: &str) -> Option<usize> {
        let path = template::segments(path)?;
        self.routes.iter().position(|route| route.serves(method) && route.template.values(&path).is_some())
    }

    fn no_route(&self, path: &str) -> Problem {
        let segments = template::segments(path);
        let same = self
            .routes
            .iter()
            .filter(|route| segments.as_ref().is_some_and(|path| route.template.values(path).is_some()));
        let mut methods: Vec<_> = same.map(|route| route.method.as_str()).collect();
        if methods.is_empty() {
            return Problem::not_found("there is no such route").kind("route-unknown");
        }
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        let problem =
            Problem::method_not_allowed("the route does not have this method").kind("method-unknown");
        problem.header("allow", methods.join(", "))
    }

    /// Makes the head that of a question to the upstream.
    fn direct(&self, request: &mut Request) -> Result<()> {
        request.set_method(&Method::Post)?;
        request.set_path(&self.endpoint)?;
        request.set_query("")?;
        request.mark_rewritten()?;
        let mut headers = request.headers_mut();
        for name in
            ["range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"]
        {
            headers.remove(name)?;
        }
        headers.set("accept-encoding", "identity")?;
        headers.set("accept", "application/graphql-response+json, application/json;q=0.9")?;
        headers.set("content-type", "application/json")
    }
}
