//! SOAP and REST: envelopes, bodies and responses that the step between them reads.

use super::{bomb, within_memory};
use crate::harness::{Gateway, Origin, Response};
use crate::stock_clients::soap::{ORDERS, gateway};

const CALL: &str = "<GetOrder xmlns=\"urn:example:orders\"><OrderId>7</OrderId></GetOrder>";
const SOAP11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const SOAP12: &str = "http://www.w3.org/2003/05/soap-envelope";

fn envelope(before: &str, body: &str) -> String {
    format!("{before}<s:Envelope xmlns:s=\"{SOAP11}\"><s:Body>{body}</s:Body></s:Envelope>")
}

/// Each entity is the last one twice.
fn laughs() -> String {
    let entities = (1..30).fold("<!ENTITY e0 \"ha\">".to_owned(), |all, number| {
        format!("{all}<!ENTITY e{number} \"&e{last};&e{last};\">", last = number - 1)
    });
    envelope(&format!("<!DOCTYPE a [{entities}]>"), &CALL.replace('7', "&e29;"))
}

fn json(text: &str) -> Origin {
    Origin::always(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{text}",
        text.len()
    ))
}

fn post(gateway: &Gateway, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    gateway.connect().request("POST", path, headers, body)
}

/// The step lives.
#[track_caller]
fn serves(gateway: &Gateway) {
    let answer =
        post(gateway, "/soap", &[("content-type", "text/xml")], envelope("", CALL).as_bytes()).expect(200);
    assert!(answer.text().contains("GetOrderResponse id=\"7\""), "{}", answer.text());
}

const ORDER: &str = "{\"id\":7,\"customer\":{\"name\":\"a\"},\"total\":{\"amount\":1},\"items\":[]}";

#[test]
fn envelopes_that_are_broken_or_huge() {
    let gateway = gateway(ORDERS, json(ORDER).address, "{ serve = \"soap\" }");
    let seven = |text: &str| CALL.replace('7', text);
    let attributes: String = (0..30_000).map(|number| format!(" a{number}=\"\"")).collect();
    let prefixes: String = (0..1000).map(|number| format!(" xmlns:a{number}=\"u\"")).collect();
    let many = CALL.replace("</GetOrder>", &("<Expand/>".repeat(50_000) + "</GetOrder>"));
    let external = "<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>";
    let header = "<s:Header><x xmlns=\"u\" s:mustUnderstand=\"1\"/></s:Header><s:Body>";
    within_memory(&gateway, || {
        for (body, reason) in [
            (String::new(), "there is no element"),
            ("{}".to_owned(), "not XML"),
            (envelope("", CALL)[..150].to_owned(), "not XML"),
            (envelope("", CALL) + "<a/>", "second element"),
            (laughs(), "document type declaration"),
            (envelope(external, &seven("&e;")), "document type declaration"),
            (envelope("<!DOCTYPE a>", CALL), "document type declaration"),
            (envelope("", &seven("&e;")), "an entity other than the five"),
            (envelope("", &seven("&#0;")), "a character that XML does not have"),
            (envelope("<?php a?>", CALL), "a processing instruction"),
            (envelope("", &"<a>".repeat(100_000)), "deeper than the 64 levels"),
            (
                envelope("", &format!("{}{}", "<a>".repeat(60_000), "</a>".repeat(60_000))),
                "deeper than the 64 levels",
            ),
            (envelope("", &format!("<a{attributes}/>")), "more than 64 attributes"),
            (envelope("", &format!("<a{prefixes}/>")), "more than 32 namespace prefixes"),
            (envelope("", &many), "more than the 20000 values"),
            (envelope("", &" ".repeat(2 << 20)), "status 413"),
            (envelope("", &format!("{CALL}{CALL}")), "not exactly one element"),
            (envelope("", "<No xmlns=\"urn:example:orders\"/>"), "no operation"),
            (envelope("", "<q:GetOrder/>"), "a prefix that is not declared"),
            (envelope("", "<a b=\"1\" b=\"2\"/>"), "duplicated attribute"),
            (envelope("", &seven("many")), "not an integer"),
            (envelope("", CALL).replace(SOAP11, "urn:other"), "version of SOAP is not known"),
            (envelope("", CALL).replace("<s:Body>", header), "`x` is not understood"),
        ] {
            let answer =
                post(&gateway, "/soap", &[("content-type", "text/xml")], body.as_bytes()).expect(500);
            let text = answer.text();
            assert!(text.contains("<soap:Fault>") && !text.contains("soap:Server"), "{text}");
            assert!(text.contains(reason), "{text} without {reason}");
            serves(&gateway);
        }
    });
}

