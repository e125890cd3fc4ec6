//! The scanner against serde_json: whatever a body says and however it is cut, the same is found.

use proptest::prelude::*;
use serde_json::Value;

use crate::json::{Paths, Scalar};
use crate::path::{Path, Segment};
use crate::stream::{Framing, Stream};

/// What was found: the path's number, and the scalar as JSON.
type Finds = Vec<(usize, String)>;

fn paths(texts: &[&str]) -> Paths {
    let mut paths = Paths::default();
    for text in texts {
        paths.add(Path::parse(text).unwrap()).unwrap();
    }
    paths
}

/// Reads a body cut at these places. Between two pieces the state is written and read, as between two calls.
fn scan(framing: Framing, paths: &Paths, body: &[u8], cuts: &[usize]) -> Finds {
    let mut finds = Finds::new();
    let mut emit = |number, scalar: Scalar<'_>| {
        let text = match scalar {
            Scalar::Text(text) => Value::from(text).to_string(),
            Scalar::Token(token) => token.to_owned(),
            Scalar::Unusable => "unusable".to_owned(),
        };
        finds.push((number, text));
    };
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| (*cut).min(body.len())).chain([0, body.len()]).collect();
    cuts.sort_unstable();
    let mut stream = Stream::new(framing);
    for cut in cuts.windows(2) {
        stream.feed(paths, &body[cut[0]..cut[1]], &mut emit);
        stream = serde_json::from_str(&serde_json::to_string(&stream).unwrap()).unwrap();
    }
    stream.end(&mut emit);
    finds
}

/// The same for every way to cut it in two, and for single bytes.
fn scan_every_way(framing: Framing, paths: &Paths, body: &[u8]) -> Finds {
    let whole = scan(framing, paths, body, &[]);
    for cut in 0..body.len() {
        assert_eq!(
            scan(framing, paths, body, &[cut]),
            whole,
            "cut at {cut}: {}",
            String::from_utf8_lossy(body)
        );
    }
    let every: Vec<usize> = (0..body.len()).collect();
    assert_eq!(scan(framing, paths, body, &every), whole, "byte by byte: {}", String::from_utf8_lossy(body));
    whole
}

fn finds(expected: &[(usize, &str)]) -> Finds {
    expected.iter().map(|(number, text)| (*number, (*text).to_owned())).collect()
}

const OPENAI: &str = r#"{
  "id": "chatcmpl-\"1\"", "object": "chat.completion", "model": "gpt-4o-mini-2024-07-18",
  "choices": [{ "index": 0, "message": { "role": "assistant", "content": "é \\ \" } ] {\u0022usage\u0022: 5}", "refusal": null },
    "logprobs": null, "finish_reason": "stop" }],
  "usage": { "prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29, "details": { "total_tokens": 7 } },
  "\u0075sage2": [1, [2, 3.50], { "a": "x" }]
}"#;

#[test]
fn several_paths_are_found_in_one_document() {
    let paths = paths(&[
        "$.usage.total_tokens",
        "$.model",
        "$.usage2[1][1]",
        "$.usage2[2].a",
        "$.usage2[0]",
        "$.usage",
        "$.choices[0].finish_reason",
        "$.choices[1].finish_reason",
        "$.usage.total_tokens",
        "$.choices[0].message.refusal",
    ]);
    let expected = finds(&[
        (1, "\"gpt-4o-mini-2024-07-18\""),
        (6, "\"stop\""),
        (0, "29"),
        (8, "29"),
        (4, "1"),
        (2, "3.50"),
        (3, "\"x\""),
    ]);
    assert_eq!(scan_every_way(Framing::Whole, &paths, OPENAI.as_bytes()), expected);
    let compact = serde_json::from_str::<Value>(OPENAI).unwrap().to_string().replace("3.5", "3.50");
    let mut compact = scan_every_way(Framing::Whole, &paths, compact.as_bytes());
    let mut expected = expected;
    compact.sort();
    expected.sort();
    assert_eq!(compact, expected);
}

