//! What a request may cost: heads that are as large as a gateway takes by default are answered whatever is in them.

use sluice_sdk_testing::{Exchange, Request, TestPlugin, Value, json};

use crate::sign::{NOW, Signed, is_let_in, is_refused, outcome, plugin};

/// What a gateway takes of a head by default.
const HEAD: usize = 32 << 10;

/// As many different short keys as there is room for, with a comma after each.
fn keys(room: usize) -> Vec<String> {
    let letters = || ('a'..='z').map(String::from);
    let pairs = letters().flat_map(|first| letters().map(move |second| first.clone() + &second));
    let triples = pairs.clone().flat_map(|pair| letters().map(move |third| pair.clone() + &third));
    let mut left = room;
    letters()
        .chain(pairs)
        .chain(triples)
        .take_while(|key| {
            let fits = key.len() < left;
            left = left.saturating_sub(key.len() + 1);
            fits
        })
        .collect()
}

/// A request that covers these components besides what is required, by the key of this id. None of them has a right signature.
fn covering(target: &str, components: &[String], keyid: &str) -> Request {
    let input = format!(
        "sig=(\"@method\" \"@authority\" \"@path\" \"@query\" {});created={NOW};keyid=\"{keyid}\"",
        components.join(" ")
    );
    Request::get(target).with_header("signature-input", input).with_header("signature", "sig=:AA==:")
}

fn members(keys: &[String]) -> Vec<String> {
    keys.iter().map(|key| format!("\"priority\";key=\"{key}\"")).collect()
}

fn parameters(names: &[String]) -> Vec<String> {
    names.iter().map(|name| format!("\"@query-param\";name=\"{name}\"")).collect()
}

#[test]
fn the_dearest_heads_are_answered() {
    let plugin = plugin(json!({ "compat": ["kong-hmac", "cavage"], "digest": "if-present" }));
    let (many, query, half) = (keys(22 << 10), keys(28 << 10), keys(16 << 10));
    for keyid in ["nobody", "secret"] {
        let with = |request: Request| request.with_header("priority", many.join(","));
        is_refused(&plugin, with(covering("/", &members(&many[..60]), keyid)), 400, "signature-malformed");
        is_refused(&plugin, with(covering("/", &members(&many[..16]), keyid)), 400, "signature-malformed");
        is_refused(
            &plugin,
            with(covering("/", &["\"priority\";sf".to_owned()], keyid)),
            400,
            "signature-malformed",
        );
        let target = format!("/?{}", query.join("&"));
        for count in [50, 16, 1] {
            let request = covering(&target, &parameters(&query[..count]), keyid);
            is_refused(&plugin, request, 400, "signature-malformed");
        }
        // As much as is parsed of both, and as often.
        let target = format!("/?{}", half.join("&"));
        let covered = [members(&half[..8]), parameters(&half[..8])].concat();
        let request = covering(&target[..target.len() - 40], &covered, keyid);
        is_refused(&plugin, request.with_header("priority", half.join(",")), 401, "signature-invalid");
    }
    // The two fields themselves, of which nothing else is needed to be read.
    let labels = half.join(",");
    assert!(labels.len() * 2 <= HEAD);
    let request = Request::get("/").with_header("signature-input", &labels);
    is_refused(&plugin, request.with_header("signature", &labels), 400, "signature-malformed");
    let plain: Vec<&str> = half[10..].iter().map(String::as_str).filter(|key| *key != "alg").collect();
    let input = format!("sig=();{}", plain.join(";"));
    let request = Request::get("/").with_header("signature-input", input);
    is_refused(&plugin, request.with_header("signature", "sig=:AA==:"), 401, "signature-incomplete");
}

