//! What somebody without the key can try: no change of what is covered goes unnoticed.

use data_encoding::BASE64;
use proptest::prelude::*;
use sluice_sdk_testing::{Consumer, Request, json};

use crate::sign::{NOW, SECRET, Signed, is_let_in, is_refused, keys, lax, mac, outcome, plugin, world};

fn with(input: &str, signature: &[u8]) -> Request {
    let request = Signed::get().plain().with_header("signature-input", format!("sig={input}"));
    request.with_header("signature", format!("sig=:{}:", BASE64.encode(signature)))
}

#[test]
fn the_signature_is_of_the_components_in_their_order() {
    let plugin = plugin(json!({}));
    let signed = Signed::get();
    is_let_in(&plugin, with(&signed.input(), &signed.signature()));
    for (from, to) in [
        ("\"@method\" \"@authority\"", "\"@authority\" \"@method\""),
        ("created=1767225600;keyid=\"secret\"", "keyid=\"secret\";created=1767225600"),
        (";keyid", ";alg=\"hmac-sha256\";keyid"),
        ("created=1767225600", "created=1767225601"),
        ("\"@path\"", "\"@path\" \"host\""),
    ] {
        let input = signed.input().replacen(from, to, 1);
        assert_ne!(input, signed.input());
        is_refused(&plugin, with(&input, &signed.signature()), 401, "signature-invalid");
    }
    for (from, to) in [
        ("\"@path\"", "\"@path\" \"@path\""),
        ("\"@path\"", "\"@Path\""),
        ("\"@path\"", "\"@path\";req"),
        ("\"@path\"", "\"@path\";x"),
    ] {
        let input = signed.input().replacen(from, to, 1);
        is_refused(&plugin, with(&input, &signed.signature()), 400, "signature-malformed");
    }
}

#[test]
fn a_part_of_a_signature_is_none() {
    let plugin = plugin(json!({}));
    let signed = Signed::get();
    let whole = signed.signature();
    for length in 0..whole.len() {
        is_refused(&plugin, with(&signed.input(), &whole[..length]), 401, "signature-invalid");
    }
    is_refused(&plugin, with(&signed.input(), &[&whole[..], b"\0"].concat()), 401, "signature-invalid");
}

#[test]
fn public_keys_are_no_secrets() {
    // Whoever knows a public key tries it as the secret of an HMAC.
    let plugin = plugin(json!({ "algorithms": ["hmac-sha256", "ed25519", "rsa-pss-sha512"] }));
    let keys = keys();
    for id in ["ed25519", "rsa"] {
        let public = keys["public"][id].as_str().unwrap();
        for alg in ["", ";alg=\"hmac-sha256\"", ";alg=\"ed25519\"", ";alg=\"rsa-pss-sha512\""] {
            for secret in [public, public.trim()] {
                let signed = Signed { secret: secret.to_owned(), ..Signed::get() };
                let signed = signed.parameters(&format!("created={NOW};keyid=\"{id}\"{alg}"));
                is_refused(&plugin, signed.request(), 401, "signature-invalid");
            }
        }
    }
}

#[test]
fn the_stated_algorithm_is_allowed_and_the_keys() {
    let stating = |alg: &str| {
        Signed::get().parameters(&format!("created={NOW};keyid=\"secret\";alg=\"{alg}\"")).request()
    };
    let every = plugin(json!({}));
    is_let_in(&every, stating("hmac-sha256"));
    for alg in ["hmac-sha512", "ed25519", "rsa-v1_5-sha256", "none", "", "HMAC-SHA256"] {
        is_refused(&every, stating(alg), 401, "signature-invalid");
    }
    is_refused(
        &plugin(json!({ "algorithms": ["ed25519"] })),
        stating("hmac-sha256"),
        401,
        "signature-invalid",
    );
    is_refused(
        &plugin(json!({ "algorithms": ["ed25519"] })),
        Signed::get().request(),
        401,
        "signature-invalid",
    );
}

