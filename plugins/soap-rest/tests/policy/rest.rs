//! REST clients of a SOAP upstream.

use sluice_sdk_testing::{Request, Response, Value, json};

use crate::common::{NS_12, answered, body_of, config, envelope, plugin, refused, start};

const ORDER: &str = "<t:GetOrderResponse id='42'><c:Customer><c:Name>Ann &amp; Bo</c:Name></c:Customer><t:Total currency='CHF'>19.50</t:Total>\
    <t:Paid>1</t:Paid><t:Note>n</t:Note><t:Items><t:Item sku='a'>2</t:Item></t:Items></t:GetOrderResponse>";

#[test]
fn a_request_becomes_a_call_and_the_message_a_response() {
    let plugin = plugin("rest");
    let request =
        Request::get("/orders/42?expand=items&expand=a%20b&other=1").with_header("x-tenant", "acme");
    let mut exchange = plugin.send(request);
    let sent = exchange.forwarded();
    assert_eq!((sent.method(), sent.path(), sent.query()), ("POST", "/services/orders", None));
    assert_eq!(sent.header("content-type"), Some("text/xml; charset=utf-8"));
    assert_eq!(sent.header("soapaction"), Some("\"urn:shop/GetOrder\""));
    assert_eq!(sent.header("accept"), Some("text/xml"));
    let text = sent.text();
    assert_eq!(
        body_of(&text),
        "<tns:GetOrder><tns:OrderId>42</tns:OrderId><tns:Expand>items</tns:Expand><tns:Expand>a b</tns:Expand></tns:GetOrder>"
    );
    let header = "<soap:Header><tns:Session><tns:Tenant>acme</tns:Tenant></tns:Session></soap:Header>";
    assert!(text.contains(header), "{text}");
    let response = exchange.respond(answered(ORDER));
    assert_eq!((response.status(), response.header("content-type")), (200, Some("application/json")));
    assert_eq!(
        response.text(),
        r#"{"id":42,"customer":{"name":"Ann & Bo"},"currency":"CHF","total":19.50,"paid":true,"note":"n","items":[{"sku":"a","count":2}]}"#
    );
}