#[test]
fn heads_that_are_broken() {
    let gateway = gateway(ORDERS, json(ORDER).address, "{ serve = \"soap\" }");
    // In SOAP 1.2 the status tells whose fault it is.
    let type12 = [("content-type", "application/soap+xml")];
    let answer = post(&gateway, "/soap", &type12, laughs().replace(SOAP11, SOAP12).as_bytes()).expect(400);
    assert!(answer.text().contains("document type declaration"), "{}", answer.text());
    let xml = ("content-type", "text/xml");
    let (good, packed) = (envelope("", CALL).into_bytes(), bomb(b' '));
    let latin = [&good[..], b"\xff"].concat();
    within_memory(&gateway, || {
        for (headers, body, reason) in [
            (vec![("content-type", "text/xml; charset=utf-8")], &latin, "not UTF-8"),
            (vec![("content-type", "text/xml; charset=klingon")], &good, "`klingon` is not known"),
            (vec![xml, ("soapaction", "\"urn:other\"")], &good, "the action is not that"),
            (vec![xml, ("content-encoding", "gzip")], &good, "not valid `gzip`"),
            (vec![xml, ("content-encoding", "br")], &good, "not valid `br`"),
            (vec![xml, ("content-encoding", "gzip")], &packed, "`max_size`"),
        ] {
            let text = post(&gateway, "/soap", &headers, body).expect(500).text();
            assert!(text.contains("<soap:Fault>") && text.contains(reason), "{text} without {reason}");
            serves(&gateway);
        }
    });
    for (headers, status, kind) in [
        (&[][..], 415, "media-type-unsupported"),
        (&[("content-type", "text/plain")], 415, "media-type-unsupported"),
        // Servers differ in which of them they read: the edge lets none pass.
        (&[xml, type12[0]], 400, "malformed"),
    ] {
        let problem = post(&gateway, "/soap", headers, &good).problem(status);
        assert_eq!(problem["type"], format!("urn:sluice:problem:{kind}"), "{problem}");
    }
    serves(&gateway);
}

#[test]
fn rest_services_that_answer_nonsense() {
    let deep = "[".repeat(100_000);
    for (body, reason) in [
        ("<html>", "not JSON"),
        ("{", "not JSON"),
        (&deep, "deeper than the 64 levels"),
        ("{\"id\":7,\"id\":8}", "occurs twice"),
        ("{\"id\":\"many\"}", "`id`"),
    ] {
        let gateway = gateway(ORDERS, json(body).address, "{ serve = \"soap\" }");
        for _ in 0..2 {
            let text =
                post(&gateway, "/soap", &[("content-type", "text/xml")], envelope("", CALL).as_bytes());
            let text = text.expect(500).text();
            assert!(text.contains("soap:Server") && text.contains(reason), "{text} without {reason}");
        }
    }
}

/// The step does not see it, and tells its client in SOAP that there was no good answer.
#[test]
fn rest_services_that_answer_too_much() {
    let gateway = gateway(ORDERS, json(&" ".repeat(2 << 20)).address, "{ serve = \"soap\" }");
    for _ in 0..2 {
        let answer = post(&gateway, "/soap", &[("content-type", "text/xml")], envelope("", CALL).as_bytes());
        let text = answer.expect(500).text();
        assert!(text.contains("soap:Server") && text.contains("status 502"), "{text}");
    }
}

#[test]
fn soap_services_that_answer_nonsense() {
    let answer = "<GetOrderResponse xmlns=\"urn:example:orders\"/>";
    for (body, kind) in [
        ("<html>".to_owned(), "body-not-xml"),
        (envelope("", answer)[..90].to_owned(), "body-not-xml"),
        (laughs(), "xml-forbidden"),
        (envelope("", &"<a>".repeat(100_000)), "body-too-complex"),
        (envelope("", CALL), "response-unexpected"),
        (envelope("", answer), "body-mismatch"),
        (envelope("", &" ".repeat(2 << 20)), "response-too-large"),
    ] {
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n", body.len());
        let gateway = gateway(
            ORDERS,
            Origin::always(head + &body).address,
            "{ serve = \"rest\", endpoint = \"/soap\" }",
        );
        for _ in 0..2 {
            let problem = gateway.get("/orders/7").problem(502);
            assert_eq!(problem["type"], format!("urn:sluice:problem:{kind}"), "{problem}");
        }
    }
}

#[test]
fn rest_bodies_that_are_broken_or_huge() {
    let created =
        envelope("", "<CreateOrderResponse xmlns=\"urn:example:orders\"><Id>7</Id></CreateOrderResponse>");
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n", created.len());
    let service = Origin::always(head + &created);
    let gateway = gateway(ORDERS, service.address, "{ serve = \"rest\", endpoint = \"/soap\" }");
    let order = |name: &str, items: &str| format!("{{\"customer\":{{\"name\":{name}}},\"items\":[{items}]}}");
    let json = [("content-type", "application/json")];
    within_memory(&gateway, || {
        for (body, status, kind) in [
            ("{".to_owned(), 400, "body-not-json"),
            (order("\"\\ud800\"", ""), 400, "body-not-json"),
            ("{\"items\":[],\"items\":[]}".to_owned(), 400, "body-duplicate-member"),
            ("[".repeat(100_000), 413, "body-too-complex"),
            (order("\"a\"", &("[".repeat(90_000) + &"]".repeat(90_000))), 413, "body-too-complex"),
            (order("\"a\"", &("{},".repeat(50_000) + "{}")), 413, "body-too-complex"),
            (order("\"\\u0000\"", ""), 422, "body-mismatch"),
            (order("7.5e", ""), 400, "body-not-json"),
            (" ".repeat(2 << 20), 413, "request-too-large"),
        ] {
            let problem = post(&gateway, "/orders", &json, body.as_bytes()).problem(status);
            assert_eq!(problem["type"], format!("urn:sluice:problem:{kind}"), "{problem}");
            post(&gateway, "/orders", &json, order("\"a\"", "").as_bytes()).expect(201);
        }
    });
    let plain = post(&gateway, "/orders", &[("content-type", "text/plain")], b"a").problem(415);
    assert_eq!(plain["type"], "urn:sluice:problem:media-type-unsupported", "{plain}");
}
