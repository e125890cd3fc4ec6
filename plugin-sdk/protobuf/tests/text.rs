//! Fields by path, and values as text.

use sluice_sdk_protobuf::{Pool, ReadOptions, WriteOptions};

fn pool() -> Pool {
    Pool::new(include_bytes!("data/types.binpb")).expect("a descriptor set")
}

fn set(pool: &Pool, pairs: &[(&str, &str)]) -> Result<String, String> {
    let all = pool.message("test.types.All").expect("it is there");
    let mut wire = Vec::new();
    for (path, text) in pairs {
        let path = pool.path(all, path).map_err(|error| error.to_string())?;
        pool.text_to_wire(&path, text, &ReadOptions::default(), &mut wire)
            .map_err(|error| error.to_string())?;
    }
    let mut json = Vec::new();
    pool.to_json(all, &wire, &WriteOptions::default(), &mut json).expect("a message");
    Ok(String::from_utf8(json).expect("JSON is text"))
}

#[test]
fn texts_become_values_of_their_fields() {
    let pool = pool();
    for (path, text, json) in [
        ("aDouble", "1.5e3", r#"{"aDouble":1500}"#),
        ("a_float", "NaN", r#"{"aFloat":"NaN"}"#),
        ("anInt32", "-5", r#"{"anInt32":-5}"#),
        ("aUint64", "18446744073709551615", r#"{"aUint64":"18446744073709551615"}"#),
        ("aSint32", "-1", r#"{"aSint32":-1}"#),
        ("aFixed32", "7", r#"{"aFixed32":7}"#),
        ("aBool", "true", r#"{"aBool":true}"#),
        ("aBool", "0", "{}"),
        ("aString", "a b", r#"{"aString":"a b"}"#),
        ("aBytes", "-_8", r#"{"aBytes":"+/8="}"#),
        ("aColor", "GREEN", r#"{"aColor":"GREEN"}"#),
        ("aColor", "-1", r#"{"aColor":"NEGATIVE"}"#),
        ("otherName", "x", r#"{"otherName":"x"}"#),
        ("renamed", "x", r#"{"otherName":"x"}"#),
        ("child.child.anInt32", "3", r#"{"child":{"child":{"anInt32":3}}}"#),
        ("message.text", "x", r#"{"message":{"text":"x"}}"#),
        ("texts[a.b]", "x", r#"{"texts":{"a.b":"x"}}"#),
        ("child.by_number[5]", "RED", r#"{"child":{"byNumber":{"5":"RED"}}}"#),
        ("timestamp", "1970-01-01T00:00:01Z", r#"{"timestamp":"1970-01-01T00:00:01Z"}"#),
        ("duration", "1.5s", r#"{"duration":"1.500s"}"#),
        ("mask", "a_b,cD", r#"{"mask":"aB,cD"}"#),
        ("int64Value", "5", r#"{"int64Value":"5"}"#),
        ("stringValue", "", r#"{"stringValue":""}"#),
        ("boolValue", "false", r#"{"boolValue":false}"#),
        ("value", "{\"a\":1}", r#"{"value":{"a":1}}"#),
        ("value", "hello", r#"{"value":"hello"}"#),
        ("struct", "{\"a\":1}", r#"{"struct":{"a":1}}"#),
        ("int32Values", "5", r#"{"int32Values":[5]}"#),
    ] {
        assert_eq!(set(&pool, &[(path, text)]).as_deref(), Ok(json), "{path}={text}");
    }
}

#[test]
fn several_texts_add_up() {
    let pool = pool();
    let pairs = [
        ("ints", "1"),
        ("child.aString", "a"),
        ("ints", "2"),
        ("child.anInt32", "5"),
        ("child.strings", "x"),
        ("child.strings", "y"),
        ("texts[k]", "v"),
    ];
    assert_eq!(
        set(&pool, &pairs).unwrap(),
        r#"{"child":{"anInt32":5,"aString":"a","strings":["x","y"]},"ints":[1,2],"texts":{"k":"v"}}"#
    );
}

#[test]
fn what_has_no_text_is_refused() {
    let pool = pool();
    for (path, text, reason) in [
        ("nope", "1", "there is no field `nope`"),
        ("child.nope", "1", "there is no field `child.nope`"),
        ("aString.x", "1", "there is no field `aString.x`"),
        ("children.aString", "1", "there is no field `children.aString`"),
        ("timestamp.seconds", "1", "there is no field `timestamp.seconds`"),
        ("", "1", "there is no field ``"),
        ("aString[x]", "1", "there is no field `a_string`"),
        ("texts[x", "1", "there is no field `texts`"),
        ("texts", "1", "`texts`: a map is written with a key: `name[key]`"),
        ("by_number[x]", "RED", "`by_number`: it is no integer"),
        ("child", "1", "`child`: a message cannot be written as text"),
        ("any", "{}", "`any`: a message cannot be written as text"),
        ("anInt32", "1.5", "`an_int32`: it is no integer"),
        ("anInt32", "", "`an_int32`: it is no integer"),
        ("aBool", "yes", "`a_bool`: it is neither true nor false"),
        ("aColor", "BLUE", "`a_color`: `test.types.Color` has no such value"),
        ("aBytes", "!", "`a_bytes`: it is not base64"),
        ("duration", "1", "`duration`: it is no duration such as `1.5s`"),
    ] {
        assert_eq!(set(&pool, &[(path, text)]), Err(reason.to_owned()), "{path}={text}");
    }
    let deep = vec!["child"; 200].join(".");
    assert!(set(&pool, &[(&deep, "1")]).is_err());
}

#[test]
fn one_field_is_read_and_written_alone() {
    let pool = pool();
    let all = pool.message("test.types.All").unwrap();
    for (path, json, whole) in [
        ("child", r#"{"anInt32":1}"#, r#"{"child":{"anInt32":1}}"#),
        ("children", r#"[{"anInt32":1},{}]"#, r#"{"children":[{"anInt32":1},{}]}"#),
        ("child.strings", r#"["a"]"#, r#"{"child":{"strings":["a"]}}"#),
        ("a_string", r#""x""#, r#"{"aString":"x"}"#),
        ("value", "null", r#"{"value":null}"#),
        ("texts", r#"{"a":"b"}"#, r#"{"texts":{"a":"b"}}"#),
    ] {
        let path = pool.path(all, path).unwrap();
        let mut wire = Vec::new();
        pool.field_to_wire(&path, json.as_bytes(), &ReadOptions::default(), &mut wire).unwrap();
        let (mut out, mut alone) = (Vec::new(), Vec::new());
        pool.to_json(all, &wire, &WriteOptions::default(), &mut out).unwrap();
        pool.field_to_json(&path, &wire, &WriteOptions::default(), &mut alone).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), whole);
        assert_eq!(String::from_utf8(alone).unwrap(), json);
    }
    let mut unset = Vec::new();
    for path in ["child", "children", "a_string", "child.an_int64"] {
        let path = pool.path(all, path).unwrap();
        pool.field_to_json(&path, b"", &WriteOptions::default(), &mut unset).unwrap();
    }
    assert_eq!(String::from_utf8(unset).unwrap(), r#"null[]"""0""#);
}
