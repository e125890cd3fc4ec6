//! An OpenAPI 3.1 document of the services, as this plugin serves them.

mod parameters;
mod schema;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sluice_sdk_protobuf::{Service, WriteOptions};

use crate::config::{Errors, Streaming};
use crate::rules::{Api, BodyRule, ResponseRule, Route};

use parameters::Shape;
use schema::Schemas;

/// A document that is being written.
struct Writer<'a> {
    api: &'a Api,
    schemas: Schemas<'a>,
}

/// The document's text.
pub(crate) fn document(api: &Api, base_path: &str, options: &WriteOptions, errors: Errors) -> String {
    let mut writer = Writer { api, schemas: Schemas::new(&api.pool, *options) };
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    // Paths that differ in the names of their parameters only are one, with the names of the first.
    let mut shapes: BTreeMap<String, Shape> = BTreeMap::new();
    let mut services = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for route in &api.routes {
        let service = &api.pool.services()[route.place.0];
        if !services.contains(&route.place.0) {
            services.push(route.place.0);
        }
        let count = counts.entry(&route.target).or_default();
        *count += 1;
        let shape = Shape::of(route);
        let shape = shapes.entry(shape.key.clone()).or_insert(shape);
        let operations = paths.entry(format!("{base_path}{}", shape.path)).or_default();
        for method in methods(&route.http_method) {
            if !operations.contains_key(*method) {
                let operation = writer.operation(service, route, shape, *count, method);
                operations.insert((*method).to_owned(), operation);
            }
        }
    }
    let status = writer.schemas.reference(api.status);
    let of_set = services.iter().map(|place| &api.pool.services()[*place]);
    let tags = of_set.clone().map(|service| described(json!({ "name": &*service.name }), &service.comment));
    let tags: Vec<_> = tags.collect();
    let title: Vec<_> = of_set.map(|service| &*service.name).collect();
    let failure = match errors {
        Errors::Status => {
            json!({ "application/json": { "schema": status }, "application/problem+json": { "schema": problem() } })
        }
        Errors::Problem => json!({ "application/problem+json": { "schema": problem() } }),
    };
    json!({
        "openapi": "3.1.0",
        "info": { "title": title.join(", "), "version": "1" },
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": writer.schemas.finish(),
            "responses": { "Failure": { "description": "The call failed.", "content": failure } },
        },
    })
    .to_string()
}

/// What OpenAPI calls the methods of a rule. It has no others.
fn methods(http_method: &str) -> &'static [&'static str] {
    match http_method {
        "GET" => &["get"],
        "PUT" => &["put"],
        "POST" => &["post"],
        "DELETE" => &["delete"],
        "PATCH" => &["patch"],
        "OPTIONS" => &["options"],
        "HEAD" => &["head"],
        "TRACE" => &["trace"],
        "*" => &["get", "put", "post", "delete", "patch"],
        _ => &[],
    }
}

fn problem() -> Value {
    json!({ "type": "object", "properties": {
        "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
        "detail": { "type": "string" },
    } })
}

/// With what a comment says.
fn described(mut value: Value, comment: &str) -> Value {
    if !comment.is_empty() {
        value["description"] = comment.into();
    }
    value
}

impl Writer<'_> {
    fn operation(
        &mut self,
        service: &Service,
        route: &Route,
        shape: &Shape,
        count: usize,
        http_method: &str,
    ) -> Value {
        let method = &service.methods[route.place.1];
        let suffix = if count > 1 { format!("_{count}") } else { String::new() };
        let of_any = if &*route.http_method == "*" { format!("_{http_method}") } else { String::new() };
        let mut operation = Map::new();
        operation
            .insert("operationId".into(), format!("{}_{}{suffix}{of_any}", service.name, method.name).into());
        operation.insert("tags".into(), json!([&*service.name]));
        if !method.comment.is_empty() {
            let summary = method.comment.split("\n\n").next().unwrap_or_default().replace('\n', " ");
            operation.insert("summary".into(), summary.into());
            operation.insert("description".into(), (*method.comment).into());
        }
        let parameters = parameters::of(self.api, route, shape, &mut self.schemas);
        if !parameters.is_empty() {
            operation.insert("parameters".into(), parameters.into());
        }
        if let Some(body) = self.body(route) {
            operation.insert("requestBody".into(), body);
        }
        let success = json!({ "description": "The call succeeded.", "content": self.response(route) });
        let failure = json!({ "$ref": "#/components/responses/Failure" });
        operation.insert("responses".into(), json!({ "200": success, "default": failure }));
        operation.into()
    }

    fn body(&mut self, route: &Route) -> Option<Value> {
        let schema = match &route.body {
            BodyRule::None => return None,
            BodyRule::Raw(_) => return Some(json!({ "content": { "*/*": {} } })),
            BodyRule::Message => self.schemas.reference(route.input),
            BodyRule::Field(path) => self.schemas.field(path.field(&self.api.pool)),
        };
        let media =
            if route.client_streaming { Streaming::Ndjson.content_type() } else { "application/json" };
        Some(json!({ "content": { media: { "schema": schema } } }))
    }

    fn response(&mut self, route: &Route) -> Value {
        let schema = match &route.response {
            ResponseRule::Raw(_) => return json!({ "*/*": {} }),
            ResponseRule::Message => self.schemas.reference(route.output),
            ResponseRule::Field(path) => self.schemas.field(path.field(&self.api.pool)),
        };
        if !route.server_streaming {
            return json!({ "application/json": { "schema": schema } });
        }
        json!({
            Streaming::Ndjson.content_type(): { "schema": schema },
            Streaming::Sse.content_type(): { "schema": schema },
            Streaming::Array.content_type(): { "schema": { "type": "array", "items": schema } },
        })
    }
}
