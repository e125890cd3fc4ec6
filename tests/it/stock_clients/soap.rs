//! SOAP by others: zeep, a client for Python, calls a REST service and the example's gRPC service; REST clients call a
//! service by node-soap. Both from the same WSDL, in SOAP 1.1 and 1.2.

use std::io::Write as _;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::harness::library::Library;
use crate::harness::peers::{self, Program};
use crate::harness::{Gateway, Origin, Setup, config, root};

/// What the WSDL says, and how it corresponds to JSON.
pub(crate) const ORDERS: &str = r#"
[plugins.soap-rest]
module = "plugins/soap-rest.wasm"
limits = { time = "100ms", exchange_time = "250ms" }

[plugins.soap-rest.config]
namespace = "urn:example:orders"
namespaces = { c = "urn:example:common" }
faults = [{ status = 404, kind = "order-unknown", code = "sender", subcode = "tns:NotFound", detail = "OrderUnknown", fields = [
    { json = "order", xml = "Order", type = "integer" },
] }]

[plugins.soap-rest.config.operations.GetOrder]
action = "urn:example:orders/GetOrder"
rest = "GET /orders/{id}"
query = { expand = "expand" }
headers = { x-tenant = "tenant" }
header = [{ json = "tenant", xml = "Session/Tenant", optional = true }]
input = [{ json = "id", xml = "OrderId", type = "integer" }, { json = "expand", xml = "Expand", list = true }]
output = [
    { json = "id", xml = "@id", type = "integer" },
    { json = "customer", xml = "c:Customer", fields = [
        { json = "name", xml = "c:Name" },
        { json = "vip", xml = "@vip", type = "boolean", optional = true },
    ] },
    { json = "total.amount", xml = "Total", type = "decimal" },
    { json = "total.currency", xml = "Total/@currency", default = "EUR" },
    { json = "items", xml = "Items/Item", list = true, fields = [
        { json = "sku", xml = "@sku" },
        { json = "count", xml = "Count", type = "integer" },
        { json = "note", xml = "Note", nillable = true },
    ] },
]

[plugins.soap-rest.config.operations.CreateOrder]
action = "urn:example:orders/CreateOrder"
rest = "POST /orders"
status = 201
response_headers = { location = "link" }
input = [
    { json = "customer", xml = "c:Customer", fields = [
        { json = "name", xml = "c:Name" },
        { json = "vip", xml = "@vip", type = "boolean", optional = true },
    ] },
    { json = "items", xml = "Items/Item", list = true, fields = [
        { json = "sku", xml = "@sku" },
        { json = "count", xml = "Count", type = "integer" },
        { json = "note", xml = "Note", nillable = true },
    ] },
]
output = [{ json = "id", xml = "Id", type = "integer" }, { json = "link", xml = "Link", optional = true }]
"#;

#[track_caller]
pub(crate) fn gateway(orders: &str, service: SocketAddr, step: &str) -> Gateway {
    let text = orders.to_owned()
        + &config::upstream("service", service)
        + &format!("[routes.all]\nsteps = [{{ use = \"soap-rest\", config = {step} }}]\nto = \"service\"\n");
    let wsdl = std::fs::read(wsdl()).expect("it is there");
    Setup::new()
        .plugin("soap-rest", crate::harness::plugin("soap-rest"))
        .file("orders.wsdl", wsdl)
        .start(&text)
}

fn wsdl() -> std::path::PathBuf {
    root().join("tests/protocol-peers/orders.wsdl")
}