#[test]
fn nobody_signs_with_the_key_of_another() {
    let harness = world(lax()).consumer(Consumer::new("mallory").signature_secret("mallory", "known"));
    let plugin = harness.start().unwrap();
    let own = Signed { secret: "known".to_owned(), ..Signed::get() };
    let own = own.parameters(&format!("created={NOW};keyid=\"mallory\""));
    assert_eq!(plugin.send(own.request()).consumer(), Some("mallory"));
    is_refused(
        &plugin,
        own.parameters(&format!("created={NOW};keyid=\"secret\"")).request(),
        401,
        "signature-invalid",
    );
    for keyid in ["", "missing", "secret "] {
        let signed = Signed::get().parameters(&format!("created={NOW};keyid=\"{keyid}\""));
        is_refused(&plugin, signed.request(), 401, "signature-invalid");
    }
}

#[test]
fn a_value_cannot_look_like_another_component() {
    // Signed was a field with quotes and colons in it; sent are the components that it looks like.
    let plugin = plugin(json!({ "required": ["x"] }));
    let quoting = Signed::get().covering("x", "a\", \"@method\": DELETE");
    is_let_in(&plugin, quoting.request());
    let mut injected = quoting.clone();
    injected.fields = vec![("x".to_owned(), "a\"".to_owned())];
    is_refused(&plugin, injected.request(), 401, "signature-invalid");
    // What a signer without care would make of a value with a newline.
    let base =
        format!("\"x\": a\n\"@method\": GET\n\"@signature-params\": (\"x\");created={NOW};keyid=\"secret\"");
    let request = Request::get("/").with_header("x", "a \"@method\": GET");
    let request =
        request.with_header("signature-input", format!("sig=(\"x\");created={NOW};keyid=\"secret\""));
    let request = request.with_header("signature", format!("sig=:{}:", BASE64.encode(&mac(SECRET, &base))));
    is_refused(&plugin, request, 401, "signature-invalid");
}

#[test]
fn parameters_mean_what_they_are_for() {
    let plugin = plugin(json!({ "required": [] }));
    let signed = |name: &str, value: &str| {
        let mut signed = Signed::get();
        signed.fields.push(("x-plain".to_owned(), "a=1".to_owned()));
        signed.lines = vec![(name.to_owned(), value.to_owned())];
        signed.request()
    };
    is_let_in(&plugin, signed("\"x-plain\"", "a=1"));
    is_let_in(&plugin, signed("\"x-plain\";bs", ":YT0x:"));
    for (name, value) in [
        ("\"x-plain\";sf", "a=1"),
        ("\"x-plain\";key=\"a\"", "1"),
        ("\"x-gone\"", ""),
        ("\"@query-param\";name=\"none\"", ""),
    ] {
        is_refused(&plugin, signed(name, value), 401, "signature-invalid");
    }
    for name in [
        "\"x-plain\";tr",
        "\"x-plain\";req",
        "\"x-plain\";bs;sf",
        "\"@method\";sf",
        "\"@status\"",
        "\"@query-param\"",
        "\"X-Plain\"",
    ] {
        is_refused(&plugin, signed(name, "a=1"), 400, "signature-malformed");
    }
}

#[test]
fn several_signatures_are_no_choice() {
    let plugin = plugin(json!({}));
    let twice = Signed::get()
        .request()
        .with_header("signature-input", "sig=()")
        .with_header("signature", "sig=:AA==:");
    is_refused(&plugin, twice, 400, "signature-malformed");
    let two = Signed::get()
        .request()
        .with_header("signature-input", "other=()")
        .with_header("signature", "other=:AA==:");
    is_refused(&plugin, two.clone(), 400, "signature-malformed");
    is_let_in(&crate::sign::plugin(json!({ "label": "sig" })), two);
}

/// A signed request of which every part that can be changed is covered.
fn covered() -> Signed {
    Signed::post("a body").covering("content-type", "text/plain").covering("x-a", "b, c")
}

