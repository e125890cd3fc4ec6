//! Faults are problem documents, and problem documents faults.

use sluice_sdk_testing::{Request, Response, Value, json};

use crate::common::{GET_ORDER, NS_12, answered, body_of, config, envelope, plugin, soap, soap_12, start};

fn problem(status: u16, document: &Value) -> Response {
    Response::new(status)
        .with_header("content-type", "application/problem+json")
        .with_body(document.to_string())
}

#[test]
fn a_problem_document_becomes_its_fault() {
    let plugin = plugin("soap");
    let document = json!({ "type": "order-unknown", "title": "Not Found", "detail": "no order <42>", "status": 404, "order": 42 });
    let response = plugin.send(soap(GET_ORDER)).respond(problem(404, &document));
    assert_eq!(response.status(), 500);
    assert_eq!(
        body_of(&response.text()),
        "<soap:Fault><faultcode>tns:NotFound</faultcode><faultstring>no order &lt;42&gt;</faultstring>\
        <detail><tns:OrderUnknown><tns:OrderId>42</tns:OrderId></tns:OrderUnknown></detail></soap:Fault>"
    );
    let response = plugin.send(soap_12(GET_ORDER)).respond(problem(404, &document));
    assert_eq!(response.status(), 400);
    assert_eq!(
        body_of(&response.text()),
        "<soap:Fault><soap:Code><soap:Value>soap:Sender</soap:Value><soap:Subcode><soap:Value>tns:NotFound</soap:Value></soap:Subcode>\
        </soap:Code><soap:Reason><soap:Text xml:lang=\"en\">no order &lt;42&gt;</soap:Text></soap:Reason><soap:Detail>\
        <tns:OrderUnknown><tns:OrderId>42</tns:OrderId></tns:OrderUnknown></soap:Detail></soap:Fault>"
    );
}

#[test]
fn declared_faults_hold_where_what_is_unknown_is_refused() {
    let document =
        json!({ "type": "order-unknown", "title": "Not Found", "status": 404, "order": 42, "x": 1 });
    let strict = || json!({ "unknown": "refuse" });
    let text = start(config("soap", strict())).send(soap(GET_ORDER)).respond(problem(404, &document)).text();
    assert!(text.contains("<tns:OrderUnknown><tns:OrderId>42</tns:OrderId></tns:OrderUnknown>"), "{text}");
    let detail = "<t:OrderUnknown><t:OrderId>42</t:OrderId><t:More/></t:OrderUnknown>";
    let (status, problem) = told(config("rest", strict()), fault_11("t:NotFound", detail));
    assert_eq!((status, &problem["order"]), (404, &json!(42)), "{problem}");
}

#[test]
fn other_failures_are_faults_with_the_document_in_them() {
    let plugin = plugin("soap");
    let document = json!({ "type": "urn:busy", "title": "Busy", "status": 503, "pods": [1, { "name": "a" }], "a b": 1, "n": null });
    let response = problem(503, &document).with_header("retry-after", "7");
    let response = plugin.send(soap(GET_ORDER)).respond(response);
    assert_eq!((response.status(), response.header("retry-after")), (500, Some("7")));
    assert_eq!(
        body_of(&response.text()).replace(['\n'], ""),
        "<soap:Fault><faultcode>soap:Server</faultcode><faultstring>Busy</faultstring><detail>\
        <problem xmlns=\"urn:ietf:rfc:7807\"><pods><i>1</i><i><name>a</name></i></pods><title>Busy</title><type>urn:busy</type>\
        <status>503</status></problem></detail></soap:Fault>"
    );
    // The gateway writes the kinds of its steps' problems as URNs.
    let document = json!({ "type": "urn:sluice:problem:order-unknown", "order": 1 });
    let response = plugin.send(soap(GET_ORDER)).respond(problem(404, &document).of_step());
    assert!(response.text().contains("<tns:OrderId>1</tns:OrderId>"), "{}", response.text());
    // What the document lacks for its fault leaves it to the document.
    let response = plugin.send(soap(GET_ORDER)).respond(problem(404, &json!({ "type": "order-unknown" })));
    let text = response.text();
    assert!(text.contains("tns:NotFound") && text.contains("<type>order-unknown</type>"), "{text}");
    for (response, code, reason) in [
        (Response::new(404).with_body("<html>"), "soap:Client", "status 404, Not Found"),
        (problem(429, &json!({ "detail": "slow down" })).of_step(), "soap:Client", "slow down"),
        (Response::new(504).of_gateway(), "soap:Server", "status 504, Gateway Timeout"),
        (Response::new(413).of_gateway(), "soap:Client", "status 413, Content Too Large"),
        (Response::new(418).of_gateway(), "soap:Client", "status 418"),
    ] {
        let text = plugin.send(soap(GET_ORDER)).respond(response).text();
        let expected = format!("<faultcode>{code}</faultcode><faultstring>{reason}</faultstring>");
        assert!(text.contains(&expected), "{text}");
    }
}