/// A REST service with one order.
fn orders() -> Origin {
    Origin::new(|request, stream| {
        let (status, kind, more, body) = match (request.line[0].as_str(), request.line[1].as_str()) {
            ("GET", path) if path.starts_with("/orders/42") => {
                // As it is written, since there are numbers whose digits count.
                let order = r#"{"id":42,"customer":{"name":"Ann & Bo <WHO>","vip":true},"total":{"amount":19.50},"items":[
                    {"sku":"a","count":2,"note":null},{"sku":"b","count":1,"note":"fragile"}]}"#;
                let who = format!("{} {path}", request.header("x-tenant").unwrap_or("nobody"));
                ("200 OK", "json", "", order.replace("WHO", &who))
            }
            ("GET", "/orders/7") => {
                let problem =
                    json!({ "type": "busy", "title": "Busy", "status": 503, "detail": "later, please" });
                ("503 Service Unavailable", "problem+json", "retry-after: 7\r\n", problem.to_string())
            }
            ("POST", "/orders") => {
                let order: Value = serde_json::from_slice(&request.body).unwrap_or_default();
                let counts =
                    order["items"].as_array().into_iter().flatten().map(|item| item["count"].as_u64());
                let id: u64 = counts.flatten().sum();
                let is_whole = order["customer"] == json!({ "name": "Ö", "vip": true })
                    && order["items"][0] == json!({ "sku": "x", "count": 3, "note": null });
                let location = if is_whole { "location: /orders/5\r\n" } else { "" };
                ("201 Created", "json", location, json!({ "id": id }).to_string())
            }
            (_, path) => {
                let order: u64 = path.rsplit('/').next().and_then(|id| id.parse().ok()).unwrap_or_default();
                let problem =
                    json!({ "type": "order-unknown", "detail": "no such order: <&>", "order": order });
                ("404 Not Found", "problem+json", "", problem.to_string())
            }
        };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/{kind}\r\n{more}content-length: {length}\r\n\r\n{body}"
        )
    })
}

/// What zeep saw of these calls, each with the port, the operation, its arguments and its headers.
#[track_caller]
fn zeep(gateway: &Gateway, calls: &Value) -> Vec<Value> {
    let mut command = peers::python("soap_client.py");
    command.arg(gateway.public.to_string()).arg(calls.to_string());
    peers::run(command)
}

#[test]
fn zeep_calls_a_rest_service() {
    let service = orders();
    let gateway = gateway(ORDERS, service.address, "{ serve = \"soap\", wsdl = \"${file:orders.wsdl}\" }");
    let order = json!({
        "customer": { "Name": "Ö", "vip": true },
        "items": { "Item": [{ "sku": "x", "Count": 3, "Note": null }, { "sku": "y", "Count": 2, "Note": "" }] }
    });
    let calls: Vec<Value> = ["Soap11", "Soap12"]
        .iter()
        .flat_map(|port| {
            let session = json!({ "session": { "Tenant": "acme" } });
            [
                json!([port, "GetOrder", { "OrderId": 42, "Expand": ["a", "b & c"] }, session]),
                json!([port, "GetOrder", { "OrderId": 1 }, session]),
                json!([port, "GetOrder", { "OrderId": 7 }, session]),
                json!([port, "CreateOrder", { "Customer": order["customer"], "Items": order["items"] }, null]),
            ]
        })
        .collect();
    let seen = zeep(&gateway, &json!(calls));
    // In SOAP 1.1 the subcode stands in place of the code.
    for (number, (sender, receiver)) in
        [("NotFound", "Server"), ("Sender", "Receiver")].into_iter().enumerate()
    {
        let [got, missing, busy, created] = &seen[number * 4..number * 4 + 4] else { panic!("{seen:#?}") };
        let answer = json!({
            "Customer": { "Name": "Ann & Bo <acme /orders/42?expand=a&expand=b%20%26%20c>", "Mail": null, "vip": true },
            "Total": { "_value_1": "19.50", "currency": "EUR" },
            "Items": { "Item": [
                { "sku": "a", "Count": 2, "Note": null }, { "sku": "b", "Count": 1, "Note": "fragile" },
            ] },
            "id": 42
        });
        assert_eq!(got["answer"], answer, "{got}");
        let fault = &missing["fault"];
        assert_eq!(fault["message"], "no such order: <&>", "{missing}");
        let detail = json!({ "{urn:example:orders}OrderUnknown": { "{urn:example:orders}Order": "1" } });
        assert_eq!(fault["detail"], detail, "{missing}");
        let local = |fault: &Value| fault["code"].as_str()?.rsplit(':').next().map(str::to_owned);
        assert_eq!(local(fault).as_deref(), Some(sender), "{missing}");
        let subcodes = if number == 0 { json!([]) } else { json!(["{urn:example:orders}NotFound"]) };
        assert_eq!(fault["subcodes"], subcodes, "{missing}");
        let fault = &busy["fault"];
        assert_eq!(local(fault).as_deref(), Some(receiver), "{busy}");
        assert_eq!(fault["message"], "later, please", "{busy}");
        assert_eq!(created["answer"], json!({ "Id": 5, "Link": "/orders/5" }), "{created}");
    }
    assert_eq!(service.requests().len(), 8, "the service was asked each time");
}

