//! What is JSON and what is not, and every bound.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

/// A value as serde_json has it. A member that occurs twice refuses the object.
#[derive(Debug, PartialEq)]
struct Strict(Json);

/// A value as it would be written, with members of one name side by side.
#[derive(Debug, PartialEq)]
struct Written(String);

impl Build for Strict {
    type Members = Vec<(String, Json)>;
    type Refused = String;
    const HALF_OF_PAIR: Option<char> = None;

    fn null() -> Self {
        Self(Json::Null)
    }

    fn boolean(value: bool) -> Self {
        Self(value.into())
    }

    fn number(written: &str) -> Self {
        // Too large for serde_json is as good as none here.
        Self(serde_json::from_str(written).unwrap_or_default())
    }

    fn string(text: Cow<'_, str>) -> Self {
        Self(text.into_owned().into())
    }

    fn array(items: Vec<Self>) -> Self {
        Self(items.into_iter().map(|item| item.0).collect())
    }

    fn member(members: &mut Self::Members, name: Cow<'_, str>, value: Self) {
        members.push((name.into_owned(), value.0));
    }

    fn object(members: Self::Members) -> Result<Self, String> {
        let mut object = serde_json::Map::new();
        for (name, value) in members {
            if object.insert(name.clone(), value).is_some() {
                return Err(name);
            }
        }
        Ok(Self(object.into()))
    }
}

impl Build for Written {
    type Members = Vec<String>;
    type Refused = std::convert::Infallible;
    const HALF_OF_PAIR: Option<char> = Some('?');

    fn null() -> Self {
        Self("null".to_owned())
    }

    fn boolean(value: bool) -> Self {
        Self(value.to_string())
    }

    fn number(written: &str) -> Self {
        Self(written.to_owned())
    }

    fn string(text: Cow<'_, str>) -> Self {
        Self(Json::from(text.into_owned()).to_string())
    }

    fn array(items: Vec<Self>) -> Self {
        let items: Vec<_> = items.into_iter().map(|item| item.0).collect();
        Self(format!("[{}]", items.join(",")))
    }

    fn member(members: &mut Self::Members, name: Cow<'_, str>, value: Self) {
        members.push(format!("{}:{}", Self::string(name).0, value.0));
    }

    fn object(members: Self::Members) -> Result<Self, Self::Refused> {
        Ok(Self(format!("{{{}}}", members.join(","))))
    }
}

const BOUNDS: Bounds = Bounds { depth: 64, values: 1000 };

fn written(text: &str) -> Result<String, Unreadable<std::convert::Infallible>> {
    read::<Written>(text.as_bytes(), BOUNDS).map(|value| value.0)
}

fn strict(text: &str) -> Result<Json, Unreadable<String>> {
    read::<Strict>(text.as_bytes(), BOUNDS).map(|value| value.0)
}

