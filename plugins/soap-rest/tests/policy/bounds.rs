//! Messages that are too large, too deep or hostile.

use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
use sluice_sdk_testing::{Request, Response, TestPlugin, Value, json};

use crate::common::{GET_ORDER, NS_11, config, envelope, fault, refused, soap, start};

fn plugin(serve: &str, more: Value) -> TestPlugin {
    let mut config = config(serve, more);
    config["operations"] = json!({ "Op": { "rest": "POST /op" } });
    config["faults"] = json!([]);
    start(config)
}

#[track_caller]
fn is_refused(plugin: &TestPlugin, request: Request, kind: &str, detail: &str) {
    let answer = plugin.send(request).answer();
    fault(answer.status(), &answer.text(), "Client", kind, detail);
}

#[test]
fn bombs_do_not_go_off() {
    let plugin = plugin("soap", json!({}));
    let laughs: String =
        (1..10).map(|n| format!("<!ENTITY l{n} '&l{p};&l{p};&l{p};&l{p};'>", p = n - 1)).collect();
    let bomb =
        format!("<!DOCTYPE x [<!ENTITY l0 'lol'>{laughs}]>{}", envelope(NS_11, "", "<t:Op>&l9;</t:Op>"));
    let external = format!("<!DOCTYPE x SYSTEM 'file:///etc/passwd'>{}", envelope(NS_11, "", "<t:Op/>"));
    for text in [bomb, external] {
        is_refused(&plugin, soap("").with_body(text), "xml-forbidden", "a document type declaration");
    }
    is_refused(&plugin, soap("<t:Op>&file;</t:Op>"), "xml-forbidden", "an entity other");
    is_refused(&plugin, soap("<t:Op><?x y?></t:Op>"), "xml-forbidden", "a processing instruction");
    is_refused(
        &plugin,
        soap(&format!("<t:Op>{}", "<t:a>".repeat(150_000))),
        "body-too-complex",
        "64 levels of `max_depth`",
    );
    is_refused(
        &plugin,
        soap(&format!("<t:Op>{}</t:Op>", "<t:a/>".repeat(20_000))),
        "body-too-complex",
        "20000 values of `max_values`",
    );
    let prefixes: String = (0..33).map(|n| format!(" xmlns:p{n}='urn:{n}'")).collect();
    is_refused(&plugin, soap(&format!("<t:Op{prefixes}/>")), "body-too-complex", "32 namespace prefixes");
    let namespace = format!("<t:Op xmlns:p='{}'/>", "u".repeat(2049));
    is_refused(&plugin, soap(&namespace), "body-too-complex", "a namespace of more than 2048 bytes");
    let (open, close) = ("<t:a xmlns:t='urn:shop' xmlns=''>".repeat(60), "</t:a>".repeat(60));
    assert!(plugin.send(soap(&format!("<t:Op>{open}{close}</t:Op>"))).is_forwarded());
    let attributes: String = (0..100).map(|n| format!(" a{n}='1'")).collect();
    is_refused(&plugin, soap(&format!("<t:Op{attributes}/>")), "body-too-complex", "64 attributes");
}

#[test]
fn sizes_are_bounded_both_ways() {
    let small = plugin("soap", json!({ "max_size": "1KiB" }));
    is_refused(
        &small,
        soap(&format!("<t:Op>{}</t:Op>", "x".repeat(1000))),
        "body-too-large",
        "1024 bytes of `max_size`",
    );
    let response = Response::new(200).with_json(&json!({ "a": "<".repeat(400) }));
    let response = small.send(soap("<t:Op/>")).respond(response);
    fault(response.status(), &response.text(), "Server", "body-too-large", "1024 bytes");
    // A quote is two bytes in JSON.
    let quotes = format!("<t:Op>{}</t:Op>", "\"".repeat(600));
    is_refused(&small, soap(&quotes), "body-too-large", "1024 bytes of `max_size`");
    let small = plugin("rest", json!({ "max_size": "1KiB" }));
    let post = |text: &str| Request::post("/op").with_json(&json!({ "a": text }));
    refused(&small.send(post(&"x".repeat(2000))).answer(), 413, "body-too-large", "1024");
    refused(&small.send(post(&"<".repeat(400))).answer(), 413, "body-too-large", "1024");
    assert!(small.send(post("x")).is_forwarded());
}

