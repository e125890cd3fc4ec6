//! Configurations that are refused.

use rest_graphql::RestGraphql;
use sluice_sdk_testing::{Harness, Value, json};

use crate::common::SCHEMA;

fn told(config: &Value) -> String {
    Harness::<RestGraphql>::new(config.clone()).start().expect_err("the configuration is bad").message
}

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    let get = |query: &str| json!({ "method": "GET", "path": "/a", "query": query });
    let with = |mut route: Value, key: &str, value: Value| {
        route[key] = value;
        route
    };
    for (route, reason) in [
        (get("{a"), "`routes[0]`: `query`, line 1, column 3: the end where a field is expected"),
        (get("{...F}"), "`query`: there is no fragment `F`"),
        (get("{a}fragment F on T{...F}"), "`query`: fragment `F` uses itself"),
        (get("query A{a}query B{b}"), "`query` has not just one operation"),
        (with(get("query A{a}"), "operation", json!("B")), "`operation`: `query` has no operation `B`"),
        (get("mutation{a}"), "`method`: a mutation cannot be a `GET`"),
        (get("subscription{a}"), "`query`: a subscription has no one answer"),
        (with(get("{a}"), "method", json!("HEAD")), "`HEAD` comes with `GET`"),
        (with(get("{a}"), "path", json!("/a/{id}")), "`path`: no variable takes `{id}`"),
        (with(get("{a}"), "path", json!("/a/{id}x")), "`path`: `/a/{id}x`: `{id}x` is neither"),
        (get("query($s:Srt){a}"), "`query`: `schema` has no enum, input or scalar `Srt`, the type of `$s`"),
        (get("query($s:Product){a}"), "has no enum, input or scalar `Product`"),
        (
            with(get("{a}"), "variables", json!({ "x": "query:x" })),
            "`variables.x`: `query` has no variable `$x`",
        ),
        (
            with(get("query($x:Int){a}"), "variables", json!({ "x": "form:x" })),
            "`variables.x`: `form:x` is none of",
        ),
        (
            with(get("query($x:Int){a}"), "variables", json!({ "x": "path:x" })),
            "`variables.x`: `path` has no `{x}`",
        ),
        (
            with(get("query($x:Int){a}"), "variables", json!({ "x": "body:/x" })),
            "`variables.x`: a `GET` has no body",
        ),
        (
            with(get("query($x:Int){a}"), "variables", json!({ "x": "header:a b" })),
            "`variables.x`: `a b` is not a header name",
        ),
        (
            with(get("query($x:Int){a}"), "variables", json!({ "x": { "value": "7" } })),
            "`variables.x`: `value`: is not of the type `Int`",
        ),
        (get("query($x:By){a}"), "`variables.x`: an object can only come from the body"),
        (get("query($x:[[Int]]){a}"), "`variables.x`: a list of lists can only come from the body"),
        (with(get("{a{b}}"), "result", json!("a.c")), "`result`: `query` does not select `c` there"),
        (with(get("{a}"), "result", json!("a..b")), "`result`: `a..b` has an empty step"),
        (with(get("{a}"), "null_status", json!(410)), "`null_status` is 200, 204 or 404, not 410"),
        (with(get("{a}"), "status", json!(206)), "`status` is not 206"),
        (with(get("{a}"), "errors", json!([{ "status": 404 }])), "`routes[0]`: `errors[0]` fits every error"),
        (
            with(with(get("{a}"), "method", json!("POST")), "cache_control", json!("no-cache")),
            "`cache_control` has a meaning with `GET` only",
        ),
        (with(get("{a}"), "statuss", json!(200)), ""),
    ] {
        let told = told(&json!({ "schema": SCHEMA, "routes": [route] }));
        assert!(told.contains(reason), "{route}: {told}");
    }
}

#[test]
fn what_is_one_consumers_is_not_shared() {
    for (cache_control, is_refused) in
        [("max-age=5, Public", true), ("s-maxage = 5", true), ("max-age=5", false), ("private", false)]
    {
        let route = json!({
            "method": "GET", "path": "/a", "query": "query($x:ID){a}", "variables": { "x": "consumer" },
            "cache_control": cache_control,
        });
        let started = Harness::<RestGraphql>::new(json!({ "routes": [route] })).start();
        let reason =
            "`routes[0]`: `cache_control`: what the consumer decides is neither `public` nor has `s-maxage`";
        assert_eq!(started.err().is_some_and(|error| error.message.contains(reason)), is_refused);
    }
}

#[test]
fn what_is_wrong_around_the_routes_is_told_too() {
    let a = json!({ "method": "GET", "path": "/a/{x}", "query": "query($x:ID){a(x:$x)}" });
    let b = json!({ "method": "GET", "path": "/a/{y}", "query": "query($y:ID){a(x:$y)}" });
    for (config, reason) in [
        (json!({ "routes": [] }), "`routes` is empty"),
        (json!({ "routes": [a, b] }), "`routes[1]`: there is another route of this method and path"),
        (json!({ "routes": [a], "endpoint": "graphql" }), "`endpoint` is a path"),
        (
            json!({ "routes": [a], "schema": "enum A {\n 1 }" }),
            "`schema`, line 2, column 2: a number where a name is expected",
        ),
        (
            json!({ "routes": [a], "schema": "input A { b: B }" }),
            "`schema`: there is no enum, input or scalar `B` for `A.b`",
        ),
        (
            json!({ "routes": [a], "schema": "scalar A extend enum A { B }" }),
            "`schema`: `A` is several kinds of type",
        ),
        (json!({ "routes": [a], "schema": "asset:none" }), "`schema`: find an asset"),
    ] {
        let told = told(&config);
        assert!(told.contains(reason), "{config}: {told}");
    }
}

#[test]
fn a_schema_comes_as_a_file() {
    let config = json!({ "schema": "asset:schema.graphql", "routes": [
        { "method": "GET", "path": "/a", "query": "query($s:Sort){a(s:$s)}" },
    ] });
    let plugin = Harness::<RestGraphql>::new(config).asset("schema.graphql", SCHEMA).start().unwrap();
    let sent = plugin.send(sluice_sdk_testing::Request::get("/a?s=STARS"));
    assert!(sent.forwarded().text().ends_with("\"variables\":{\"s\":\"STARS\"}}"));
}
