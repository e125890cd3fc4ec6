//! What the dialects mean.

use super::*;
use crate::finding::{Findings, Subject};
use crate::schemas::Schemas;

fn document(version: &str, schemas: &Value) -> Document {
    let text = json!({ "openapi": version, "components": { "schemas": schemas } }).to_string();
    Document::parse(text.into()).unwrap()
}

fn accepts(document: &Document, name: &str, direction: Direction, instance: &Value) -> bool {
    let pointer = format!("/components/schemas/{name}");
    let schema = Schemas::new(true, false).get(document, &pointer, direction).unwrap();
    let mut findings = Findings::default();
    schema.check_one(instance.clone(), 1, Subject::BODY, &mut findings);
    assert_eq!(findings.is_empty(), schema.accepts(0, instance));
    findings.is_empty()
}

/// What schema, with `good` instances that it accepts and `bad` ones.
fn holds_for(version: &str, cases: &[(Value, &[Value], &[Value])]) {
    for (schema, good, bad) in cases {
        let document = document(version, &json!({ "S": schema, "Int": { "type": "integer" } }));
        for (instances, expected) in [(good, true), (bad, false)] {
            for instance in *instances {
                let accepted = accepts(&document, "S", Direction::Request, instance);
                assert_eq!(accepted, expected, "{version} {schema} {instance}");
            }
        }
    }
}

#[test]
fn the_dialect_of_3_0_is_understood() {
    holds_for(
        "3.0.3",
        &[
            (json!({ "type": "string", "nullable": true }), &[json!("a"), json!(null)], &[json!(1)]),
            (json!({ "type": "string", "nullable": false }), &[json!("a")], &[json!(null)]),
            // `nullable` adds to `type` only: without one there is nothing to add to, and `enum` still holds.
            (json!({ "nullable": true, "enum": ["a"] }), &[json!("a")], &[json!(null)]),
            (
                json!({ "type": "string", "nullable": true, "enum": ["a", null] }),
                &[json!(null)],
                &[json!("b")],
            ),
            (json!({ "minimum": 1, "exclusiveMinimum": true }), &[json!(1.5), json!("a")], &[json!(1)]),
            (json!({ "minimum": 1, "exclusiveMinimum": false }), &[json!(1)], &[json!(0)]),
            (json!({ "maximum": 1, "exclusiveMaximum": true }), &[json!(0)], &[json!(1)]),
            (json!({ "exclusiveMaximum": true }), &[json!(0)], &[]),
            (
                json!({ "nullable": true, "allOf": [{ "$ref": "#/components/schemas/Int" }], "maximum": 1 }),
                &[json!(1), json!(null)],
                &[json!("a"), json!(2)],
            ),
            // What stands beside a reference is ignored, and so are keywords that 3.0 does not have.
            (json!({ "$ref": "#/components/schemas/Int", "maximum": 1 }), &[json!(2)], &[json!("a")]),
            (json!({ "const": 1, "if": false, "prefixItems": [false] }), &[json!(2), json!([1])], &[]),
            (
                json!({ "format": "int32", "type": "integer" }),
                &[json!(-2_147_483_648_i64)],
                &[json!(2_147_483_648_i64)],
            ),
            (json!({ "format": "int64" }), &[json!(i64::MAX)], &[json!(9_223_372_036_854_775_808_u64)]),
            (json!({ "format": "int32", "minimum": 5 }), &[json!(5)], &[json!(4)]),
            (json!({ "format": "byte" }), &[json!("YQ=="), json!("")], &[json!("YQ="), json!("Y!==")]),
            (json!({ "format": "date-time" }), &[json!("2020-01-01T00:00:00Z")], &[json!("2020-01-01")]),
            (json!({ "format": "unheard-of" }), &[json!("a")], &[]),
        ],
    );
}

#[test]
fn the_dialect_of_3_1_is_that_of_json_schema() {
    holds_for(
        "3.1.0",
        &[
            (json!({ "type": ["string", "null"] }), &[json!("a"), json!(null)], &[json!(1)]),
            (json!({ "type": "string", "nullable": true }), &[json!("a")], &[json!(null)]),
            (json!({ "exclusiveMinimum": 1 }), &[json!(1.5)], &[json!(1)]),
            (
                json!({ "$ref": "#/components/schemas/Int", "maximum": 1 }),
                &[json!(1)],
                &[json!(2), json!("a")],
            ),
            (json!({ "const": 1 }), &[json!(1), json!(1.0)], &[json!(2)]),
            (
                json!({ "prefixItems": [{ "type": "string" }], "items": false }),
                &[json!(["a"])],
                &[json!([1]), json!(["a", 1])],
            ),
            (
                json!({ "if": { "type": "string" }, "then": { "maxLength": 1 }, "else": { "minimum": 1 } }),
                &[json!("a"), json!(1)],
                &[json!("ab"), json!(0)],
            ),
            (
                json!({ "allOf": [{ "properties": { "a": true } }], "unevaluatedProperties": false }),
                &[json!({ "a": 1 })],
                &[json!({ "b": 1 })],
            ),
            (
                json!({ "dependentRequired": { "a": ["b"] } }),
                &[json!({ "a": 1, "b": 1 })],
                &[json!({ "a": 1 })],
            ),
            (
                json!({ "dependentSchemas": { "a": { "required": ["b"] } } }),
                &[json!({ "b": 1 })],
                &[json!({ "a": 1 })],
            ),
            (
                json!({ "patternProperties": { "^x": { "type": "string" } } }),
                &[json!({ "xa": "" })],
                &[json!({ "xa": 1 })],
            ),
            (json!({ "propertyNames": { "maxLength": 1 } }), &[json!({ "a": 1 })], &[json!({ "ab": 1 })]),
            (
                json!({ "contains": { "const": 1 }, "maxContains": 1 }),
                &[json!([1, 2])],
                &[json!([]), json!([1, 1])],
            ),
            (
                json!({ "$defs": { "x": { "type": "null" } }, "$ref": "#/components/schemas/S/$defs/x" }),
                &[json!(null)],
                &[json!(1)],
            ),
            (
                json!({ "properties": { "$id": { "$ref": "#/components/schemas/Int" } } }),
                &[json!({ "$id": 1 })],
                &[json!({ "$id": "a" })],
            ),
            (json!(false), &[], &[json!(1)]),
        ],
    );
}