#[test]
fn what_is_parsed_is_bounded() {
    let plugin = plugin(json!({ "structured": { "x-dictionary": "dictionary", "x-list": "list" } }));
    let signed = |fields: &[(&str, usize)], names: &[&str]| {
        let mut signed = Signed::get();
        for (name, length) in fields {
            signed.fields.push(((*name).to_owned(), "a".repeat(*length)));
        }
        for name in names {
            let length = fields.iter().find(|(field, _)| name[1..].starts_with(field)).unwrap().1;
            let value = if name.contains(";key") { "?1".to_owned() } else { "a".repeat(length) };
            signed.lines.push(((*name).to_owned(), value));
        }
        signed.request()
    };
    let most = 16 << 10;
    let key = format!("\"x-dictionary\";key=\"{}\"", "a".repeat(8 << 10));
    is_let_in(&plugin, signed(&[("x-list", most)], &["\"x-list\";sf"]));
    is_refused(&plugin, signed(&[("x-list", most + 1)], &["\"x-list\";sf"]), 400, "signature-malformed");
    // All fields together, each of them once.
    let fields = [("x-list", most / 2), ("x-dictionary", most / 2)];
    let names = ["\"x-list\";sf", "\"x-dictionary\";sf", &key];
    is_let_in(&plugin, signed(&fields, &names));
    let fields = [("x-list", most / 2 + 1), ("x-dictionary", most / 2)];
    is_refused(&plugin, signed(&fields, &names), 400, "signature-malformed");
    // What is not parsed is not bounded by this.
    is_let_in(&plugin, signed(&[("x-list", most + 1)], &["\"x-list\""]));
}

#[test]
fn so_many_components_are_parsed() {
    let plugin = plugin(json!({}));
    let names: Vec<String> = keys(100).into_iter().take(17).collect();
    let signed = |count: usize, rest: usize| {
        let query = format!("?{}&{}", names.join("=1&") + "=1", "z".repeat(rest));
        let mut signed = Signed { target: format!("/orders{query}"), ..Signed::get() };
        signed.lines[3].1 = query;
        let covered = parameters(&names[..count]).into_iter().map(|name| (name, "1".to_owned()));
        signed.lines.extend(covered);
        signed.request()
    };
    is_let_in(&plugin, signed(16, 10));
    is_refused(&plugin, signed(17, 10), 400, "signature-malformed");
    is_let_in(&plugin, signed(0, 20 << 10));
    is_refused(&plugin, signed(1, 16 << 10), 400, "signature-malformed");
    let required: Vec<String> = names.iter().map(|name| format!("@query-param;name=\"{name}\"")).collect();
    let refused = crate::sign::world(json!({ "required": required })).start();
    assert!(refused.unwrap_err().message.contains("more than 16"));
}

/// The answer, and what it says.
fn problem(exchange: &Exchange<'_>) -> (u16, Value) {
    (outcome(exchange).0, exchange.answer().problem())
}

#[test]
fn the_key_is_looked_up_before_anything_is_parsed() {
    // Otherwise the answer would tell a known key's id from an unknown one's.
    let plugin: TestPlugin = plugin(json!({}));
    let wrong = |keyid: &str| {
        let signed = Signed::get().parameters(&format!("created={NOW};keyid=\"{keyid}\""));
        problem(&plugin.send(signed.signed_with(&[0; 32])))
    };
    let expected = wrong("nobody");
    assert_eq!(expected, wrong("secret"));
    for (priority, component) in [
        ("a, a", "\"priority\";sf"),
        ("a=", "\"priority\";key=\"a\""),
        ("a", "\"priority\";key=\"b\""),
        ("a", "\"@query-param\";name=\"b\""),
        ("\u{e4}", "\"priority\""),
    ] {
        for keyid in ["nobody", "secret"] {
            let request = covering("/?a", &[component.to_owned()], keyid).with_header("priority", priority);
            assert_eq!(problem(&plugin.send(request)), expected, "{component} {keyid}");
        }
    }
    // What is seen at once is told to everybody.
    for keyid in ["nobody", "secret"] {
        let exchange = plugin.send(covering("/", &["\"x-gone\"".to_owned()], keyid));
        assert_eq!(problem(&exchange).1["detail"], "the request has no field `x-gone`");
    }
}