#[test]
fn numbers_members_and_their_order_stay() {
    for (text, again) in [
        (
            " [ 1.0 , -0,1E+400 , {\"a\" : null, \"b\":[ ]},{ } ]\r\n",
            "[1.0,-0,1E+400,{\"a\":null,\"b\":[]},{}]",
        ),
        (
            "{\"z\":true,\"a\":{\"b\":[[1],2]},\t\"z\":false}",
            "{\"z\":true,\"a\":{\"b\":[[1],2]},\"z\":false}",
        ),
        (
            "\"\\u00E9\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\\"\\\\\\u0000\"",
            "\"é😀/\\b\\f\\n\\r\\t\\\"\\\\\\u0000\"",
        ),
        (" null ", "null"),
    ] {
        assert_eq!(written(text).as_deref(), Ok(again), "{text}");
    }
    assert_eq!(strict(r#"{"a":{"b":1,"\u0062":2}}"#), Err(Unreadable::Refused("b".to_owned())));
}

#[test]
fn what_is_no_json_is_told_with_its_place() {
    for (text, at) in [
        ("", 0),
        ("\u{feff}[]", 0),
        ("[1,]", 3),
        ("[1}", 2),
        ("{\"a\":1]", 6),
        ("{\"a\":1,}", 7),
        ("{\"a\" 1}", 5),
        ("{1:1}", 1),
        ("[", 1),
        ("01", 0),
        ("1.", 2),
        ("1 2", 2),
        ("-", 1),
        ("nul", 0),
        ("\"a", 2),
        ("\"\n\"", 1),
        ("\"\\x\"", 1),
        ("\"\\ud8\"", 1),
        ("\"\\u+123\"", 1),
        ("\"\\u12é\"", 1),
    ] {
        assert_eq!(written(text), Err(Unreadable::Malformed(at)), "{text}");
    }
    assert_eq!(read::<Written>(b"\"\xff\"", BOUNDS), Err(Unreadable::Malformed(1)));
}

#[test]
fn halves_of_pairs_are_the_values_matter() {
    let text = r#"["\ud83d","\ude00","\ud83dx","\ud83d\ud83d\ude00","\ud83d\n"]"#;
    assert_eq!(written(text).as_deref(), Ok(r#"["?","?","?x","?😀","?\n"]"#));
    for (text, at) in [("\"\\ud83d\"", 1), ("\"a\\ude00\"", 2), ("\"\\ud83d\\ud83d\\ude00\"", 1)] {
        assert_eq!(strict(text), Err(Unreadable::Malformed(at)), "{text}");
    }
}

#[test]
fn depth_and_number_of_values_are_bounded() {
    let read =
        |text: &str| read::<Written>(text.as_bytes(), Bounds { depth: 3, values: 5 }).map(|value| value.0);
    assert!(read("[[[1]],1]").is_ok());
    assert_eq!(read("[[[[]]]]"), Err(Unreadable::TooDeep));
    assert_eq!(read("{\"a\":[{\"a\":{}}]}"), Err(Unreadable::TooDeep));
    assert!(read("[1,2,3,4]").is_ok());
    assert_eq!(read("[1,2,3,4,5]"), Err(Unreadable::TooMany));
    assert!(read("{\"a\":[],\"b\":[],\"c\":{},\"d\":1}").is_ok());
    assert_eq!(read("{\"a\":[],\"b\":[],\"c\":{},\"d\":[1]}"), Err(Unreadable::TooMany));
    assert_eq!(read("1").as_deref(), Ok("1"));
    let deep = "[".repeat(1_000_000);
    assert_eq!(read(&deep), Err(Unreadable::TooDeep));
    // Reading itself takes no stack.
    let endless = Bounds { depth: usize::MAX, values: usize::MAX };
    assert_eq!(super::read::<Written>(deep.as_bytes(), endless), Err(Unreadable::Malformed(deep.len())));
}

proptest! {
    #[test]
    fn the_same_texts_are_json_as_for_serde_json(text in r#"[\[\]{},:"\\u0-9dDaAeE+.tfn \n\-\x01é]{0,24}"#) {
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert_eq!(written(&text).is_ok(), theirs, "{}", text);
    }

    #[test]
    fn brackets_close_what_they_open(text in r#"[\[\]{},:1 ]{0,12}"#, named in any::<bool>()) {
        // With names where they belong more often than by chance.
        let text = if named { text.replace('{', "{\"a\":").replace(',', ",\"a\":") } else { text };
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert_eq!(written(&text).is_ok(), theirs, "{}", text);
    }

    #[test]
    fn what_serde_json_writes_means_the_same(
        words in prop::collection::vec((any::<String>(), any::<i64>(), any::<f64>()), 0..8),
    ) {
        let members: serde_json::Map<_, _> =
            words.iter().map(|word| (word.0.clone(), serde_json::json!([word, {}]))).collect();
        let value = Json::from(members);
        let text = value.to_string();
        prop_assert_eq!(strict(&text), Ok(serde_json::from_str(&text).unwrap()));
        prop_assert_eq!(written(&text), Ok(text));
    }
}
