//! An OpenAPI 3.1 document of the services, as this plugin serves them.

mod parameters;
mod schema;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sluice_sdk::prelude::{Result, ensure};
use sluice_sdk_protobuf::{FieldPath, WriteOptions};

use crate::config::{Errors, Streaming};
use crate::rules::{Api, BodyRule, ResponseRule, Route};

use parameters::Shape;
use schema::Schemas;

/// A document that is being written. Its parts become text one by one: as values all together they would take many times that.
struct Writer<'a> {
    api: &'a Api,
    schemas: Schemas<'a>,
    text: String,
}

/// What is served at one path.
struct Place<'a> {
    shape: Shape,
    /// By the methods' names: the routes, and which of their methods' rules they are.
    operations: BTreeMap<&'static str, (&'a Route, usize)>,
}

/// The longest document, in bytes: what a step can answer by default.
const MOST: usize = 1 << 20;

/// The document's text.
pub(crate) fn document(api: &Api, base_path: &str, options: &WriteOptions, errors: Errors) -> Result<String> {
    let mut services = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    // Paths that differ in the names of their parameters only are one, with the names of the first.
    let mut places: BTreeMap<String, Place<'_>> = BTreeMap::new();
    for route in &api.routes {
        if !services.contains(&route.place.0) {
            services.push(route.place.0);
        }
        let count = counts.entry(&route.target).or_default();
        *count += 1;
        let shape = Shape::of(route);
        let place = places.entry(shape.key.clone());
        let place = place.or_insert_with(|| Place { shape, operations: BTreeMap::new() });
        for method in methods(&route.http_method) {
            place.operations.entry(method).or_insert((route, *count));
        }
    }
    let of_set = services.iter().map(|place| &api.pool.services()[*place]);
    let title: Vec<_> = of_set.clone().map(|service| &*service.name).collect();
    let info = json!({ "title": title.join(", "), "version": "1" });
    let mut writer = Writer { api, schemas: Schemas::new(&api.pool, *options), text: String::new() };
    writer.text.push_str(r#"{"openapi":"3.1.0","info":"#);
    writer.put(&info)?;
    writer.text.push_str(r#","tags":["#);
    for service in of_set {
        writer.put(&described(json!({ "name": &*service.name }), &service.comment))?;
        writer.text.push(',');
    }
    writer.close(']');
    writer.text.push_str(r#","paths":{"#);
    for place in places.values() {
        writer.open(&format!("{base_path}{}", place.shape.path));
        writer.text.push('{');
        for (method, (route, count)) in &place.operations {
            let operation = writer.operation(route, &place.shape, *count, method);
            writer.open(method);
            writer.put(&operation)?;
            writer.text.push(',');
        }
        writer.close('}');
        writer.text.push(',');
    }
    writer.close('}');
    writer.components(errors)?;
    Ok(writer.text)
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
    fn put(&mut self, value: &Value) -> Result<()> {
        self.text.push_str(&value.to_string());
        ensure!(
            self.text.len() <= MOST,
            "`openapi`: the document is longer than 1 MiB: fewer `services` have a shorter one"
        );
        Ok(())
    }

    /// The name of a member.
    fn open(&mut self, name: &str) {
        self.text.push_str(&Value::from(name).to_string());
        self.text.push(':');
    }

    /// Ends a list or an object each of whose members has a comma behind it.
    fn close(&mut self, bracket: char) {
        if self.text.ends_with(',') {
            self.text.pop();
        }
        self.text.push(bracket);
    }

    /// What the paths refer to.
    fn components(&mut self, errors: Errors) -> Result<()> {
        let status = self.schemas.reference(self.api.status);
        let failure = match errors {
            Errors::Status => {
                json!({ "application/json": { "schema": status }, "application/problem+json": { "schema": problem() } })
            }
            Errors::Problem => json!({ "application/problem+json": { "schema": problem() } }),
        };
        let responses = json!({ "Failure": { "description": "The call failed.", "content": failure } });
        self.text.push_str(r#","components":{"responses":"#);
        self.put(&responses)?;
        self.text.push_str(r#","schemas":{"#);
        while let Some((name, schema)) = self.schemas.next() {
            self.open(name);
            self.put(&schema)?;
            self.text.push(',');
        }
        self.close('}');
        self.text.push_str("}}");
        Ok(())
    }

    fn operation(&mut self, route: &Route, shape: &Shape, count: usize, http_method: &str) -> Value {
        let service = &self.api.pool.services()[route.place.0];
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
            // What the path says need not be in the body.
            BodyRule::Message if !route.variables.is_empty() => {
                let bound: Vec<_> = route.variables.iter().map(FieldPath::steps).collect();
                self.schemas.without(route.input, &bound)
            }
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