#[test]
fn scalars_alone_and_documents_in_a_row() {
    let root = paths(&["$", "$.a"]);
    for (body, expected) in [
        ("42", vec![(0, "42")]),
        (" \"a\" ", vec![(0, "\"a\"")]),
        ("-1.5e+3", vec![(0, "-1.5e+3")]),
        ("true false", vec![(0, "true"), (0, "false")]),
        ("null", vec![]),
        ("[]{}[[]]{\"a\":1}\n{\"a\":\"2\"}", vec![(1, "1"), (1, "\"2\"")]),
        ("{\"a\":{}}", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(scan_every_way(Framing::Whole, &root, body.as_bytes()), finds(&expected), "{body}");
    }
}

#[test]
fn what_is_no_json_gives_nothing_more() {
    let paths = paths(&["$.a", "$.b"]);
    for body in ["{\"a\":1 \"b\":2}", "{\"a\":1,b:2}", "{\"a\":1]", "{\"a\":1,\"b\" 2}", "{\"a\":1,\"b\":&}"]
    {
        assert_eq!(scan_every_way(Framing::Whole, &paths, body.as_bytes()), finds(&[(0, "1")]), "{body}");
    }
    // The last one may have been going on.
    for body in ["{\"a\":1", "<a>1</a>", "}", "{\"\\x\":1,\"a\":1}", "{\"a\":\"1"] {
        assert_eq!(scan_every_way(Framing::Whole, &paths, body.as_bytes()), finds(&[]), "{body}");
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let paths = paths(&["$.a"]);
    let one = finds(&[(0, "1")]);
    assert_eq!(scan_every_way(Framing::Whole, &paths, "\u{feff}{\"a\":1}".as_bytes()), one);
    assert_eq!(scan_every_way(Framing::Events, &paths, "\u{feff}data: {\"a\":1}\n\n".as_bytes()), one);
}

#[test]
fn lines_are_documents_of_their_own() {
    let paths = paths(&["$.eval_count", "$.model"]);
    let body = "{\"model\":\"llama\",\"done\":false}\r\n\n{broken\n{\"eval_count\":298,\"model\":\"l\\n\"}\n{\"model\":\"cut\n7";
    let expected = finds(&[(1, "\"llama\""), (0, "298"), (1, "\"l\\n\"")]);
    assert_eq!(scan_every_way(Framing::Lines, &paths, body.as_bytes()), expected);
}

#[test]
fn events_are_documents_of_their_own() {
    let paths = paths(&["$.usage.output_tokens", "$.message.usage.input_tokens"]);
    let events = [
        ": a comment: data: {\"usage\":{\"output_tokens\":999}}",
        "event: message_start",
        "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}",
        "",
        "data:{\"usage\":",
        "id: 1",
        "data: {\"output_tokens\":",
        "data: 15}}",
        "",
        "data",
        "dat: {\"usage\":{\"output_tokens\":997}}",
        "datax: {\"usage\":{\"output_tokens\":998}}",
        "data: {\"usage\":{\"output_tokens\":",
        "",
        "data: {\"usage\":null}",
        "",
        "",
        "data: [DONE]",
        "",
        "data: {\"usage\":{\"output_tokens\":17}}",
    ];
    let expected = finds(&[(1, "25"), (0, "15"), (0, "17")]);
    for end in ["\n", "\r\n", "\r"] {
        let body = events.join(end);
        assert_eq!(scan_every_way(Framing::Events, &paths, body.as_bytes()), expected, "{end:?}");
    }
}

#[test]
fn the_state_stays_small_whatever_comes() {
    let paths = paths(&["$.a", "$.b[1].c"]);
    let pieces = [
        "[".repeat(100_000),
        "{\"a\":[".repeat(10_000),
        format!("{{\"{}", "k".repeat(100_000)),
        format!("{{\"a\":\"{}", "é".repeat(100_000)),
        format!("{{\"a\":{}", "1".repeat(100_000)),
        format!("{{\"b\":[{}", "{},".repeat(10_000)),
        "{\"b\":[0,{\"c\":\"\\u12".to_owned(),
    ];
    for piece in pieces {
        let mut stream = Stream::new(Framing::Whole);
        stream.feed(&paths, piece.as_bytes(), &mut |_, _| {});
        let state = serde_json::to_string(&stream).unwrap();
        assert!(state.len() < 300, "{} bytes after {:?}", state.len(), &piece[..20.min(piece.len())]);
    }
    let long = |text: &str| {
        scan(Framing::Whole, &paths, format!("{{\"a\":{text},\"b\":[0,{{\"c\":1}}]}}").as_bytes(), &[])
    };
    assert_eq!(long(&format!("\"{}\"", "x".repeat(1025))), finds(&[(0, "unusable"), (1, "1")]));
    assert_eq!(long(&"1".repeat(1025)), finds(&[(0, "unusable"), (1, "1")]));
}

/// The scalar at a path.
fn model(document: &Value, path: &str) -> Option<String> {
    let path = Path::parse(path).unwrap();
    let value = path.segments().iter().try_fold(document, |value, segment| match segment {
        Segment::Member(name) => value.as_object()?.get(name),
        Segment::Element(number) => value.as_array()?.get(usize::try_from(*number).ok()?),
    })?;
    (!value.is_null() && !value.is_object() && !value.is_array()).then(|| value.to_string())
}

const MODEL_PATHS: [&str; 10] =
    ["$", "$.a", "$.b", "$['é\"']", "$[0]", "$[1].a", "$.a.b", "$.a[1]", "$.a.b[2].a", "$.b[0][0].b"];

fn document() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec!["a", "b", "é\"", "\\", ""]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-c{}\\[\\]\"\\\\,:\u{1}é😀 ]{0,9}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..5)
                .prop_map(|pairs| pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

/// With everything beyond ASCII escaped, which serde_json does not do.
fn escaped(json: &str) -> String {
    json.chars().fold(String::new(), |mut text, character| {
        if character.is_ascii() {
            text.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                text += &format!("\\u{unit:04X}");
            }
        }
        text
    })
}

fn sorted(mut finds: Finds) -> Finds {
    finds.sort();
    finds
}

proptest! {
    #[test]
    fn as_serde_json_finds(documents in prop::collection::vec(document(), 1..4), pretty: bool, escape: bool, cuts in prop::collection::vec(0_usize..500, 0..12)) {
        let paths = paths(&MODEL_PATHS);
        let expected: Finds = documents
            .iter()
            .flat_map(|document| MODEL_PATHS.iter().enumerate().filter_map(|(number, path)| Some((number, model(document, path)?))))
            .collect();
        let written = |pretty: bool| -> Vec<String> {
            let written = documents.iter().map(|document| if pretty { serde_json::to_string_pretty(document).unwrap() } else { document.to_string() });
            written.map(|text| if escape { escaped(&text) } else { text }).collect()
        };
        let scanned = |framing, body: String| sorted(scan(framing, &paths, body.as_bytes(), &cuts));
        let expected = sorted(expected);
        prop_assert_eq!(scanned(Framing::Whole, written(pretty).join(" ")), expected.clone());
        prop_assert_eq!(scanned(Framing::Lines, written(false).join("\n")), expected.clone());
        let events: String = written(pretty).iter().map(|text| format!("data: {}\n\n", text.replace('\n', "\ndata: "))).collect();
        prop_assert_eq!(scanned(Framing::Events, events), expected);
    }

    #[test]
    fn no_bytes_make_it_panic_or_depend_on_the_cuts(body in prop::collection::vec(prop::sample::select(b"{}[]\",:\\u0a1.e- \n\rdat\xff\xc3".to_vec()), 0..60), cuts in prop::collection::vec(0_usize..60, 0..6)) {
        let paths = paths(&MODEL_PATHS);
        for framing in [Framing::Whole, Framing::Lines, Framing::Events] {
            prop_assert_eq!(scan(framing, &paths, &body, &cuts), scan(framing, &paths, &body, &[]));
        }
    }
}
