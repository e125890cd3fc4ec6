//! Whatever a request is, it is let through or refused: nothing in it makes the plugin fail or fault.

use openapi_validate::OpenApiValidate;
use proptest::prelude::*;
use sluice_sdk_testing::{Harness, Request, Response, TestPlugin, json};

const DOCUMENT: &str = include_str!("data/petstore-3.1.json");

thread_local! {
    // One for all cases: to start one takes longer than to ask it.
    static PLUGIN: TestPlugin = plugin();
}

/// Characters that the gateway lets through in a target.
fn target(text: &str) -> String {
    text.replace(['?', '#', ' ', '"', '<', '>', '\\', '^', '`', '{', '}'], "")
}

fn plugin() -> TestPlugin {
    let config = json!({
        "document": DOCUMENT, "responses": "report", "unknown_query": "refuse", "read_only": "refuse",
    });
    Harness::<OpenApiValidate>::new(config).start().expect("the configuration is good")
}

/// Neither the request nor the response makes the plugin fail or fault.
fn hold(request: Request, response: Response) -> Result<(), TestCaseError> {
    PLUGIN.with(|plugin| {
        let mut exchange = plugin.send(request);
        prop_assert_eq!((exchange.failure(), exchange.fault()), (None, None));
        if exchange.is_forwarded() {
            exchange.respond(response);
            prop_assert_eq!((exchange.failure(), exchange.fault()), (None, None));
        }
        Ok(())
    })
}

fn json_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"name\""),
        Just("\"children\""),
        Just("\"a\""),
        Just("null"),
        Just("-1e3"),
        Just("0"),
        Just("\"\\ud800\""),
        Just("true"),
        Just(" "),
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// JSON that often looks like a pet.
fn pet() -> impl Strategy<Value = sluice_sdk_testing::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!(1.5)),
        Just(json!("a")),
        Just(json!(true)),
        Just(json!([]))
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let name = prop_oneof![
            Just("name"),
            Just("children"),
            Just("parent"),
            Just("body"),
            Just("type"),
            Just("x~/")
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|list| json!(list)),
            proptest::collection::btree_map(name, inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_request_is_answered_or_forwarded(
        method in prop_oneof![Just("GET"), Just("POST"), Just("PUT"), Just("x")],
        path in prop_oneof![Just("/v1/pets".to_owned()), "/v1/pets/[ -~]{0,8}", "/[!-~]{0,12}"],
        query in prop_oneof![
            "[a-z=&%+\\[\\]|,0-9]{0,40}",
            "(limit|tags|ids|filter\\[age\\]|where)=[ -~]{0,12}(&(tags|filter|filter\\[)=[!-~]{0,6}){0,3}",
        ],
        header in "[ -~]{0,20}",
        media in prop_oneof![
            Just("application/json".to_owned()), Just("application/x-www-form-urlencoded".to_owned()),
            Just("text/plain".to_owned()), "[ -~]{0,20}",
        ],
        body in prop_oneof![json_text().prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..40)],
    ) {
        let (path, query) = (target(&path), target(&query));
        let request = Request::new(method, &format!("{path}?{query}"))
            .with_header("x-trace", header.trim())
            .with_header("cookie", format!("session={}", header.trim()))
            .with_header("content-type", media.trim())
            .with_body(&body);
        let response = Response::new(201).with_header("content-type", media.trim()).with_body(&body);
        hold(request, response)?;
    }

    #[test]
    fn any_json_is_answered_or_forwarded(pet in pet()) {
        hold(Request::post("/v1/pets").with_json(&pet), Response::new(201).with_json(&pet))?;
    }
}
