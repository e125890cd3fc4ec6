//! Reads JSON as RFC 8259 has it, bounded, and without names that occur twice: readers differ in which of them counts.

use std::borrow::Cow;

use sluice_sdk_json::{self as json, Build};

use super::Json;
use crate::bounds::Bounds;

/// Why a text was not read.
#[derive(Debug, PartialEq)]
pub(crate) enum Unreadable {
    /// From this byte on.
    Malformed(usize),
    Duplicate(String),
    TooComplex(String),
}

/// This name occurs twice. It is cut short.
pub(crate) struct Duplicate(String);

/// Reads one value.
pub(crate) fn parse(text: &[u8], bounds: &Bounds) -> Result<Json, Unreadable> {
    // A byte order mark may be ignored (section 8.1).
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let most = json::Bounds { depth: bounds.depth, values: bounds.values };
    json::read(text, most).map_err(|error| match error {
        json::Unreadable::Malformed(at) => Unreadable::Malformed(at),
        json::Unreadable::TooDeep => Unreadable::TooComplex(bounds.too_deep()),
        json::Unreadable::TooMany => Unreadable::TooComplex(bounds.too_many()),
        json::Unreadable::Refused(Duplicate(name)) => Unreadable::Duplicate(name),
    })
}

impl Build for Json {
    type Members = Vec<(String, Json)>;
    type Refused = Duplicate;
    /// It is nothing that XML could carry.
    const HALF_OF_PAIR: Option<char> = None;

    fn null() -> Self {
        Self::Null
    }

    fn boolean(value: bool) -> Self {
        Self::Bool(value)
    }

    fn number(written: &str) -> Self {
        Self::Number(written.to_owned())
    }

    fn string(text: Cow<'_, str>) -> Self {
        Self::Text(text.into_owned())
    }

    fn array(items: Vec<Self>) -> Self {
        Self::Array(items)
    }

    fn member(members: &mut Self::Members, name: Cow<'_, str>, value: Self) {
        members.push((name.into_owned(), value));
    }

    fn object(members: Self::Members) -> Result<Self, Duplicate> {
        let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(Duplicate(pair[0].chars().take(100).collect())),
            None => Ok(Self::Object(members)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn passed(text: &str) -> Result<String, Unreadable> {
        parse(text.as_bytes(), &Bounds::default()).map(|value| value.write())
    }

    #[test]
    fn a_text_is_read_and_written() {
        let text = " { \"a\" : [ 1.0 , -0, 1e400, true,\tfalse, null ] , \"\\u00e9\\ud83d\\ude00\": \"\\/\\b\" }\r\n";
        assert_eq!(
            passed(text).as_deref(),
            Ok("{\"a\":[1.0,-0,1e400,true,false,null],\"é😀\":\"/\\u0008\"}")
        );
        assert_eq!(passed("\u{feff}[]").as_deref(), Ok("[]"));
        for (text, at) in
            [("", 0), ("[1,]", 3), ("01", 0), ("1 2", 2), ("\"\\ud83d\"", 1), ("nul", 0), ("-", 1)]
        {
            assert_eq!(passed(text), Err(Unreadable::Malformed(at)), "{text}");
        }
        assert_eq!(passed("{\"a\":1,\"\\u0061\":2}"), Err(Unreadable::Duplicate("a".to_owned())));
    }

    #[test]
    fn depth_and_number_of_values_are_bounded() {
        let bounds = Bounds { depth: 3, values: 5, ..Bounds::default() };
        let read = |text: &str| parse(text.as_bytes(), &bounds);
        assert!(read("[[[1]]]").is_ok());
        assert!(matches!(read("[[[[]]]]"), Err(Unreadable::TooComplex(_))));
        assert!(read("[1,2,3,4]").is_ok());
        assert!(matches!(read("[1,2,3,4,5]"), Err(Unreadable::TooComplex(_))));
        let deep = "[".repeat(100_000);
        assert!(matches!(passed(&deep), Err(Unreadable::TooComplex(_))));
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_means_the_same(
            words in proptest::collection::vec((any::<String>(), any::<i64>(), any::<f64>()), 0..8),
        ) {
            let text = serde_json::json!(words).to_string();
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            prop_assert_eq!(read(&passed(&text).unwrap()), read(&text));
        }
    }
}
