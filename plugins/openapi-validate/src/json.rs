//! Reading JSON that somebody sent: bounded by the memory it takes, and refused where readers differ in what it means.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why a text was not read.
#[derive(Debug, PartialEq)]
pub(crate) enum Unreadable {
    /// Not JSON, or a name twice in an object.
    Malformed(String),
    /// It would take more memory than there is for it.
    TooComplex,
}

/// Reads a text into a value that takes at most about `memory` bytes. Also how many values it holds.
pub(crate) fn read(text: &[u8], memory: usize) -> Result<(Value, usize), Unreadable> {
    let budget = Budget { left: Cell::new(memory), values: Cell::new(0), spent: Cell::new(false) };
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Seed(&budget).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    match value {
        Ok(value) => Ok((value, budget.values.get())),
        Err(_) if budget.spent.get() => Err(Unreadable::TooComplex),
        Err(error) => Err(Unreadable::Malformed(error.to_string())),
    }
}

struct Budget {
    left: Cell<usize>,
    values: Cell<usize>,
    spent: Cell<bool>,
}

impl Budget {
    fn take<E: serde::de::Error>(&self, bytes: usize) -> Result<(), E> {
        let Some(left) = self.left.get().checked_sub(bytes) else {
            self.spent.set(true);
            return Err(E::custom("too complex"));
        };
        self.left.set(left);
        Ok(())
    }
}

/// What a value takes beside its text. A vector that grows has up to twice the room it needs, and the old one beside it.
const VALUE: usize = 3 * size_of::<Value>();
/// What the first name of an object costs: a node of the tree has room for eleven.
const OBJECT: usize = 11 * (size_of::<Value>() + size_of::<String>());

struct Seed<'b>(&'b Budget);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.0.take(VALUE)?;
        self.0.values.set(self.0.values.get() + 1);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.0.take(value.len())?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element_seed(Seed(self.0))? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let room = if members.len().is_multiple_of(5) { OBJECT } else { 0 };
            self.0.take(name.len() + room)?;
            // One reader takes the first, another the last: what was checked may not be what is used.
            if members.contains_key(&name) {
                return Err(A::Error::custom("a name occurs twice in an object"));
            }
            members.insert(name, map.next_value_seed(Seed(self.0))?);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_was_written() {
        let text = br#"{"a": [1, -2, 2.5, 18446744073709551615, true, null, "x\u00e9"], "b": {}}"#;
        let expected: Value = serde_json::from_slice(text).unwrap();
        assert_eq!(read(text, 10_000).unwrap(), (expected, 10));
    }

    #[test]
    fn what_has_two_meanings_is_refused() {
        for text in ["{\"a\": 1, \"\\u0061\": 2}", "[1] 2", "", "{\"a\": 1e999}", "\"\u{0}\"", "nul"] {
            assert!(matches!(read(text.as_bytes(), 10_000), Err(Unreadable::Malformed(_))), "{text:?}");
        }
        assert!(matches!(read(b"\"\xff\"", 10_000), Err(Unreadable::Malformed(_))));
        assert!(matches!(read("[".repeat(1_000).as_bytes(), 1 << 20), Err(Unreadable::Malformed(_))));
    }

    #[test]
    fn the_memory_is_bounded() {
        for text in
            ["[0,0,0,0,0,0,0,0,0,0]", "[{\"\":0},{\"\":0}]", "[\"0123456789012345678901234567890123456789\"]"]
        {
            assert_eq!(read(text.as_bytes(), 100), Err(Unreadable::TooComplex), "{text}");
        }
    }
}
