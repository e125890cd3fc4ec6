//! A service of orders, and messages to it.

use sluice_sdk_testing::{Answer, Harness, Request, Response, TestPlugin, Value, json};
use soap_rest::SoapRest;

pub(crate) const NS_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub(crate) const NS_12: &str = "http://www.w3.org/2003/05/soap-envelope";

/// The service, with `more` laid over it.
pub(crate) fn config(serve: &str, more: Value) -> Value {
    let mut config = json!({
        "serve": serve,
        "namespace": "urn:shop",
        "namespaces": { "c": "urn:common" },
        "operations": {
            "GetOrder": {
                "action": "urn:shop/GetOrder",
                "rest": "GET /orders/{id}",
                "query": { "expand": "expand" },
                "headers": { "x-tenant": "tenant" },
                "header": [{ "json": "tenant", "xml": "Session/Tenant", "optional": true }],
                "input": [
                    { "json": "id", "xml": "OrderId", "type": "integer" },
                    { "json": "expand", "xml": "Expand", "list": true },
                ],
                "output": [
                    { "json": "id", "xml": "@id", "type": "integer" },
                    { "json": "customer.name", "xml": "c:Customer/c:Name" },
                    { "json": "total", "xml": "Total", "type": "decimal" },
                    { "json": "currency", "xml": "Total/@currency", "default": "EUR" },
                    { "json": "paid", "xml": "Paid", "type": "boolean", "optional": true },
                    { "json": "note", "xml": "Note", "nillable": true },
                    { "json": "items", "xml": "Items/Item", "list": true, "fields": [
                        { "json": "sku", "xml": "@sku" },
                        { "json": "count", "xml": ".", "type": "integer" },
                    ] },
                ],
            },
            "CreateOrder": {
                "rest": "POST /orders",
                "status": 201,
                "response_headers": { "location": "link" },
                "input": [{ "json": "customer", "fields": ["name", { "json": "mail", "optional": true }] }],
                "output": ["link", { "json": "id", "type": "integer" }],
            },
        },
        "faults": [
            { "status": 404, "kind": "order-unknown", "code": "sender", "subcode": "tns:NotFound", "detail": "OrderUnknown",
              "fields": [{ "json": "order", "xml": "OrderId", "type": "integer" }] },
        ],
    });
    if serve == "rest" {
        config["endpoint"] = json!("/services/orders");
    }
    for (key, value) in more.as_object().expect("a table") {
        config[key] = value.clone();
    }
    config
}

pub(crate) fn start(config: Value) -> TestPlugin {
    Harness::<SoapRest>::new(config).start().expect("the configuration is good")
}

pub(crate) fn plugin(serve: &str) -> TestPlugin {
    start(config(serve, json!({})))
}

/// An envelope around what is in the body, with the prefixes `t` and `c`.
pub(crate) fn envelope(namespace: &str, header: &str, body: &str) -> String {
    let names = format!("xmlns:s=\"{namespace}\" xmlns:t=\"urn:shop\" xmlns:c=\"urn:common\"");
    format!("<s:Envelope {names}><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>")
}

/// A message of SOAP 1.1.
pub(crate) fn soap(body: &str) -> Request {
    let request = Request::post("/soap").with_header("content-type", "text/xml; charset=utf-8");
    request.with_body(envelope(NS_11, "", body))
}

pub(crate) fn soap_12(body: &str) -> Request {
    let request = Request::post("/soap").with_header("content-type", "application/soap+xml; charset=utf-8");
    request.with_body(envelope(NS_12, "", body))
}

pub(crate) const GET_ORDER: &str = "<t:GetOrder><t:OrderId> 0042 </t:OrderId></t:GetOrder>";

pub(crate) fn order() -> Value {
    json!({
        "id": 42, "customer": { "name": "Ann & Bo" }, "total": 19.5, "currency": "CHF", "note": null,
        "items": [{ "sku": "a\"b", "count": 2 }, { "sku": "c", "count": 1 }], "internal": true,
    })
}

/// What comes back in the body of a message of SOAP 1.1.
pub(crate) fn answered(body: &str) -> Response {
    let response = Response::new(200).with_header("content-type", "text/xml; charset=utf-8");
    response.with_body(envelope(NS_11, "", body))
}

/// What is between `<soap:Body>` and its end.
#[track_caller]
pub(crate) fn body_of(message: &str) -> &str {
    let body = message
        .split_once("<soap:Body>")
        .and_then(|(_, rest)| rest.split_once("</soap:Body></soap:Envelope>"));
    body.unwrap_or_else(|| panic!("no envelope: {message}")).0
}

#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, kind: &str, detail: &str) {
    let problem = answer.problem();
    assert_eq!((answer.status(), &problem["type"]), (status, &json!(kind)), "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|said| said.contains(detail)), "{problem}");
}

/// An answer in SOAP 1.1 that is a fault of this kind.
#[track_caller]
pub(crate) fn fault(status: u16, text: &str, code: &str, kind: &str, detail: &str) {
    assert_eq!(status, 500, "{text}");
    for part in
        [format!("<faultcode>soap:{code}</faultcode>"), format!("<type>{kind}</type>"), detail.to_owned()]
    {
        assert!(text.contains(&part), "{part}: {text}");
    }
}