/// SOAP becomes REST, and that gRPC.
#[test]
fn zeep_calls_a_grpc_service() {
    for library in [Library::start(), Library::grpcio()] {
        let gateway = crate::protocols::start(&library);
        let calls: Vec<Value> = ["Soap11", "Soap12"]
            .iter()
            .flat_map(|port| [2, 9].map(|book| json!([port, "GetBook", { "Shelf": 1, "Book": book }, null])))
            .collect();
        let seen = zeep(&gateway, &json!(calls));
        for pair in seen.chunks(2) {
            let book = json!({
                "name": "shelves/1/books/2", "Title": "Moby-Dick", "Author": ["Herman Melville"], "Copies": 9_007_199_254_740_993_u64
            });
            assert_eq!(pair[0]["answer"], book);
            let detail = &pair[1]["fault"]["detail"];
            assert!(
                detail.as_object().is_some_and(|all| all.contains_key("{urn:example:library}NoSuchBook")),
                "{pair:?}"
            );
            assert_eq!(pair[1]["fault"]["message"], "there is no `shelves/1/books/9`");
        }
        assert_eq!(seen.len(), 4);
    }
}

/// REST clients get JSON of what a service in SOAP answers.
#[track_caller]
fn rest_clients_call_a_soap_service(version: &str) {
    let mut command = peers::node("soap_server.mjs");
    command.arg(version).arg(wsdl());
    let service = Program::start(command);
    let step = format!("{{ serve = \"rest\", endpoint = \"/soap\", version = \"{version}\" }}");
    // In SOAP 1.1 a subcode would stand in place of the code, and this service has none there.
    let orders =
        if version == "1.1" { ORDERS.replace("subcode = \"tns:NotFound\", ", "") } else { ORDERS.to_owned() };
    let gateway = gateway(&orders, service.address(), &step);
    let order =
        gateway.get_with("/orders/42?expand=a&expand=b%20%26%20c", &[("x-tenant", "acme")]).expect(200);
    assert!(order.text().contains("19.50"), "as it is written: {}", order.text());
    assert_eq!(
        order.json(),
        json!({
            "id": 42, "customer": { "name": "Ann & Bo of acme, a and b & c", "vip": true },
            "total": { "amount": 19.5, "currency": "EUR" },
            "items": [{ "sku": "a", "count": 2, "note": null }, { "sku": "b", "count": 1, "note": "fragile" }]
        })
    );
    let missing = gateway.get("/orders/1").problem(404);
    assert_eq!(missing["type"], "urn:sluice:problem:order-unknown", "{missing}");
    assert_eq!((&missing["detail"], &missing["order"]), (&json!("there is no order 1 <&>"), &json!(1)));
    let broken = gateway.get("/orders/500").problem(502);
    assert_eq!(broken["type"], "urn:sluice:problem:soap-fault", "{broken}");
    let order = json!({
        "customer": { "name": "Ö & Co", "vip": true },
        "items": [{ "sku": "x", "count": 3, "note": null }, { "sku": "y", "count": 2, "note": "<fragile>" }]
    });
    let json_type = [("content-type", "application/json")];
    let created =
        gateway.connect().request("POST", "/orders", &json_type, order.to_string().as_bytes()).expect(201);
    assert_eq!(
        (created.json(), created.header("location")),
        (json!({ "id": 5 }), Some("/orders/Ö & Co/x+y"))
    );
    let refused = gateway.connect().request("POST", "/orders", &json_type, b"{\"items\": []}").problem(422);
    assert_eq!(refused["type"], "urn:sluice:problem:body-mismatch", "{refused}");
    gateway.get("/orders/many").problem(400);
}

#[test]
fn rest_clients_call_a_soap_11_service() {
    rest_clients_call_a_soap_service("1.1");
}

#[test]
fn rest_clients_call_a_soap_12_service() {
    rest_clients_call_a_soap_service("1.2");
}
