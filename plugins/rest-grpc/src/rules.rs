//! `google.api.http` of the methods, made ready for requests.

use sluice_sdk::prelude::*;
use sluice_sdk_protobuf::{
    Cardinality, FieldPath, Fields, Kind, Known, MessageId, Method as RpcMethod, Pool,
};

use crate::config::Config;
use crate::router::Router;
use crate::template::{Template, Variable};

/// The services, and the ways to their methods.
pub(crate) struct Api {
    pub(crate) pool: Pool,
    pub(crate) router: Router,
    pub(crate) routes: Vec<Route>,
    /// `google.rpc.Status`.
    pub(crate) status: MessageId,
}

/// A way to a method.
pub(crate) struct Route {
    /// `/package.Service/Method`.
    pub(crate) target: Box<str>,
    /// The places of the service and its method in the pool.
    pub(crate) place: (usize, usize),
    pub(crate) input: MessageId,
    pub(crate) output: MessageId,
    pub(crate) client_streaming: bool,
    pub(crate) server_streaming: bool,
    pub(crate) http_method: Box<str>,
    pub(crate) pattern: Box<str>,
    pub(crate) template: Template,
    /// In the order of the template's variables.
    pub(crate) variables: Vec<FieldPath>,
    pub(crate) body: BodyRule,
    pub(crate) response: ResponseRule,
}

/// What a request's body is.
pub(crate) enum BodyRule {
    None,
    /// The message.
    Message,
    /// A field of it.
    Field(FieldPath),
    /// As it is, the data of the `HttpBody` that is the message or a field of it.
    Raw(Option<FieldPath>),
}

/// What a response's body is.
pub(crate) enum ResponseRule {
    Message,
    Field(FieldPath),
    Raw(Option<FieldPath>),
}

/// `google.api.HttpRule`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct HttpRule {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) response_body: String,
    pub(crate) additional: Vec<HttpRule>,
}

/// The extension `google.api.http` of `MethodOptions`.
const HTTP: u32 = 72_295_728;

impl HttpRule {
    /// The rule of a method, if it has one.
    pub(crate) fn of(options: &[u8]) -> Result<Option<Self>> {
        let mut rule = None;
        for field in Fields::new(options) {
            if let (HTTP, value) = field?
                && let Some(bytes) = value.bytes()
            {
                rule = Some(Self::read(bytes, true)?);
            }
        }
        Ok(rule)
    }

    fn read(bytes: &[u8], outermost: bool) -> Result<Self> {
        let mut rule = Self::default();
        for field in Fields::new(bytes) {
            let (number, value) = field?;
            let text = || value.text().unwrap_or_default().to_owned();
            let method = match number {
                2 => "GET",
                3 => "PUT",
                4 => "POST",
                5 => "DELETE",
                6 => "PATCH",
                7 => {
                    rule.body = text();
                    continue;
                }
                8 => {
                    for field in Fields::new(value.bytes().unwrap_or_default()) {
                        match field? {
                            (1, kind) => rule.method = kind.text().unwrap_or_default().to_owned(),
                            (2, path) => rule.path = path.text().unwrap_or_default().to_owned(),
                            _ => {}
                        }
                    }
                    continue;
                }
                11 => {
                    ensure!(outermost, "an additional binding has additional bindings");
                    rule.additional.push(Self::read(value.bytes().unwrap_or_default(), false)?);
                    continue;
                }
                12 => {
                    rule.response_body = text();
                    continue;
                }
                _ => continue,
            };
            rule.method = method.to_owned();
            rule.path = text();
        }
        Ok(rule)
    }
}

impl Api {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let set = config.descriptors.bytes()?;
        let pool = if config.openapi.is_some() { Pool::with_comments(&set) } else { Pool::new(&set) };
        let pool = pool.context("`descriptors`")?;
        let status = pool.message("google.rpc.Status").context("`google.rpc.Status` is missing")?;
        let mut api = Self { pool, router: Router::new(), routes: Vec::new(), status };
        for name in config.services.iter().flatten() {
            let is_there = api.pool.services().iter().any(|service| *service.name == **name);
            ensure!(is_there, "`services`: `{name}` is not in the descriptor set");
        }
        let mut routes = Vec::new();
        for (service_place, service) in api.pool.services().iter().enumerate() {
            if config
                .services
                .as_ref()
                .is_some_and(|wanted| !wanted.iter().any(|name| **name == *service.name))
            {
                continue;
            }
            for (place, method) in service.methods.iter().enumerate() {
                let target = format!("/{}/{}", service.name, method.name);
                let name = format!("`{}.{}`", service.name, method.name);
                for rule in rules(method, &target, config.auto_mapping).context(&name)? {
                    let place = (service_place, place);
                    routes.push(Route::new(&api.pool, method, &target, place, &rule).context(&name)?);
                }
            }
        }
        ensure!(
            !routes.is_empty(),
            "`descriptors`: no method has `google.api.http`, which only `auto_mapping` does without"
        );
        for (place, route) in routes.iter().enumerate() {
            if let Err(other) = api.router.add(&route.http_method, &route.template, place) {
                let (one, other) = (&route.target, &routes[other].target);
                bail!("`{} {}` is of both `{other}` and `{one}`", route.http_method, route.pattern);
            }
        }
        api.routes = routes;
        Ok(api)
    }
}

