//! SOAP clients of a REST upstream.

use sluice_sdk_testing::{Request, Response, json};

use crate::common::{
    GET_ORDER, NS_11, NS_12, body_of, config, envelope, fault, order, plugin, refused, soap, soap_12, start,
};

const ORDER: &str = "<tns:GetOrderResponse id=\"42\"><c:Customer><c:Name>Ann &amp; Bo</c:Name></c:Customer>\
    <tns:Total currency=\"CHF\">19.5</tns:Total><tns:Note xsi:nil=\"true\"></tns:Note>\
    <tns:Items><tns:Item sku=\"a&quot;b\">2</tns:Item><tns:Item sku=\"c\">1</tns:Item></tns:Items></tns:GetOrderResponse>";

#[test]
fn a_call_becomes_a_request_and_the_response_a_message() {
    let plugin = plugin("soap");
    for (request, media, namespace) in [
        (soap(GET_ORDER), "text/xml; charset=utf-8", NS_11),
        (soap_12(GET_ORDER), "application/soap+xml; charset=utf-8", NS_12),
    ] {
        let request =
            request.with_header("soapaction", "\"urn:shop/GetOrder\"").with_header("if-none-match", "\"1\"");
        let mut exchange = plugin.send(request);
        let sent = exchange.forwarded();
        assert_eq!(
            (sent.method(), sent.path(), sent.query(), sent.text().as_str()),
            ("GET", "/orders/42", None, "")
        );
        assert_eq!(sent.header("accept"), Some("application/json, application/problem+json"));
        for gone in ["content-type", "soapaction", "if-none-match"] {
            assert_eq!(sent.header(gone), None, "{gone}");
        }
        let response = exchange.respond(Response::new(200).with_json(&order()).with_header("etag", "\"x\""));
        assert_eq!((response.status(), response.header("content-type")), (200, Some(media)));
        assert_eq!(response.header("etag"), Some("W/\"x\""));
        assert!(response.text().contains(&format!("xmlns:soap=\"{namespace}\"")), "{}", response.text());
        assert_eq!(body_of(&response.text()), ORDER);
    }
}