fn fault_11(code: &str, detail: &str) -> Response {
    let fault = format!(
        "<s:Fault><faultcode>{code}</faultcode><faultstring> no such order </faultstring><detail>{detail}</detail></s:Fault>"
    );
    let body = answered(&fault);
    let text = body.text();
    Response::new(500).with_header("content-type", "text/xml").with_body(text)
}

fn told(config: Value, response: Response) -> (u16, Value) {
    let plugin = start(config);
    let mut exchange = plugin.send(Request::get("/orders/1"));
    let _ = exchange.respond(response);
    let answer = exchange.answer();
    (answer.status(), answer.problem())
}

#[test]
fn a_fault_becomes_its_problem_document() {
    let detail = "<t:OrderUnknown><t:OrderId>42</t:OrderId></t:OrderUnknown>";
    let fault = format!(
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>t:NotFound</s:Value></s:Subcode></s:Code>\
        <s:Reason><s:Text xml:lang='en'>no such order</s:Text></s:Reason><s:Detail>{detail}</s:Detail></s:Fault>"
    );
    let fault_12 = Response::new(400)
        .with_header("content-type", "application/soap+xml")
        .with_body(envelope(NS_12, "", &fault));
    for response in [fault_11("t:NotFound", detail), fault_12] {
        let (status, problem) = told(config("rest", json!({})), response);
        assert_eq!(
            (status, &problem["type"], &problem["detail"]),
            (404, &json!("order-unknown"), &json!("no such order"))
        );
        assert_eq!(problem["order"], 42, "{problem}");
    }
}

#[test]
fn other_faults_are_told_by_their_code() {
    let rest = || config("rest", json!({}));
    for (code, status) in [
        ("s:Client", 400),
        ("Client", 400),
        ("Client.Auth", 400),
        ("Server", 502),
        ("Else", 502),
        ("s:Client.Auth", 400),
        ("s:Server", 502),
        ("t:Else", 502),
        ("q:x", 502),
        ("s:MustUnderstand", 502),
    ] {
        let (told, problem) = told(rest(), fault_11(code, "<t:Trace>at line 7</t:Trace>"));
        assert_eq!(
            (told, &problem["type"], &problem["detail"]),
            (status, &json!("soap-fault"), &json!("no such order")),
            "{code}"
        );
        assert_eq!(problem.get("fault_detail"), None);
    }
    let exposed = config("rest", json!({ "expose_fault_detail": true }));
    let (_, problem) = told(exposed, fault_11("s:Server", "<t:Trace>at line 7</t:Trace>"));
    assert_eq!(problem["fault_detail"], json!({ "Trace": "at line 7" }), "{problem}");
    // A fault is one whatever its status says.
    let ok =
        Response::new(200).with_header("content-type", "text/xml").with_body(fault_11("s:Client", "").text());
    assert_eq!(told(rest(), ok).0, 400);
    let empty = answered("<s:Fault/>");
    assert_eq!(told(rest(), empty).0, 502);
}

#[test]
fn all_challenges_are_kept() {
    let challenged = |response: Response| {
        response
            .with_header("www-authenticate", "Basic realm=\"a\"")
            .with_header("www-authenticate", "Bearer")
    };
    let both = ["Basic realm=\"a\"", "Bearer"];
    let (soap_side, rest_side) = (plugin("soap"), plugin("rest"));
    let response = soap_side.send(soap(GET_ORDER)).respond(challenged(problem(401, &json!({}))));
    assert_eq!(response.header_all("www-authenticate"), both);
    let mut exchange = rest_side.send(Request::get("/orders/1"));
    let _ = exchange.respond(challenged(Response::new(401).with_body("<html>")));
    assert_eq!(exchange.answer().header_all("www-authenticate"), both);
}