/// The rules of a method, and that which it has without one.
fn rules(method: &RpcMethod, target: &str, auto_mapping: bool) -> Result<Vec<HttpRule>> {
    let Some(mut rule) = HttpRule::of(&method.options)? else {
        let automatic = HttpRule {
            method: "POST".to_owned(),
            path: target.to_owned(),
            body: "*".to_owned(),
            ..HttpRule::default()
        };
        return Ok(if auto_mapping { vec![automatic] } else { Vec::new() });
    };
    let additional = std::mem::take(&mut rule.additional);
    Ok(std::iter::once(rule).chain(additional).collect())
}

impl Route {
    fn new(
        pool: &Pool,
        method: &RpcMethod,
        target: &str,
        place: (usize, usize),
        rule: &HttpRule,
    ) -> Result<Self> {
        ensure!(!rule.method.is_empty() && !rule.path.is_empty(), "`google.api.http` has no path");
        let template = Template::parse(&rule.path)?;
        let variables = template
            .variables
            .iter()
            .map(|variable| path_field(pool, method.input, variable))
            .collect::<Result<_>>()?;
        Ok(Self {
            target: target.into(),
            place,
            input: method.input,
            output: method.output,
            client_streaming: method.client_streaming,
            server_streaming: method.server_streaming,
            http_method: rule.method.as_str().into(),
            pattern: rule.path.as_str().into(),
            template,
            variables,
            body: body_rule(pool, method.input, &rule.body)?,
            response: response_rule(pool, method.output, &rule.response_body)?,
        })
    }
}

/// The field that a variable of a path sets.
fn path_field(pool: &Pool, input: MessageId, variable: &Variable) -> Result<FieldPath> {
    let name = &variable.field;
    let path = pool.path(input, name).context(format!("variable `{name}`"))?;
    let field = path.field(pool);
    ensure!(field.cardinality == Cardinality::Single, "variable `{name}` is a list or a map");
    let is_text = match field.kind {
        Kind::Message(id) => matches!(
            pool[id].known,
            Known::Timestamp | Known::Duration | Known::FieldMask | Known::Wrapper | Known::Value
        ),
        Kind::Group(_) => false,
        _ => true,
    };
    ensure!(is_text, "variable `{name}` is a message, which no path can say");
    Ok(path)
}

fn is_http_body(pool: &Pool, id: Option<MessageId>) -> bool {
    id.is_some_and(|id| pool[id].known == Known::HttpBody)
}

fn body_rule(pool: &Pool, input: MessageId, body: &str) -> Result<BodyRule> {
    Ok(match body {
        "" => BodyRule::None,
        "*" if is_http_body(pool, Some(input)) => BodyRule::Raw(None),
        "*" => BodyRule::Message,
        name => {
            let path = pool.path(input, name).context(format!("`body` `{name}`"))?;
            let field = path.field(pool);
            let is_raw = field.cardinality == Cardinality::Single && is_http_body(pool, field.kind.message());
            if is_raw { BodyRule::Raw(Some(path)) } else { BodyRule::Field(path) }
        }
    })
}

fn response_rule(pool: &Pool, output: MessageId, body: &str) -> Result<ResponseRule> {
    Ok(match body {
        "" if is_http_body(pool, Some(output)) => ResponseRule::Raw(None),
        "" => ResponseRule::Message,
        name => {
            let path = pool.path(output, name).context(format!("`response_body` `{name}`"))?;
            let field = path.field(pool);
            let is_raw = field.cardinality == Cardinality::Single && is_http_body(pool, field.kind.message());
            if is_raw { ResponseRule::Raw(Some(path)) } else { ResponseRule::Field(path) }
        }
    })
}