#[test]
fn one_text_may_be_all_of_a_message() {
    let rest = plugin("rest", json!({}));
    let full = "&".repeat(1_000_000);
    let text = format!("{{\"a\":\"{full}\"}}");
    let post = Request::post("/op").with_header("content-type", "application/json").with_body(text);
    refused(&rest.send(post).answer(), 413, "body-too-large", "1048576");
    let soap_side = plugin("soap", json!({}));
    let problem = |member: &str| {
        let document = json!({ "type": "urn:x", member: &full }).to_string();
        Response::new(422).with_header("content-type", "application/problem+json").with_body(document)
    };
    let text = soap_side.send(soap("<t:Op/>")).respond(problem("detail")).text();
    fault(500, &text, "Client", "urn:x", &format!("<detail>{}\u{2026}</detail>", "&amp;".repeat(4096)));
    let told = format!("<faultstring>{}\u{2026}</faultstring>", "&amp;".repeat(4096));
    assert!(text.contains(&told) && text.len() < 60_000);
    let post = Request::post("/op").with_json(&json!({ format!("{full}"): 1 }));
    let answer = rest.send(post).answer();
    refused(&answer, 422, "body-mismatch", "\u{2026}");
    assert!(answer.text().len() < 6000);
    let text = soap_side.send(soap("<t:Op/>")).respond(problem("more")).text();
    assert!(text.contains("<faultstring>status 422</faultstring></soap:Fault>"), "{text}");
}

#[test]
fn defaults_cannot_multiply() {
    let fields: Vec<Value> = (0..100).map(|n| json!({ "json": format!("f{n}"), "default": "x" })).collect();
    let fields = json!([{ "json": "items", "xml": "I", "list": true, "fields": fields }]);
    let operations = json!({ "Op": { "rest": "POST /op", "input": fields, "output": fields } });
    let plugin = start(config("soap", json!({ "operations": operations, "faults": [] })));
    is_refused(
        &plugin,
        soap(&format!("<t:Op>{}</t:Op>", "<t:I/>".repeat(1000))),
        "body-too-complex",
        "values",
    );
    let items = vec![json!({}); 9000];
    let response =
        plugin.send(soap("<t:Op/>")).respond(Response::new(200).with_json(&json!({ "items": items })));
    fault(response.status(), &response.text(), "Server", "body-too-large", "`max_size`");
}

#[test]
fn json_is_bounded_as_well() {
    let plugin = plugin("rest", json!({ "max_depth": 8, "max_values": 100 }));
    let post = |body: String| {
        plugin
            .send(Request::post("/op").with_header("content-type", "application/json").with_body(body))
            .answer()
    };
    refused(&post("[".repeat(100_000)), 413, "body-too-complex", "8 levels");
    refused(&post(format!("[{}1]", "1,".repeat(200))), 413, "body-too-complex", "100 values");
    refused(&post("{\"a b\":1}".to_owned()), 422, "body-mismatch", "`a b`");
}

#[test]
fn encodings_are_known_or_refused() {
    let operations = json!({ "Op": { "rest": "POST /op", "input": ["a"], "output": [] } });
    let plugin = start(config("soap", json!({ "operations": operations, "faults": [] })));
    let text = envelope(NS_11, "", "<t:Op><t:a>\u{e9}</t:a></t:Op>");
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let wide: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let post = |media: &str, body: &[u8]| {
        plugin.send(Request::post("/").with_header("content-type", media).with_body(body))
    };
    for (media, body) in
        [("text/xml; charset=ISO-8859-1", &latin), ("text/xml; charset=utf-16", &wide), ("text/xml", &wide)]
    {
        assert_eq!(post(media, body).forwarded().text(), "{\"a\":\"\u{e9}\"}", "{media}");
    }
    let answer = post("text/xml; charset=ebcdic", text.as_bytes()).answer();
    fault(answer.status(), &answer.text(), "Client", "charset-unsupported", "`ebcdic`");
    let answer = post("text/xml", &latin).answer();
    fault(answer.status(), &answer.text(), "Client", "body-not-xml", "not UTF-8");
}

