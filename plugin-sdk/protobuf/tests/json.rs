//! Proto3 JSON, case by case, against what another implementation makes of the same texts.

use proptest::prelude::*;
use serde_json::Value;
use sluice_sdk_protobuf::{Error, ErrorKind, MessageId, Pool, ReadOptions, UnknownAny, WriteOptions};

fn pool() -> Pool {
    Pool::new(include_bytes!("data/types.binpb")).expect("a descriptor set")
}

fn read(pool: &Pool, id: MessageId, json: &str) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    pool.to_wire(id, json.as_bytes(), &ReadOptions::default(), &mut out)?;
    Ok(out)
}

fn write(pool: &Pool, id: MessageId, wire: &[u8]) -> Result<String, Error> {
    write_with(pool, id, wire, &WriteOptions::default())
}

fn write_with(pool: &Pool, id: MessageId, wire: &[u8], options: &WriteOptions) -> Result<String, Error> {
    let mut out = Vec::new();
    pool.to_json(id, wire, options, &mut out)?;
    Ok(String::from_utf8(out).expect("JSON is text"))
}

/// Whether two values are the same, numbers by what they are and not by how they are written.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| same(value, other)))
        }
        (one, other) => one == other,
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits"))
        .collect()
}

#[test]
fn every_case_is_as_another_implementation_has_it() {
    let pool = pool();
    let all = pool.message("test.types.All").unwrap();
    let cases: Value = serde_json::from_str(include_str!("data/cases.json")).unwrap();
    let good = cases["good"].as_array().unwrap();
    assert!(good.len() > 120);
    let mut wrong = Vec::new();
    for case in good {
        let (name, text) = (case["name"].as_str().unwrap(), case["json"].as_str().unwrap());
        let canonical: Value = serde_json::from_str(case["canonical"].as_str().unwrap()).unwrap();
        let wire = match read(&pool, all, text) {
            Ok(wire) => wire,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        for wire in [&wire, &bytes(case["wire"].as_str().unwrap())] {
            match write(&pool, all, wire) {
                Ok(text) if same(&serde_json::from_str(&text).unwrap(), &canonical) => {}
                other => wrong.push(format!("{name}: {other:?}, not {canonical}")),
            }
        }
    }
    for case in cases["bad"].as_array().unwrap() {
        if read(&pool, all, case["json"].as_str().unwrap()).is_ok() {
            wrong.push(format!("{} is taken", case["name"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn errors_tell_where_and_what() {
    let pool = pool();
    let all = pool.message("test.types.All").unwrap();
    for (json, kind, message) in [
        (r#"{"child":{"ints":[1,"x"]}}"#, ErrorKind::Value, "`child.ints[1]`: it is no integer"),
        (r#"{"children":[{"nope":1}]}"#, ErrorKind::UnknownField, "`children[0]`: there is no field `nope`"),
        (r#"{"texts":{"k":5}}"#, ErrorKind::Value, "`texts.k`: it is a number, not a string"),
        (r#"{"aBool":true"#, ErrorKind::Syntax, "the JSON ends too early"),
        (r#"{"timestamp":"x"}"#, ErrorKind::Value, "`timestamp`: it is no timestamp as of RFC 3339"),
    ] {
        let error = read(&pool, all, json).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, message), "{json}");
    }
    let long = format!("{{\"{}\\n\":1}}", "a".repeat(10_000));
    let error = read(&pool, all, &long).unwrap_err().to_string();
    assert!(error.len() < 200 && !error.contains('\n'), "{error}");
}

#[test]
fn options_change_what_is_written() {
    let pool = pool();
    let all = pool.message("test.types.All").unwrap();
    let wire = read(&pool, all, r#"{"aColor":"RED","anInt32":5,"colors":["GREEN",7]}"#).unwrap();
    let plain = WriteOptions::default();
    let written = |options: &WriteOptions| write_with(&pool, all, &wire, options).unwrap();
    assert_eq!(written(&plain), r#"{"anInt32":5,"aColor":"RED","colors":["GREEN",7]}"#);
    assert_eq!(
        written(&WriteOptions { proto_names: true, enum_numbers: true, ..plain }),
        r#"{"an_int32":5,"a_color":1,"colors":[2,7]}"#
    );
    let unset: Value = serde_json::from_str(&written(&WriteOptions { print_unset: true, ..plain })).unwrap();
    assert_eq!(unset["aDouble"], 0);
    assert_eq!(unset["anInt64"], "0");
    assert_eq!(unset["aString"], "");
    assert_eq!(unset["ints"], serde_json::json!([]));
    assert_eq!(unset["texts"], serde_json::json!({}));
    for absent in ["maybe", "child", "text", "timestamp"] {
        assert!(unset.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn what_is_not_known_is_ignored_if_wanted() {
    let pool = pool();
    let all = pool.message("test.types.All").unwrap();
    let options = ReadOptions { ignore_unknown: true, enums_in_any_case: true };
    let mut wire = Vec::new();
    let json = r#"{"nope":{"a":[1,{"b":null}]},"anInt32":5,"aColor":"BLUE","colors":["red","BLUE"],
        "byNumber":{"1":"BLUE","2":"Green"},"child":{"x":1}}"#;
    pool.to_wire(all, json.as_bytes(), &options, &mut wire).unwrap();
    assert_eq!(
        write(&pool, all, &wire).unwrap(),
        r#"{"anInt32":5,"child":{},"colors":["RED"],"byNumber":{"2":"GREEN"}}"#
    );
}

#[test]
fn fields_may_lie_in_any_order_and_twice() {
    let pool = pool();
    let all = pool.message("test.types.All").unwrap();
    let parts = [
        r#"{"ints":[1,2]}"#,
        r#"{"text":"a","child":{"aString":"x","ints":[1]}}"#,
        r#"{"anInt32":1,"loose":[3]}"#,
        r#"{"number":5,"ints":[3]}"#,
        r#"{"anInt32":2,"child":{"aBool":true,"ints":[2]}}"#,
        r#"{"texts":{"a":"1","b":"2"}}"#,
        r#"{"texts":{"a":"3"}}"#,
    ];
    let wire: Vec<_> = parts.iter().flat_map(|json| read(&pool, all, json).unwrap()).collect();
    assert_eq!(
        write(&pool, all, &wire).unwrap(),
        r#"{"anInt32":2,"child":{"aBool":true,"aString":"x","ints":[1,2]},"number":5,"ints":[1,2,3],"loose":[3],"texts":{"b":"2","a":"3"}}"#
    );
    // Default values of fields without presence are as if they were not there.
    let zeros = b"\x18\x00\x72\x00\x49\0\0\0\0\0\0\0\0\x90\x01\x00";
    assert_eq!(write(&pool, all, zeros).unwrap(), r#"{"maybe":0}"#);
    // Packed where the descriptor is not, and the other way; and a field of another wire type, which is unknown.
    let wire = b"\xfa\x01\x02\x05\x06\xf8\x01\x07\x80\x02\x05\x82\x02\x01\x06\x18\x01\x1d\0\0\0\0";
    assert_eq!(write(&pool, all, wire).unwrap(), r#"{"anInt32":1,"ints":[5,6,7],"loose":[5,6]}"#);
}

#[test]
fn messages_of_others_may_be_wrong() {
    let pool = pool();
    let all = pool.message("test.types.All").unwrap();
    for (wire, reason) in [
        (&b"\x72\x01\xff"[..], "`a_string`: it is not UTF-8"),
        (b"\x0a", "the message ends in the midst of a field"),
        (b"\x8a\x01\x05\x08", "the message ends in the midst of a field"),
        (b"\x8a\x01\x01\x08", "`child`: the message ends in the midst of a field"),
        (b"\xfa\x01\x01\x80", "`ints`: the message ends in the midst of a field"),
        (b"\xaa\x02\x01\x01", "`fixes`: a packed field ends in the midst of a value"),
        (b"\xba\x04\x05\x0a\x03a/b", "`any`: there is no message type `b`"),
        (
            b"\xc2\x04\x0c\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x10\0",
            "`timestamp`: the timestamp is out of range",
        ),
        (b"\xe2\x04\x09\x11\0\0\0\0\0\0\xf0\x7f", "`value`: a `Value` cannot be infinite or no number"),
        (b"\xd2\x04\x05\x0a\x03a__", "`mask`: a path of the field mask has no camel case"),
    ] {
        assert_eq!(write(&pool, all, wire).unwrap_err().to_string(), reason, "{wire:x?}");
    }
    let lenient = WriteOptions { unknown_any: UnknownAny::Base64, ..WriteOptions::default() };
    let json = write_with(&pool, all, b"\xba\x04\x08\x0a\x03a/b\x12\x01\x07", &lenient).unwrap();
    assert_eq!(json, r#"{"any":{"@type":"a/b","value":"Bw=="}}"#);
}

#[test]
fn depth_is_bounded_both_ways() {
    let pool = pool();
    let all = pool.message("test.types.All").unwrap();
    let nested =
        |open: &str, close: &str, depth: usize| format!("{}{}", open.repeat(depth), close.repeat(depth));
    assert!(read(&pool, all, &nested(r#"{"child":"#, "}", 99).replace(":}", ":{}}")).is_ok());
    for json in [
        nested(r#"{"child":"#, "}", 101).replace(":}", ":{}}"),
        format!(r#"{{"value":{}}}"#, nested("[", "]", 100)),
        format!(r#"{{"struct":{}}}"#, nested(r#"{"a":"#, "}", 100).replace(":}", ":{}}")),
        format!(
            r#"{{"any":{}}}"#,
            nested(r#"{"@type":"a/google.protobuf.Any","value":"#, "}", 100).replace(":}", ":{}}")
        ),
    ] {
        assert_eq!(read(&pool, all, &json).unwrap_err().kind(), ErrorKind::Bound, "{}", &json[..50]);
    }
    let mut wire = Vec::new();
    for _ in 0..99 {
        let inner = std::mem::take(&mut wire);
        sluice_sdk_protobuf::put_bytes(&mut wire, 17, &inner);
    }
    assert!(write(&pool, all, &wire).is_ok());
    for _ in 0..2 {
        let inner = std::mem::take(&mut wire);
        sluice_sdk_protobuf::put_bytes(&mut wire, 17, &inner);
    }
    assert_eq!(write(&pool, all, &wire).unwrap_err().kind(), ErrorKind::Bound);
}

#[test]
fn looking_ahead_for_a_type_is_bounded() {
    let pool = pool();
    let any = pool.message("google.protobuf.Any").unwrap();
    // Each level would be looked through again for what comes last.
    let open = r#"{"value":"#.repeat(90);
    let close = r#","@type":"a/google.protobuf.Any"}"#.repeat(90);
    let json = format!(
        "{open}{{\"value\":\"{}\",\"@type\":\"a/google.protobuf.StringValue\"}}{close}",
        "x".repeat(100_000)
    );
    assert_eq!(read(&pool, any, &json).unwrap_err().kind(), ErrorKind::Bound);
    let json =
        r#"{"value":{"value":"5s","@type":"a/google.protobuf.Duration"},"@type":"a/google.protobuf.Any"}"#;
    assert!(read(&pool, any, json).is_ok());
}

#[test]
fn proto2_has_groups_extensions_and_closed_enums() {
    let pool = Pool::new(include_bytes!("data/old.binpb")).unwrap();
    let old = pool.message("test.old.Old").unwrap();
    let json = r#"{"id":0,"part":{"size":1,"inner":{"text":"a"}},"item":[{"n":1},{}],"loose":[1],"packed":[1,2],"closed":"TWO","[test.old.more]":5,"[test.old.Old.nested]":{"id":3},"[test.old.extras]":["x"]}"#;
    let wire = read(&pool, old, json).unwrap();
    assert_eq!(write(&pool, old, &wire).unwrap(), json);
    assert!(wire.starts_with(
        b"\x08\x00\x1b\x08\x01\x13\x0a\x01a\x14\x1c\x23\x08\x01\x24\x23\x24\x28\x01\x32\x02\x01\x02"
    ));
}

#[test]
fn editions_say_it_by_features() {
    let pool = Pool::new(include_bytes!("data/edition.binpb")).unwrap();
    let edition = pool.message("test.edition.Edition").unwrap();
    let json = r#"{"explicit":0,"implicit":1,"required":2,"delimited":{"n":1},"prefixed":{"n":2},"packed":[1],"expanded":[1],"counts":{"a":1}}"#;
    let wire = read(&pool, edition, json).unwrap();
    assert_eq!(write(&pool, edition, &wire).unwrap(), json);
    assert!(
        wire.starts_with(b"\x08\x00\x10\x01\x18\x02\x23\x08\x01\x24\x2a\x02\x08\x02\x32\x01\x01\x38\x01")
    );
    let presence: Vec<_> = pool[edition].fields.iter().map(|field| field.has_presence).collect();
    assert_eq!(presence, [true, false, true, true, true, false, false, false]);
    assert!(pool[edition].fields[2].is_required);
}

#[test]
fn maps_without_keys_or_values_have_defaults() {
    let pool = pool();
    let all = pool.message("test.types.All").unwrap();
    let wire = b"\x9a\x03\x00\xa2\x03\x00\xaa\x03\x00\xb2\x03\x00\xba\x03\x00\xc2\x03\x00\xca\x03\x00";
    assert_eq!(
        write(&pool, all, wire).unwrap(),
        r#"{"texts":{"":""},"byNumber":{"0":"COLOR_UNSPECIFIED"},"byTruth":{"false":{}},"byBig":{"0":""},"bySign":{"0":0},"byFix":{"0":"1970-01-01T00:00:00Z"},"values":{"":null}}"#
    );
}

proptest! {
    #[test]
    fn any_text_is_a_message_or_an_error(text in r#"[\[\]{}:,"\\nul\-0-9.eE ]{0,20}"#, field in "(value|struct|any|anInt32|child|texts|list)") {
        let pool = pool();
        let all = pool.message("test.types.All").unwrap();
        if let Ok(wire) = read(&pool, all, &format!("{{\"{field}\":{text}}}")) {
            let json = write(&pool, all, &wire);
            prop_assert!(json.is_ok_and(|json| serde_json::from_str::<Value>(&json).is_ok()), "{}", text);
        }
    }

    #[test]
    fn any_bytes_are_json_or_an_error(wire in proptest::collection::vec(any::<u8>(), 0..60)) {
        let pool = pool();
        let all = pool.message("test.types.All").unwrap();
        for print_unset in [false, true] {
            if let Ok(json) = write_with(&pool, all, &wire, &WriteOptions { print_unset, ..WriteOptions::default() }) {
                let value = serde_json::from_str::<Value>(&json);
                prop_assert!(value.is_ok(), "{:?} {}", wire, json);
            }
        }
    }

    #[test]
    fn any_bytes_are_a_set_or_an_error(at in 0_usize..8_000, byte: u8) {
        let mut set = include_bytes!("data/types.binpb").to_vec();
        let at = at % set.len();
        set[at] = byte;
        let _ = Pool::with_comments(&set);
    }
}