#[test]
fn members_stand_in_path_query_headers_and_body() {
    let plugin = plugin("soap");
    let header = "<t:Session><t:Tenant>acme</t:Tenant></t:Session><c:Other/>";
    let body = "<t:GetOrder><t:Expand>items</t:Expand><t:OrderId>7</t:OrderId><t:Expand>a &amp; b</t:Expand></t:GetOrder>";
    let request = Request::post("/soap?old=1")
        .with_header("content-type", "text/xml")
        .with_body(envelope(NS_11, header, body));
    let exchange = plugin.send(request);
    let sent = exchange.forwarded();
    assert_eq!((sent.path(), sent.query()), ("/orders/7", Some("expand=items&expand=a%20%26%20b")));
    assert_eq!(sent.header_all("x-tenant"), ["acme"]);

    let body = "<t:CreateOrder><t:customer><t:name>A<![CDATA[<]]>\u{e9}</t:name></t:customer><t:more/></t:CreateOrder>";
    let mut exchange = plugin.send(soap(body));
    let sent = exchange.forwarded();
    assert_eq!(
        (sent.method(), sent.path(), sent.text().as_str()),
        ("POST", "/orders", r#"{"customer":{"name":"A<é"}}"#)
    );
    assert_eq!(sent.header("content-type"), Some("application/json"));
    let created = Response::new(201).with_json(&json!({ "id": 9 })).with_header("location", "/orders/9");
    let expected =
        "<tns:CreateOrderResponse><tns:link>/orders/9</tns:link><tns:id>9</tns:id></tns:CreateOrderResponse>";
    let response = exchange.respond(created);
    assert_eq!((response.status(), body_of(&response.text())), (200, expected));
}

#[test]
fn what_is_no_soap_is_refused_or_passes() {
    let strict = plugin("soap");
    refused(&strict.send(Request::get("/soap")).answer(), 405, "method-unknown", "POST");
    let json = || Request::post("/soap").with_json(&json!({}));
    refused(&strict.send(json()).answer(), 415, "media-type-unsupported", "text/xml");
    let twice = soap(GET_ORDER).with_header("content-type", "text/plain");
    refused(&strict.send(twice).answer(), 400, "content-type-ambiguous", "several");
    let lenient = start(config("soap", json!({ "unmatched": "pass" })));
    let mut exchange = lenient.send(json());
    assert_eq!((exchange.forwarded().method(), exchange.forwarded().text().as_str()), ("POST", "{}"));
    assert_eq!(
        exchange.respond(Response::new(200).with_json(&order())).header("content-type"),
        Some("application/json")
    );
    let described = start(config("soap", json!({ "wsdl": "<definitions/>" })));
    let answer = described.send(Request::get("/soap?WSDL")).answer();
    assert_eq!((answer.status(), answer.text().as_str()), (200, "<definitions/>"));
}

#[test]
fn a_request_that_does_not_suit_is_a_fault_of_the_sender() {
    let plugin = plugin("soap");
    for (request, kind, detail) in [
        (soap("<t:GetOrder/>"), "body-mismatch", "tns:OrderId"),
        (
            soap("<t:GetOrder><t:OrderId>x</t:OrderId></t:GetOrder>"),
            "body-mismatch",
            "the text is not an integer",
        ),
        (soap("<t:GetOrder><OrderId>1</OrderId></t:GetOrder>"), "body-mismatch", "it is missing"),
        (
            soap("<t:GetOrder><t:OrderId>1</t:OrderId><t:OrderId>2</t:OrderId></t:GetOrder>"),
            "body-mismatch",
            "more than once",
        ),
        (soap("<t:GetOrder><t:OrderId>1<x/></t:OrderId></t:GetOrder>"), "body-mismatch", "only a text"),
        (soap("<t:Other/>"), "operation-unknown", "`Other` of `urn:shop`"),
        (soap("<GetOrder/>"), "operation-unknown", "`GetOrder`"),
        (soap(""), "soap-malformed", "exactly one element"),
        (soap("<t:GetOrder/><t:GetOrder/>"), "soap-malformed", "exactly one element"),
        (soap("text"), "soap-malformed", "text in the `Body`"),
        (soap("").with_body("<a/>"), "soap-malformed", "not an `Envelope`"),
        (soap("").with_body(""), "body-not-xml", "no element"),
        (soap("").with_body("<a>"), "body-not-xml", "not closed"),
        (
            soap(GET_ORDER).with_header("soapaction", "\"urn:shop/Other\""),
            "action-mismatch",
            "not that of the element",
        ),
        (soap(GET_ORDER).with_header("content-encoding", "gzip"), "content-coding-malformed", "gzip"),
        (soap(GET_ORDER).with_header("content-encoding", "exi"), "content-coding-unsupported", "exi"),
    ] {
        let answer = plugin.send(request).answer();
        fault(answer.status(), &answer.text(), "Client", kind, detail);
    }
    let answer = plugin.send(soap_12("<t:GetOrder/>")).answer();
    assert_eq!(
        (answer.status(), answer.header("content-type")),
        (400, Some("application/soap+xml; charset=utf-8"))
    );
    assert!(answer.text().contains("<soap:Value>soap:Sender</soap:Value>"), "{}", answer.text());
}

#[test]
fn what_the_client_is_told_is_not_told_again() {
    let plugin = plugin("soap");
    let mut exchange = plugin.send(soap("<t:GetOrder/>"));
    let text = exchange.answer().text();
    let own =
        Response::new(500).with_header("content-type", "text/xml; charset=utf-8").with_body(&text).of_step();
    assert_eq!(exchange.respond(own).text(), text);
}

#[test]
fn versions_and_actions_are_held_to() {
    let plugin = plugin("soap");
    let only = |version: &str| start(config("soap", json!({ "version": version })));
    let (only_11, only_12) = (only("1.1"), only("1.2"));
    let of = |namespace: &str| envelope(namespace, "", GET_ORDER);
    for (plugin, request, namespace) in [
        (&plugin, soap("").with_body(of(NS_12)), NS_11),
        (&plugin, soap("").with_body(of("urn:soap-13")), NS_11),
        (&plugin, soap_12("").with_body(of("urn:soap-13")), NS_12),
        (&plugin, soap_12("").with_body(of(NS_11)), NS_11),
        (&only_12, soap(GET_ORDER), NS_11),
        (&only_12, soap("").with_body(of("urn:soap-13")), NS_12),
        (&only_11, soap_12(GET_ORDER), NS_11),
    ] {
        let answer = plugin.send(request).answer();
        let text = answer.text();
        let media = if namespace == NS_11 { "text/xml" } else { "application/soap+xml" };
        let media = format!("{media}; charset=utf-8");
        assert_eq!((answer.status(), answer.header("content-type")), (500, Some(media.as_str())), "{text}");
        let declared = format!("xmlns:soap=\"{namespace}\"");
        assert!(text.contains("soap:VersionMismatch<") && text.contains(&declared), "{text}");
    }
    let with_action = |action: &str| {
        let media = format!("application/soap+xml; charset=utf-8; action=\"{action}\"");
        Request::post("/soap").with_header("content-type", &media).with_body(envelope(NS_12, "", GET_ORDER))
    };
    assert!(plugin.send(with_action("urn:shop/GetOrder")).is_forwarded());
    assert!(plugin.send(with_action("")).is_forwarded());
    assert!(plugin.send(with_action("urn:shop/x")).answer().text().contains("action-mismatch"));
}

#[test]
fn headers_that_have_to_be_understood_are() {
    let send = |more, header: &str| {
        let request = Request::post("/soap").with_header("content-type", "text/xml");
        let plugin = start(config("soap", more));
        let exchange = plugin.send(request.with_body(envelope(NS_11, header, GET_ORDER)));
        if exchange.is_forwarded() { String::new() } else { exchange.answer().text() }
    };
    let must = "<c:Security s:mustUnderstand=\"1\"/>";
    let text = send(json!({}), must);
    assert!(
        text.contains("<faultcode>soap:MustUnderstand</faultcode>") && text.contains("`Security`"),
        "{text}"
    );
    assert_eq!(send(json!({ "understood": ["c:Security"] }), must), "");
    assert_eq!(send(json!({}), "<t:Session s:mustUnderstand=\"true\"/>"), "");
    assert_eq!(send(json!({}), "<c:Security s:mustUnderstand=\"0\"/>"), "");
    assert_eq!(send(json!({}), "<c:Security s:mustUnderstand=\"1\" s:actor=\"urn:elsewhere\"/>"), "");
}

#[test]
fn header_blocks_for_others_are_left_alone() {
    let plugin = plugin("soap");
    let next_11 = "http://schemas.xmlsoap.org/soap/actor/next";
    let (next_12, none_12) = (format!("{NS_12}/role/next"), format!("{NS_12}/role/none"));
    for (namespace, media, name, role, is_ours) in [
        (NS_11, "text/xml", "actor", "", true),
        (NS_11, "text/xml", "actor", next_11, true),
        (NS_11, "text/xml", "actor", "urn:elsewhere", false),
        (NS_12, "application/soap+xml", "role", next_12.as_str(), true),
        (NS_12, "application/soap+xml", "role", none_12.as_str(), false),
    ] {
        let header = format!("<t:Session s:{name}='{role}'><t:Tenant>acme</t:Tenant></t:Session>");
        let request = Request::post("/soap").with_header("content-type", media);
        let exchange = plugin.send(request.with_body(envelope(namespace, &header, GET_ORDER)));
        let tenants = exchange.forwarded().header_all("x-tenant").join(",");
        assert_eq!(tenants, if is_ours { "acme" } else { "" }, "{role}");
    }
}

#[test]
fn a_response_that_does_not_suit_is_a_fault_of_the_receiver() {
    let plugin = plugin("soap");
    let text =
        |body: &str| Response::new(200).with_header("content-type", "application/json").with_body(body);
    for (response, kind, detail) in [
        (text("{"), "body-not-json", "at byte 1"),
        (text("{\"id\":1,\"id\":2}"), "body-duplicate-member", "`id`"),
        (text("{\"id\":\"x\"}"), "body-mismatch", "it is a string and not an integer"),
        (text("[]"), "body-mismatch", "`id`: it is missing"),
        (Response::new(200).with_body("x"), "media-type-unsupported", "not JSON"),
        (Response::new(302).with_header("location", "/"), "response-unexpected", "302"),
        (Response::new(304), "response-unexpected", "304"),
        (Response::new(204), "body-mismatch", "it is missing"),
    ] {
        let response = plugin.send(soap(GET_ORDER)).respond(response);
        fault(response.status(), &response.text(), "Server", kind, detail);
    }
}

#[test]
fn an_empty_response_may_be_all_there_is() {
    let mut config = config("soap", json!({}));
    config["operations"] =
        json!({ "Delete": { "rest": "DELETE /orders/{id}", "input": ["id"], "output": [] } });
    let plugin = start(config);
    for status in [200, 202, 204] {
        let mut exchange = plugin.send(soap("<t:Delete><t:id>7</t:id></t:Delete>"));
        assert_eq!((exchange.forwarded().method(), exchange.forwarded().path()), ("DELETE", "/orders/7"));
        let response = exchange.respond(Response::new(status));
        assert_eq!(
            (response.status(), body_of(&response.text())),
            (200, "<tns:DeleteResponse></tns:DeleteResponse>")
        );
    }
}

#[test]
fn a_path_is_not_left() {
    let mut config = config("soap", json!({}));
    config["operations"] = json!({ "Get": { "rest": "GET /orders/{id}", "input": ["id"], "output": [] } });
    let plugin = start(config);
    let path = |id: &str| {
        let exchange = plugin.send(soap(&format!("<t:Get><t:id>{id}</t:id></t:Get>")));
        if exchange.is_forwarded() {
            exchange.forwarded().path().to_owned()
        } else {
            exchange.answer().text()
        }
    };
    assert_eq!(path("../../etc/x?y=z#"), "/orders/..%2F..%2Fetc%2Fx%3Fy%3Dz%23");
    assert!(path("..").contains("would be `.` or `..`"));
    assert!(path("").contains("is empty"));
}
