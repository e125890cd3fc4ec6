//! Mappings by template, by convention and by fields in their corners.

use sluice_sdk_testing::{Request, Response, TestPlugin, Value, json};

use crate::common::{NS_11, answered, body_of, config, envelope, soap, start};

/// A plugin with one operation `Op` at `POST /op`.
fn op(serve: &str, operation: Value) -> TestPlugin {
    let mut table = json!({ "rest": "POST /op" });
    for (key, value) in operation.as_object().expect("a table") {
        table[key] = value.clone();
    }
    start(config(serve, json!({ "operations": { "Op": table }, "faults": [] })))
}

/// What becomes of a call and of its response.
fn called(plugin: &TestPlugin, content: &str, response: &str) -> (String, String) {
    let mut exchange = plugin.send(soap(&format!("<t:Op>{content}</t:Op>")));
    if !exchange.is_forwarded() {
        return (exchange.answer().text(), String::new());
    }
    let sent = exchange.forwarded().text();
    let response = Response::new(200).with_header("content-type", "application/json").with_body(response);
    let text = exchange.respond(response).text();
    (sent, body_of(&text).replace("<tns:OpResponse>", "").replace("</tns:OpResponse>", ""))
}

#[test]
fn a_template_makes_the_document() {
    let input = r#"{"names": {{ body.Name }}, "first": {{ body["c:First"]["@at"] | int }}}"#;
    let output = "{% for one in body %}<tns:N n=\"{{ one.n }}\">{{ one.t }}</tns:N>{% endfor %}";
    let plugin = op("soap", json!({ "input_template": input, "output_template": output }));
    let content = "<t:Name>a\"b</t:Name><t:Name>c</t:Name><c:First at='7'/>";
    let (sent, answered) =
        called(&plugin, content, r#"[{"n":1,"t":"<&"},{"n":18446744073709551616,"t":"x"}]"#);
    assert_eq!(sent, r#"{"names":["a\"b","c"],"first":7}"#);
    assert_eq!(answered, "<tns:N n=\"1\">&lt;&amp;</tns:N><tns:N n=\"18446744073709551616\">x</tns:N>");
    assert!(called(&plugin, "<t:Name>a</t:Name>", "{}").0.contains("template-failed"));
}

#[test]
fn a_header_does_not_take_the_place_of_an_array() {
    let plugin = op("soap", json!({ "response_headers": { "location": "link" } }));
    let respond = |body: Value, location: Option<&str>| {
        let response = Response::new(200).with_json(&body);
        let response = location.into_iter().fold(response, |to, at| to.with_header("location", at));
        plugin.send(soap("<t:Op/>")).respond(response).text()
    };
    assert!(respond(json!([1]), None).contains("<tns:item>1</tns:item>"));
    assert!(respond(json!({}), Some("/x")).contains("<tns:link>/x</tns:link>"));
    assert!(
        respond(json!({ "tns:link": "/y" }), Some("/x"))
            .contains("<tns:OpResponse><tns:link>/x</tns:link></")
    );
    let text = respond(json!([1]), Some("/x"));
    assert!(text.contains("body-mismatch") && text.contains("it is an array and has no member"), "{text}");
}

#[test]
fn null_is_no_text_in_a_template() {
    let template = "<tns:a at=\"{{ body.a }}\">{{ body.a }}</tns:a>{{ body.b }}";
    let plugin = op("soap", json!({ "input_template": "{{ body.N }}", "output_template": template }));
    let nil = "<t:N xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='true'/>";
    let (sent, answered) = called(&plugin, nil, r#"{"a":null,"b":"<"}"#);
    assert_eq!((sent.as_str(), answered.as_str()), ("null", "<tns:a at=\"\"></tns:a>&lt;"));
    let mut exchange = plugin.send(soap(&format!("<t:Op>{nil}</t:Op>")));
    assert!(
        exchange.respond(Response::new(200).with_json(&json!({ "a": 1 }))).text().contains("template-failed")
    );
}

#[test]
fn a_template_cannot_leave_its_element() {
    let plugin = op("rest", json!({ "input_template": "{{ body.x | safe }}" }));
    let send = |x: &str| plugin.send(Request::post("/op").with_json(&json!({ "x": x })));
    assert_eq!(body_of(&send("<tns:a/>").forwarded().text()), "<tns:Op><tns:a/></tns:Op>");
    for bad in [
        "</tns:Op><tns:Op>",
        "<a>",
        "<!DOCTYPE a>",
        "&x;",
        "<q:a/>",
        "</tns:Op></soap:Body><soap:Body><tns:Op>",
    ] {
        assert_eq!(send(bad).answer().problem()["type"], "template-failed", "{bad}");
    }
}

#[test]
fn without_a_mapping_the_convention_holds() {
    let plugin = op("soap", json!({}));
    let (sent, answered) = called(
        &plugin,
        "<t:a x='1'>t</t:a><t:b/><t:b>2</t:b>",
        r##"{"a":{"@x":1,"#text":"t"},"b":["",2,null],"c":{}}"##,
    );
    assert_eq!(sent, r##"{"a":{"@x":"1","#text":"t"},"b":["","2"]}"##);
    assert_eq!(
        answered,
        "<tns:a x=\"1\">t</tns:a><tns:b></tns:b><tns:b>2</tns:b><tns:b xsi:nil=\"true\"></tns:b><tns:c></tns:c>"
    );
    assert_eq!(
        called(&plugin, "", "[1,\"x\"]"),
        ("{}".to_owned(), "<tns:item>1</tns:item><tns:item>x</tns:item>".to_owned())
    );
}

#[test]
fn fields_may_be_of_the_document_itself() {
    let all = json!([{ "json": ".", "xml": "N", "list": true, "type": "integer" }]);
    let plugin = op("soap", json!({ "input": all, "output": all }));
    assert_eq!(
        called(&plugin, "<t:N>1</t:N><t:N>2</t:N>", "[3,4]"),
        ("[1,2]".to_owned(), "<tns:N>3</tns:N><tns:N>4</tns:N>".to_owned())
    );
    assert_eq!(called(&plugin, "", "[]"), ("[]".to_owned(), String::new()));
    let text = json!([{ "json": ".", "xml": "." }]);
    let plugin = op("soap", json!({ "input": text, "output": text }));
    assert_eq!(called(&plugin, " x ", "\"y\""), ("\" x \"".to_owned(), "y".to_owned()));
}

#[test]
fn absence_null_and_defaults_are_told_apart() {
    let fields = json!([
        { "json": "nil", "nillable": true, "optional": true },
        { "json": "maybe", "optional": true },
        { "json": "set", "default": 7, "type": "integer" },
        { "json": "group.a", "optional": true },
        { "json": "list", "xml": "List/One", "list": true, "optional": true },
        { "json": "objects", "xml": "Object", "list": true, "nillable": true, "optional": true, "fields": ["x"] },
        { "json": "any", "type": "any", "optional": true },
    ]);
    let plugin = op("soap", json!({ "input": fields, "output": fields }));
    assert_eq!(called(&plugin, "", "{}"), (r#"{"set":7}"#.to_owned(), "<tns:set>7</tns:set>".to_owned()));
    let nil = "xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='true'";
    let content = format!(
        "<t:nil {nil}/><t:maybe/><t:List><t:One>a</t:One></t:List><t:Object {nil}/><t:Object><t:x>1</t:x></t:Object><t:any><t:b/></t:any>"
    );
    let document =
        r#"{"nil":null,"maybe":"","set":7,"list":["a"],"objects":[null,{"x":"1"}],"any":{"b":""}}"#;
    let written = "<tns:nil xsi:nil=\"true\"></tns:nil><tns:maybe></tns:maybe><tns:set>7</tns:set>\
        <tns:List><tns:One>a</tns:One></tns:List><tns:Object xsi:nil=\"true\"></tns:Object><tns:Object><tns:x>1</tns:x></tns:Object>\
        <tns:any><tns:b></tns:b></tns:any>";
    assert_eq!(called(&plugin, &content, document), (document.to_owned(), written.to_owned()));
    let (_, empty) = called(&plugin, "", r#"{"list":[],"maybe":null,"group":{"a":null}}"#);
    assert_eq!(empty, "<tns:set>7</tns:set><tns:List></tns:List>");
}

#[test]
fn unqualified_elements_have_no_namespace() {
    let operations = json!({ "Op": { "rest": "POST /op", "input": ["a"], "output": ["a"] } });
    let plugin = start(config("soap", json!({ "elements": "unqualified", "operations": operations })));
    assert_eq!(
        called(&plugin, "<a>1</a>", r#"{"a":"2"}"#),
        (r#"{"a":"1"}"#.to_owned(), "<a>2</a>".to_owned())
    );
    assert!(called(&plugin, "<t:a>1</t:a>", "").0.contains("it is missing"));
}

#[test]
fn types_of_the_schema_can_be_declared() {
    let fields = json!([{ "json": "kind", "xml": "a/@xsi:type" }, { "json": "a", "xml": "a" }]);
    let plugin = op("soap", json!({ "input": fields, "output": fields }));
    let xsi = "xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:type='t:Special'";
    let (sent, answered) =
        called(&plugin, &format!("<t:a {xsi}>1</t:a>"), r#"{"kind":"tns:Special","a":"1"}"#);
    assert_eq!(sent, r#"{"kind":"t:Special","a":"1"}"#);
    assert_eq!(answered, "<tns:a xsi:type=\"tns:Special\">1</tns:a>");
    // By convention it is written, and not read.
    let plugin = op("soap", json!({}));
    let (sent, answered) =
        called(&plugin, &format!("<t:a {xsi}>1</t:a>"), r##"{"a":{"@xsi:type":"tns:Special","#text":"1"}}"##);
    assert_eq!(sent, r#"{"a":"1"}"#);
    assert_eq!(answered, "<tns:a xsi:type=\"tns:Special\">1</tns:a>");
}

#[test]
fn header_blocks_are_declared_at_the_top() {
    let operations = json!({ "Op": { "rest": "POST /op", "headers": { "x-tenant": "tenant" }, "input": [],
        "header": [{ "json": "tenant", "xml": "Session/Tenant" }], "output": [] } });
    let more =
        |serve| config(serve, json!({ "elements": "unqualified", "operations": operations, "faults": [] }));
    let header = "<t:Session s:mustUnderstand='1'><Tenant>acme</Tenant></t:Session>";
    let soap_side = start(more("soap"));
    let exchange = soap_side.send(soap("").with_body(envelope(NS_11, header, "<t:Op/>")));
    assert_eq!(exchange.forwarded().header_all("x-tenant"), ["acme"]);
    let request = Request::post("/op").with_json(&json!({})).with_header("x-tenant", "acme");
    let text = start(more("rest")).send(request).forwarded().text();
    let written = "<soap:Header><tns:Session><Tenant>acme</Tenant></tns:Session></soap:Header>";
    assert!(text.contains(written), "{text}");
}

#[test]
fn what_is_not_known_is_ignored_or_refused() {
    let operations = json!({ "Op": { "rest": "POST /op", "input": ["a"], "output": [] } });
    let plugin =
        |unknown: &str| start(config("soap", json!({ "unknown": unknown, "operations": operations })));
    for (content, at) in [
        ("<t:a>1</t:a><t:b/>", "`b`"),
        ("<t:a x='1'>1</t:a>", "`tns:a/@x`"),
        ("<t:a>1</t:a>text", "where only elements"),
    ] {
        assert_eq!(called(&plugin("ignore"), content, "{}").0, r#"{"a":"1"}"#);
        let (text, _) = called(&plugin("refuse"), content, "{}");
        assert!(text.contains("body-mismatch") && text.contains(at), "{text}");
    }
    let content = |unknown: &str| called(&plugin(unknown), "<t:a>1</t:a>", r#"{"x":1}"#).1;
    assert_eq!(content("ignore"), "");
    assert!(content("refuse").contains("`x`: it is not known"));
    let xsi = "<t:a xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:type='x'>1</t:a>";
    assert_eq!(called(&plugin("refuse"), xsi, "{}").0, r#"{"a":"1"}"#);
}

#[test]
fn the_same_message_comes_back() {
    let fields = json!([{ "json": "a", "xml": "A/@a" }, { "json": "b", "xml": "A/B", "type": "double" }]);
    let soap_side = op("soap", json!({ "input": fields, "output": fields }));
    let rest_side = op("rest", json!({ "input": fields, "output": fields }));
    let document = r#"{"a":"x\r\n\t<","b":1.50e7}"#;
    let request = Request::post("/op").with_header("content-type", "application/json").with_body(document);
    let mut exchange = rest_side.send(request);
    let call = body_of(&exchange.forwarded().text()).replace("tns:", "t:");
    assert_eq!(
        called(&soap_side, call.trim_start_matches("<t:Op>").trim_end_matches("</t:Op>"), document).0,
        document
    );
    assert_eq!(exchange.respond(answered(&call.replace("t:Op>", "t:OpResponse>"))).text(), document);
}