#[test]
fn a_coded_body_is_decoded_within_bounds() {
    let plugin = start(config("soap", json!({})));
    let gzip =
        |text: &str| sluice_sdk_coding::encode(sluice_sdk_coding::Coding::Gzip, 6, text.as_bytes()).unwrap();
    let post = |body: Vec<u8>| soap("").with_header("content-encoding", "gzip").with_body(body);
    let exchange = plugin.send(post(gzip(&envelope(NS_11, "", GET_ORDER))));
    assert_eq!(
        (exchange.forwarded().path(), exchange.forwarded().header("content-encoding")),
        ("/orders/42", None)
    );
    is_refused(&plugin, post(gzip(&" ".repeat(2 << 20))), "body-too-large", "1048576");
}

#[test]
fn the_deepest_message_passes_both_ways() {
    let (open, close) = ("<t:a>".repeat(120), "</t:a>".repeat(120));
    let deep = format!("{}\"x\"{}", "{\"a\":".repeat(120), "}".repeat(120));
    for operation in [
        json!({ "rest": "POST /op" }),
        json!({ "rest": "POST /op", "input_template": "{{ body }}", "output_template": "{{ body | length }}" }),
    ] {
        let plugin = start(config(
            "soap",
            json!({ "max_depth": 128, "operations": { "Op": operation }, "faults": [] }),
        ));
        let mut exchange = plugin.send(soap(&format!("<t:Op>{open}x{close}</t:Op>")));
        assert_eq!(exchange.forwarded().text(), deep);
        let response = Response::new(200).with_header("content-type", "application/json").with_body(&deep);
        assert_eq!(exchange.respond(response).status(), 200);
    }
}

#[test]
fn many_values_pass_both_ways() {
    let fields = json!([{ "json": "items", "xml": "I", "list": true, "fields": [
        { "json": "sku", "xml": "@sku" }, "name", { "json": "count", "type": "integer" },
    ] }]);
    let operations = json!({ "Op": { "rest": "POST /op", "input": fields, "output": fields } });
    let plugin = start(config("soap", json!({ "operations": operations, "faults": [] })));
    let item = "<t:I sku='a&amp;b'><t:name>A name of the usual length</t:name><t:count>17</t:count></t:I>";
    let mut exchange = plugin.send(soap(&format!("<t:Op>{}</t:Op>", item.repeat(1500))));
    let sent = exchange.forwarded().text();
    assert_eq!(sent.matches(r#"{"sku":"a&b","name":"A name of the usual length","count":17}"#).count(), 1500);
    let response =
        exchange.respond(Response::new(200).with_header("content-type", "application/json").with_body(&sent));
    assert_eq!(response.text().matches("<tns:count>17</tns:count>").count(), 1500);
}

#[test]
fn whatever_comes_is_answered() {
    let (soap_side, rest_side) = (plugin("soap", json!({})), plugin("rest", json!({})));
    let parts = "(<t:Op>|</t:Op>|<t:Op/>|<a b='c'>|</a>|&#65;|&lt;|<!--|-->|<!\\[CDATA\\[|\\]\\]>|<\\?xml|\\?>|[ -~]|é|\u{0}){0,30}";
    proptest!(ProptestConfig::with_cases(200), |(body in parts, raw in any::<Vec<u8>>())| {
        for request in [soap(&body), soap("").with_body(&body), soap("").with_body(&raw)] {
            let exchange = soap_side.send(request);
            prop_assert!(exchange.is_forwarded() || exchange.answer().status() == 500, "{:?}", exchange.fault());
        }
        for text in [body.as_bytes(), raw.as_slice()] {
            let message = Response::new(200).with_header("content-type", "text/xml").with_body(text);
            let mut exchange = rest_side.send(Request::post("/op").with_json(&json!({})));
            let _ = exchange.respond(message);
            prop_assert!(exchange.fault().is_none(), "{:?}", exchange.fault());
            let posted = Request::post("/op").with_header("content-type", "application/json").with_body(text);
            prop_assert!(rest_side.send(posted).fault().is_none());
        }
    });
}