#[test]
fn the_other_version_is_spoken_as_well() {
    let plugin = start(config("rest", json!({ "version": "1.2" })));
    let mut exchange = plugin.send(Request::get("/orders/1"));
    let sent = exchange.forwarded();
    assert_eq!(
        sent.header("content-type"),
        Some("application/soap+xml; charset=utf-8; action=\"urn:shop/GetOrder\"")
    );
    assert_eq!(sent.header("soapaction"), None);
    assert!(sent.text().contains(&format!("xmlns:soap=\"{NS_12}\"")));
    let response = Response::new(200)
        .with_header("content-type", "application/soap+xml")
        .with_body(envelope(NS_12, "", ORDER));
    assert!(exchange.respond(response).text().starts_with(r#"{"id":42,"#));
}

#[test]
fn bodies_become_elements_and_members_headers() {
    let plugin = plugin("rest");
    let mut exchange = plugin.send(
        Request::post("/orders").with_json(&json!({ "customer": { "name": "<A>", "mail": null }, "x": 1 })),
    );
    let sent = exchange.forwarded();
    assert_eq!(
        body_of(&sent.text()),
        "<tns:CreateOrder><tns:customer><tns:name>&lt;A&gt;</tns:name></tns:customer></tns:CreateOrder>"
    );
    let response = exchange.respond(answered(
        "<t:CreateOrderResponse><t:link>/orders/9</t:link><t:id>9</t:id></t:CreateOrderResponse>",
    ));
    assert_eq!(
        (response.status(), response.header("location"), response.text().as_str()),
        (201, Some("/orders/9"), r#"{"id":9}"#)
    );
}

#[test]
fn a_list_is_several_headers() {
    let mut config = config("rest", json!({}));
    config["operations"] = json!({ "Get": { "rest": "GET /links", "response_headers": { "link": "links" },
        "input": [], "output": [{ "json": "links", "xml": "Link", "list": true }, "id"] } });
    let plugin = start(config);
    let get = |links: &str| {
        let message = answered(&format!("<t:GetResponse>{links}<t:id>1</t:id></t:GetResponse>"));
        let mut exchange = plugin.send(Request::get("/links"));
        let response = exchange.respond(message.with_header("link", "<old>"));
        assert_eq!(response.text(), r#"{"id":"1"}"#);
        response.header_all("link").join(", ")
    };
    assert_eq!(get("<t:Link>a</t:Link><t:Link>b</t:Link>"), "a, b");
    assert_eq!(get(""), "<old>");
}

#[test]
fn the_path_counts_whatever_the_body_says() {
    let mut config = config("rest", json!({}));
    config["operations"] = json!({
        "Put": { "rest": "PUT /orders/{order.id}", "input": [{ "json": "order.id", "xml": "Id" }, { "json": "order.name", "xml": "Name" }], "body": "order", "output": [] },
        "PutMine": { "rest": "PUT /orders/mine", "input": ["name"], "output": [] },
    });
    let plugin = start(config);
    let exchange =
        plugin.send(Request::new("PUT", "/orders/7").with_json(&json!({ "id": "8", "name": "n" })));
    assert_eq!(
        body_of(&exchange.forwarded().text()),
        "<tns:Put><tns:Id>7</tns:Id><tns:Name>n</tns:Name></tns:Put>"
    );
    let exchange = plugin.send(Request::new("PUT", "/orders/mine").with_json(&json!({ "name": "n" })));
    assert_eq!(body_of(&exchange.forwarded().text()), "<tns:PutMine><tns:name>n</tns:name></tns:PutMine>");
}

#[test]
fn the_path_counts_under_whatever_name_the_body_says_it() {
    let mut config = config("rest", json!({}));
    config["operations"] = json!({ "Conv": { "rest": "POST /conv/{id}", "query": { "who": "by.who" } } });
    let plugin = start(config);
    let post = |body: Value| plugin.send(Request::post("/conv/7").with_json(&body));
    for body in [
        json!({ "id": "8" }),
        json!({ "tns:id": "8" }),
        json!({ "tns:id": ["8"], "by": { "tns:who": "me" } }),
        json!({ "by": [{ "who": "me" }] }),
    ] {
        let text = post(body.clone()).forwarded().text();
        let text = body_of(&text).replace("<tns:by></tns:by>", "");
        assert_eq!(text, "<tns:Conv><tns:id>7</tns:id></tns:Conv>", "{body}");
    }
    let answer = post(json!({ "a": 1, "tns:a": 2 })).answer();
    refused(&answer, 422, "body-mismatch", "`tns:a`: it is the same as `a`");
}

#[test]
fn requests_that_do_not_suit_are_refused() {
    let plugin = plugin("rest");
    let create =
        |body: &str| Request::post("/orders").with_header("content-type", "application/json").with_body(body);
    for (request, status, kind, detail) in [
        (Request::get("/other"), 404, "operation-unknown", "no operation"),
        (Request::get("/orders/.."), 404, "operation-unknown", "no operation"),
        (Request::get("/orders"), 405, "method-unknown", "other methods"),
        (Request::new("HEAD", "/orders/1"), 405, "method-unknown", "other methods"),
        (Request::get("/orders/x"), 400, "parameter-invalid", "`id` in the path: the text is not an integer"),
        (
            Request::get("/orders/1").with_header("x-tenant", "a").with_header("x-tenant", "b"),
            400,
            "parameter-invalid",
            "more than once",
        ),
        (create("{"), 400, "body-not-json", "at byte 1"),
        (create("{\"a\":1,\"a\":2}"), 400, "body-duplicate-member", "`a`"),
        (create("[]"), 422, "body-mismatch", "`customer`: it is missing"),
        (create("{}"), 422, "body-mismatch", "`customer`: it is missing"),
        (create("{\"customer\":1}"), 422, "body-mismatch", "`customer`: it is a number and not an object"),
        (
            create("{\"customer\":{\"name\":[]}}"),
            422,
            "body-mismatch",
            "`customer.name`: it is an array and not a string",
        ),
        (
            create("{\"customer\":{\"name\":\"\\u0001\"}}"),
            422,
            "body-mismatch",
            "a character that XML does not have",
        ),
        (create("").with_body(""), 422, "body-mismatch", "it is missing"),
        (
            Request::post("/orders").with_header("content-type", "text/plain").with_body("x"),
            415,
            "media-type-unsupported",
            "not JSON",
        ),
    ] {
        refused(&plugin.send(request).answer(), status, kind, detail);
    }
    assert_eq!(plugin.send(Request::get("/orders")).answer().header("allow"), Some("POST"));
    let lenient = start(config("rest", json!({ "unmatched": "pass" })));
    let mut exchange = lenient.send(Request::get("/other"));
    assert_eq!((exchange.forwarded().method(), exchange.forwarded().path()), ("GET", "/other"));
    assert_eq!(exchange.respond(Response::new(200).with_body("as it is")).text(), "as it is");
    let strict = start(config("rest", json!({ "unknown": "refuse" })));
    refused(
        &strict.send(Request::get("/orders/1?x=1")).answer(),
        400,
        "parameter-invalid",
        "`x` is not known",
    );
}

#[test]
fn responses_that_do_not_suit_are_a_bad_gateway() {
    let plugin = plugin("rest");
    let order = |from: &str, to: &str| answered(&ORDER.replace(from, to));
    for (response, status, kind, detail) in [
        (order("id='42'", ""), 502, "body-mismatch", "`@id`: it is missing"),
        (order("19.50", "much"), 502, "body-mismatch", "`tns:Total`: the text is not a decimal number"),
        (order("GetOrderResponse", "Other"), 502, "response-unexpected", "`tns:GetOrderResponse`"),
        (
            order("'>2<", "'>2.5<"),
            502,
            "body-mismatch",
            "`tns:Items/tns:Item[1]`: the text is not an integer",
        ),
        (Response::new(200).with_body("x"), 502, "response-not-soap", "not SOAP"),
        (answered("").with_body("<a/>"), 502, "response-not-soap", "not an `Envelope`"),
        (answered("").with_body("<!DOCTYPE a><a/>"), 502, "xml-forbidden", "a document type declaration"),
        (Response::new(204), 502, "body-mismatch", "it is missing"),
        (
            Response::new(503).with_header("content-type", "text/html").with_body("<html>"),
            503,
            "response-not-soap",
            "503",
        ),
        (Response::new(301), 502, "response-unexpected", "301"),
    ] {
        let mut exchange = plugin.send(Request::get("/orders/1"));
        let _ = exchange.respond(response);
        refused(&exchange.answer(), status, kind, detail);
    }
}

#[test]
fn what_other_steps_say_passes() {
    let plugin = plugin("rest");
    let problem = Response::new(429).with_header("content-type", "application/problem+json").with_body("{}");
    for response in [problem.clone().of_step(), problem.of_gateway()] {
        let answered = plugin.send(Request::get("/orders/1")).respond(response);
        assert_eq!((answered.status(), answered.text().as_str()), (429, "{}"));
    }
}

#[test]
fn nothing_may_be_all_there_is() {
    let mut config = config("rest", json!({}));
    config["operations"] =
        json!({ "Delete": { "rest": "DELETE /orders/{id}", "status": 204, "input": ["id"], "output": [] } });
    let plugin = start(config);
    for response in [answered("<t:DeleteResponse/>"), answered(""), Response::new(202), Response::new(204)] {
        let response = plugin.send(Request::new("DELETE", "/orders/1")).respond(response);
        assert_eq!(
            (response.status(), response.text().as_str(), response.header("content-type")),
            (204, "", None)
        );
    }
}
