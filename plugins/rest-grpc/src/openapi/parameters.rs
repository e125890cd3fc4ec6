//! Parameters in paths and queries.

use serde_json::{Value, json};
use sluice_sdk_protobuf::{Cardinality, Field, Kind, Known, MessageId, Pool, Step};

use crate::rules::{Api, BodyRule, Route};
use crate::template::Segment;

use super::described;
use super::schema::Schemas;

/// A path as OpenAPI writes it.
pub(super) struct Shape {
    /// With the names of parameters.
    pub(super) path: String,
    /// Without them.
    pub(super) key: String,
    names: Vec<String>,
}

/// Messages within messages whose fields are query parameters.
const DEEPEST: usize = 4;

/// Parameters of one method, as many as a query may have.
const MOST: usize = 1_000;

impl Shape {
    pub(super) fn of(route: &Route) -> Self {
        let template = &route.template;
        let mut shape = Self { path: String::new(), key: String::new(), names: Vec::new() };
        for (at, segment) in template.segments.iter().enumerate() {
            shape.push("/");
            if let Segment::Literal(literal) = segment {
                shape.push(literal);
                continue;
            }
            let variable = template.variables.iter().find(|variable| variable.segments.contains(&at));
            let name = match variable {
                Some(variable) => {
                    let wildcards = |range: std::ops::Range<usize>| {
                        let segments = template.segments[range].iter();
                        segments.filter(|segment| !matches!(segment, Segment::Literal(_))).count()
                    };
                    let before = wildcards(variable.segments.start..at);
                    match wildcards(variable.segments.clone()) {
                        1 => variable.field.clone(),
                        _ => format!("{}_{}", variable.field, before + 1),
                    }
                }
                None => format!("segment_{}", shape.names.len() + 1),
            };
            shape.path.push_str(&format!("{{{name}}}"));
            shape.key.push_str("{}");
            shape.names.push(name);
        }
        if template.segments.is_empty() {
            shape.push("/");
        }
        if let Some(verb) = &template.verb {
            shape.push(":");
            shape.push(verb);
        }
        shape
    }

    fn push(&mut self, text: &str) {
        self.path.push_str(text);
        self.key.push_str(text);
    }
}

/// The parameters of a route.
pub(super) fn of(api: &Api, route: &Route, shape: &Shape, schemas: &mut Schemas<'_>) -> Vec<Value> {
    let mut parameters = in_path(api, route, shape, schemas);
    if !matches!(route.body, BodyRule::Message | BodyRule::Raw(None)) {
        in_query(api, route, route.input, &mut Vec::new(), schemas, &mut parameters);
    }
    parameters
}

fn in_path(api: &Api, route: &Route, shape: &Shape, schemas: &mut Schemas<'_>) -> Vec<Value> {
    let template = &route.template;
    let wildcards =
        template.segments.iter().enumerate().filter(|(_, segment)| !matches!(segment, Segment::Literal(_)));
    let mut parameters = Vec::new();
    for (name, (at, segment)) in shape.names.iter().zip(wildcards) {
        let found =
            template.variables.iter().zip(&route.variables).find(|(known, _)| known.segments.contains(&at));
        let field = found.map(|(_, path)| path.field(&api.pool));
        let schema = match (found, field) {
            (Some((variable, _)), Some(field)) if !template.is_long(variable) => schemas.field(field),
            _ => json!({ "type": "string" }),
        };
        let parameter = json!({ "name": name, "in": "path", "required": true, "schema": schema });
        let mut comment = field.map(|field| field.comment.to_string()).unwrap_or_default();
        if *segment == Segment::Any {
            comment.push_str(if comment.is_empty() { "" } else { " " });
            comment.push_str("It may have slashes in it.");
        }
        parameters.push(described(parameter, &comment));
    }
    parameters
}

fn in_query(
    api: &Api,
    route: &Route,
    id: MessageId,
    around: &mut Vec<Step>,
    schemas: &mut Schemas<'_>,
    parameters: &mut Vec<Value>,
) {
    let pool = &api.pool;
    for (place, field) in (0..).zip(&pool[id].fields) {
        if parameters.len() == MOST {
            return;
        }
        around.push(Step { message: id, place });
        if !is_bound(route, around) {
            match nested(pool, field) {
                // A message that has itself within it has no end.
                Some(inner)
                    if around.len() <= DEEPEST && !around.iter().any(|step| step.message == inner) =>
                {
                    in_query(api, route, inner, around, schemas, parameters);
                }
                None if is_text(pool, field) => {
                    let names: Vec<_> = around.iter().map(|step| schemas.name(step.field(pool))).collect();
                    let name = names.join(".");
                    let schema = schemas.field(field);
                    let mut parameter = if is_json(pool, field) {
                        let content = json!({ "application/json": { "schema": schema } });
                        json!({ "name": name, "in": "query", "content": content })
                    } else {
                        json!({ "name": name, "in": "query", "schema": schema })
                    };
                    if field.is_required && around.len() == 1 {
                        parameter["required"] = true.into();
                    }
                    if field.is_deprecated {
                        parameter["deprecated"] = true.into();
                    }
                    parameters.push(described(parameter, &field.comment));
                }
                _ => {}
            }
        }
        around.pop();
    }
}

fn is_bound(route: &Route, steps: &[Step]) -> bool {
    let body = match &route.body {
        BodyRule::Field(path) | BodyRule::Raw(Some(path)) => Some(path),
        _ => None,
    };
    route.variables.iter().chain(body).any(|bound| steps.starts_with(bound.steps()))
}

/// The message whose fields are named one by one.
fn nested(pool: &Pool, field: &Field) -> Option<MessageId> {
    let id = field.kind.message().filter(|_| field.cardinality == Cardinality::Single)?;
    matches!(pool[id].known, Known::Plain | Known::HttpBody).then_some(id)
}

/// Whether a query can say it.
fn is_text(pool: &Pool, field: &Field) -> bool {
    match field.kind {
        Kind::Message(id) | Kind::Group(id) if field.cardinality != Cardinality::Map => {
            !matches!(pool[id].known, Known::Plain | Known::HttpBody | Known::Any)
        }
        _ => field.cardinality != Cardinality::Map,
    }
}

/// Whether a query says it in JSON, and not as one text or several.
fn is_json(pool: &Pool, field: &Field) -> bool {
    field.cardinality == Cardinality::Single
        && field
            .kind
            .message()
            .is_some_and(|id| matches!(pool[id].known, Known::Value | Known::Struct | Known::ListValue))
}