#[derive(Clone, Debug)]
enum Change {
    Method(String),
    Target(String),
    Host(String),
    Field(usize, String),
    MoreOf(usize, String),
    Without(usize),
    Body(String),
    Input(usize, char),
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        "[A-Z]{1,6}".prop_map(Change::Method),
        "/[a-z/%20]{0,9}(\\?[a-z=&+%20]{0,9})?".prop_map(Change::Target),
        "[a-z]{1,8}\\.example(:[1-9][0-9]{0,3})?".prop_map(Change::Host),
        (0_usize..4, "[a-z:=\", ]{0,12}").prop_map(|(at, value)| Change::Field(at, value)),
        (0_usize..4, "[a-z:=\"]{0,12}").prop_map(|(at, value)| Change::MoreOf(at, value)),
        (0_usize..4).prop_map(Change::Without),
        "[a-z ]{0,9}".prop_map(Change::Body),
        (0_usize..200, "[ -~]".prop_map(|text| text.chars().next().unwrap_or(' ')))
            .prop_map(|(at, with)| Change::Input(at, with)),
    ]
}

/// The changed request, and whether it is another one at all.
fn change(change: &Change) -> (Request, bool) {
    let original = covered();
    let mut changed = original.clone();
    let mut input = original.input();
    // `content-length` is not covered: it says nothing that the digest does not.
    let covered = |at: usize| [0, 2, 3][at % 3];
    match change {
        Change::Method(method) => changed.method.clone_from(method),
        Change::Target(target) => changed.target.clone_from(target),
        Change::Host(host) => changed.host.clone_from(host),
        Change::Field(at, value) => value.trim().clone_into(&mut changed.fields[covered(*at)].1),
        Change::MoreOf(at, value) => {
            let name = changed.fields[covered(*at)].0.clone();
            changed.fields.push((name, value.clone()));
        }
        Change::Without(at) => drop(changed.fields.remove(covered(*at))),
        Change::Body(body) => changed.body = Some(body.clone()),
        Change::Input(at, with) => {
            let mut letters: Vec<char> = input.chars().collect();
            let at = at % letters.len();
            letters[at] = *with;
            input = letters.into_iter().collect();
        }
    }
    let is_other = (&changed.method, &changed.target, &changed.host, &changed.fields, &changed.body, &input)
        != (
            &original.method,
            &original.target,
            &original.host,
            &original.fields,
            &original.body,
            &original.input(),
        );
    let signature = BASE64.encode(&original.signature());
    let request = changed.plain().with_header("signature-input", format!("sig={input}"));
    (request.with_header("signature", format!("sig=:{signature}:")), is_other)
}

#[test]
fn no_change_of_what_is_covered_goes_unnoticed() {
    let plugin =
        plugin(json!({ "required": ["@method", "@authority", "@path", "@query", "content-type", "x-a"] }));
    is_let_in(&plugin, covered().request());
    proptest!(ProptestConfig::with_cases(1000), |(made in changes())| {
        let (request, is_other) = change(&made);
        let (status, kind) = outcome(&plugin.send(request));
        prop_assert_eq!(status == 200, !is_other, "{:?}: {}", made, kind);
    });
}

#[test]
fn nothing_makes_it_fail() {
    let plugin = plugin(json!({ "compat": ["kong-hmac", "cavage"], "digest": "off" }));
    proptest!(|(
        input in "[a-c\"@=();: ,0-9]{0,40}",
        signature in "[a-c:=,A]{0,20}",
        authorization in "(hmac|Signature) [a-zA-Z=\", ]{0,40}",
    )| {
        let request = Request::get("/").with_header("signature", signature.trim());
        let with_input = request.clone().with_header("signature-input", input.trim());
        let old = Request::get("/").with_header("authorization", authorization.trim());
        for request in [request, with_input, old] {
            let (status, _) = outcome(&plugin.send(request));
            prop_assert!(matches!(status, 400 | 401));
        }
    });
}
