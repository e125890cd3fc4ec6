//! Suites of JSON Patch, see `tests/data/README.md`, the vectors of RFC 7396, and properties of both kinds of patch.

use proptest::prelude::*;
use sluice_sdk::serde_json::{self, Value, json};

use super::*;
use crate::json::{LEAST_BUDGET, Reason, parse};

const SUITES: [(&str, &str, usize); 3] = [
    ("suite.json", include_str!("../../tests/data/json-patch/suite.json"), 78),
    ("suite-spec.json", include_str!("../../tests/data/json-patch/suite-spec.json"), 17),
    ("own.json", include_str!("../../tests/data/json-patch/own.json"), 88),
];

/// Operations of the suites that name `op` twice. Nothing gets past the parser that does.
const AMBIGUOUS: [&str; 3] = [
    "{ \"op\": \"add\", \"path\": \"/baz\", \"value\": \"qux\",\n                   \"op\": \"move\", \"from\":\"/foo\" }",
    "{ \"op\": \"add\", \"path\": \"/baz\", \"value\": \"qux\", \"op\": \"remove\" }",
    "{ \"op\": \"add\", \"path\": \"/baz\", \"value\": \"qux\", \"op\": \"remove\" }",
];

fn read(text: &str) -> Json<'_> {
    parse(text.as_bytes(), LEAST_BUDGET).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn patched<'a>(document: &Json<'a>, patch: &'a Patch) -> edit::Result<Json<'a>> {
    let mut root = document.clone();
    patch.apply(&mut root, LEAST_BUDGET).map(|()| root)
}

fn check(case: &Json<'_>) -> Result<(), String> {
    let document = case.member("doc").ok_or("no document")?;
    let patch = case.member("patch").ok_or("no patch")?.clone().into_owned();
    let patch = Patch::new(patch).map_err(|error| error.to_string());
    let result = patch
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|patch| patched(document, patch).map_err(|stop| format!("{stop:?}")));
    match (result, case.member("expected"), case.member("error")) {
        (Ok(result), Some(expected), None) if result == *expected => Ok(()),
        // A case with neither is one that has to succeed.
        (Ok(_), None, None) | (Err(_), None, Some(_)) => Ok(()),
        (result, ..) => Err(format!("{result:?}")),
    }
}

#[test]
fn the_json_patch_suites_pass() {
    for ((name, suite, count), ambiguous) in SUITES.into_iter().zip(AMBIGUOUS) {
        assert!(suite.contains(ambiguous), "{name}");
        let refused = parse(ambiguous.as_bytes(), LEAST_BUDGET).unwrap_err();
        assert_eq!(refused.reason, Reason::Duplicate("op".to_owned()));
        // The case stays, with an operation that can be read and is wrong all the same.
        let suite = suite.replace(ambiguous, "{}");
        let Json::Array(cases) = read(&suite) else { panic!("{name} is not an array") };
        // Those that are marked as disabled run as well.
        assert_eq!(cases.len(), count, "{name}");
        let failures: Vec<_> = cases
            .iter()
            .filter_map(|case| Some(format!("{:?}: {}", case.member("comment"), check(case).err()?)))
            .collect();
        assert!(failures.is_empty(), "{name}: {} cases fail:\n{}", failures.len(), failures.join("\n"));
    }
}