#[test]
fn what_goes_one_way_is_not_required_the_other_way() {
    let schemas = json!({
        "S": {
            "type": "object",
            "required": ["id", "secret", "name"],
            "properties": {
                "id": { "$ref": "#/components/schemas/Id" },
                "secret": { "type": "string", "writeOnly": true },
                "name": { "type": "string" },
            },
        },
        "Id": { "type": "integer", "readOnly": true },
    });
    for version in ["3.0.0", "3.1.0"] {
        let document = document(version, &schemas);
        for (direction, instance, expected) in [
            (Direction::Request, json!({ "secret": "a", "name": "b" }), true),
            (Direction::Request, json!({ "id": 1, "secret": "a", "name": "b" }), true),
            (Direction::Request, json!({ "id": 1, "name": "b" }), false),
            (Direction::Response, json!({ "id": 1, "name": "b" }), true),
            (Direction::Response, json!({ "id": 1, "secret": "a", "name": "b" }), false),
            (Direction::Response, json!({ "name": "b" }), false),
        ] {
            assert_eq!(
                accepts(&document, "S", direction, &instance),
                expected,
                "{version} {direction:?} {instance}"
            );
        }
        let strict =
            Schemas::new(true, true).get(&document, "/components/schemas/S", Direction::Request).unwrap();
        assert!(!strict.accepts(0, &json!({ "id": 1, "secret": "a", "name": "b" })));
    }
}

#[test]
fn a_schema_may_contain_itself_but_not_be_itself() {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let schemas = json!({
        "Tree": { "properties": { "left": reference("Tree"), "more": { "type": "array", "items": reference("Tree") } }, "type": "object" },
        "Same": { "allOf": [reference("Other")] },
        "Other": { "anyOf": [{ "type": "null" }, { "not": reference("Same") }] },
        "User": { "properties": { "x": reference("Same") } },
    });
    for version in ["3.0.0", "3.1.0"] {
        let document = document(version, &schemas);
        assert!(accepts(&document, "Tree", Direction::Request, &json!({ "left": { "more": [{}] } })));
        assert!(!accepts(&document, "Tree", Direction::Request, &json!({ "left": { "more": [1] } })));
        for name in ["Same", "Other", "User"] {
            let closed =
                close(&document, &[&format!("/components/schemas/{name}")], Direction::Request, false);
            assert!(closed.err().unwrap().to_string().contains("without an end"), "{name}");
        }
    }
}

#[test]
fn what_cannot_be_checked_is_refused_with_its_place() {
    for (schema, reason) in [
        (
            json!({ "properties": { "a": { "$ref": "b.json" } } }),
            "#/components/schemas/S/properties/a: `b.json` is in another",
        ),
        (json!({ "$ref": "#/components/schemas/T" }), "nothing at `#/components/schemas/T`"),
        (
            json!({ "items": { "$ref": "#anchor" } }),
            "#/components/schemas/S/items: `#anchor` names an anchor",
        ),
        (json!({ "not": { "$id": "x" } }), "#/components/schemas/S/not: `$id` is not supported"),
        (json!({ "anyOf": [{ "$dynamicRef": "#x" }] }), "#/components/schemas/S/anyOf/0: `$dynamicRef`"),
        (json!({ "allOf": {} }), "#/components/schemas/S/allOf: "),
        (json!({ "properties": { "a": 1 } }), "#/components/schemas/S/properties/a: this is not a schema"),
        (json!({ "pattern": "(a" }), "#/components/schemas/S/pattern: "),
        (
            json!({ "properties": { "a": { "pattern": "(?=a)b" } } }),
            "#/components/schemas/S/properties/a/pattern: ",
        ),
        (json!({ "pattern": "(a)\\1" }), "#/components/schemas/S/pattern: "),
        (json!({ "pattern": "((a{1000}){1000}){1000}" }), "#/components/schemas/S/pattern: "),
        (json!({ "type": "text" }), "#/components/schemas/S/type: "),
        (json!({ "minLength": "1" }), "#/components/schemas/S/minLength: "),
        (json!({ "required": true }), "#/components/schemas/S/required: "),
        (json!({ "$schema": "http://json-schema.org/draft-07/schema#" }), "dialect"),
    ] {
        let document = document("3.1.0", &json!({ "S": schema }));
        let schemas = Schemas::new(true, false);
        let error = schemas.get(&document, "/components/schemas/S", Direction::Request).err();
        let error = error.unwrap_or_else(|| panic!("{schema} is accepted")).to_string();
        assert!(error.contains(reason), "{schema}: {error}");
    }
    let old = document("3.0.0", &json!({ "S": { "exclusiveMinimum": 1 } }));
    assert!(close(&old, &["/components/schemas/S"], Direction::Request, false).is_err());
}