/// RFC 7396 appendix A: original, patch, result.
const MERGES: [(&str, &str, &str); 15] = [
    (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
    (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
    (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
    (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
    (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
    (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
    (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
    (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
    (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
    (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
    (r#"{"a":"foo"}"#, "null", "null"),
    (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
    (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
    ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
    ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
];

#[test]
fn the_merge_patches_of_the_rfc_apply() {
    for (original, patch, result) in MERGES {
        let (mut root, patch) = (read(original), read(patch).into_owned());
        merge::merge(&mut root, &patch);
        assert_eq!(root, read(result), "{original} {patch:?}");
    }
}

#[test]
fn a_patch_says_what_is_wrong_with_it() {
    for (patch, reason) in [
        ("{}", "an array of operations, and this is an object"),
        ("[1]", "operation 0: it is a number and not an object"),
        (r#"[{"path":""}]"#, "operation 0: `op` is missing"),
        (
            r#"[{"op":"test","path":"","value":1},{"op":"ad","path":"/a"}]"#,
            "operation 1: there is no operation `ad`",
        ),
        (r#"[{"op":"add","path":"a","value":1}]"#, "operation 0: `path`: `a` is not a JSON Pointer"),
        (r#"[{"op":"add","path":"/a"}]"#, "`value` is missing"),
        (r#"[{"op":"move","path":"/a/b","from":"/a"}]"#, "`/a` cannot move into itself"),
    ] {
        let error = Patch::new(read(patch).into_owned()).unwrap_err().to_string();
        assert!(error.contains(reason), "{patch}: {error}");
    }
}

#[test]
fn copies_cannot_grow_without_bound() {
    let doubling = format!("[{}]", vec![r#"{"op":"copy","from":"","path":"/-"}"#; 40].join(","));
    let patch = Patch::new(read(&doubling).into_owned()).unwrap();
    assert!(matches!(patched(&read("[0]"), &patch), Err(Stop::TooComplex(_))));
    let wide = format!("[{}]", vec![r#"{"op":"copy","from":"/0","path":"/-"}"#; 40].join(","));
    let patch = Patch::new(read(&wide).into_owned()).unwrap();
    let large = format!("[\"{}\"]", "x".repeat(1 << 20));
    assert!(matches!(patched(&read(&large), &patch), Err(Stop::TooComplex(_))));
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-c/~é\"]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-d/~]{0,2}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Every place below the root: pointer, whether in an array, and value.
fn places(value: &Value, at: &str, into: &mut Vec<(String, bool, Value)>) {
    let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
    let children: Vec<(String, &Value)> = match value {
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
        }
        Value::Object(members) => members.iter().map(|(name, value)| (escape(name), value)).collect(),
        _ => Vec::new(),
    };
    for (token, child) in children {
        let pointer = format!("{at}/{token}");
        into.push((pointer.clone(), value.is_array(), child.clone()));
        places(child, &pointer, into);
    }
}

/// What RFC 7396 says in pseudo-code, on another tree.
fn model(target: Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return patch.clone() };
    let mut members = if let Value::Object(members) = target { members } else { serde_json::Map::new() };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            let old = members.remove(name).unwrap_or_default();
            members.insert(name.clone(), model(old, change));
        }
    }
    Value::Object(members)
}

proptest! {
    #[test]
    fn an_inverse_undoes_a_patch(document in documents(), new in documents(), choice: prop::sample::Index, kind in 0..3) {
        let document = json!([document]);
        let mut found = Vec::new();
        places(&document, "", &mut found);
        let (path, in_array, old) = choice.get(&found);
        let (forth, back) = match kind {
            0 => (
                json!({ "op": "replace", "path": path, "value": new }),
                json!({ "op": "replace", "path": path, "value": old }),
            ),
            1 => (json!({ "op": "remove", "path": path }), json!({ "op": "add", "path": path, "value": old })),
            // Into an array it goes before what is there; over a member it goes in its place.
            _ => (
                json!({ "op": "add", "path": path, "value": new }),
                if *in_array {
                    json!({ "op": "remove", "path": path })
                } else {
                    json!({ "op": "replace", "path": path, "value": old })
                },
            ),
        };
        let text = document.to_string();
        let forth = Patch::new(read(&json!([forth]).to_string()).into_owned()).unwrap();
        let both = Patch::new(read(&json!([back]).to_string()).into_owned()).unwrap();
        let there = patched(&read(&text), &forth).unwrap();
        if kind == 1 {
            let changed = there != read(&text);
            prop_assert!(changed, "something is gone");
        }
        prop_assert_eq!(patched(&there, &both).unwrap(), read(&text));
    }

    #[test]
    fn a_merge_is_the_rfcs_and_idempotent(document in documents(), patch in documents()) {
        let (document_text, patch_text) = (document.to_string(), patch.to_string());
        let changes = read(&patch_text).into_owned();
        let mut root = read(&document_text);
        merge::merge(&mut root, &changes);
        let expected = model(document, &patch).to_string();
        prop_assert_eq!(&root, &read(&expected));
        merge::merge(&mut root, &changes);
        prop_assert_eq!(&root, &read(&expected));
    }

    #[test]
    fn removing_by_path_leaves_what_the_path_does_not_select(document in documents()) {
        let text = document.to_string();
        let mut root = read(&text);
        Target::inner("$..[?@ == null]").unwrap().remove_from(&mut root).unwrap();
        fn without(value: Value) -> Value {
            match value {
                Value::Array(items) => {
                    items.into_iter().filter(|item| !item.is_null()).map(without).collect()
                }
                Value::Object(members) => Value::Object(
                    members.into_iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k, without(v))).collect(),
                ),
                other => other,
            }
        }
        let expected = without(document).to_string();
        prop_assert_eq!(root, read(&expected));
    }
}
