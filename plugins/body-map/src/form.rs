//! Forms (`application/x-www-form-urlencoded`) as JSON objects, and back.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::edit::{self, Stop};
use crate::json::{Json, VALUE_COST};

/// The media type.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// Why a body is not read as a form.
#[derive(Debug, PartialEq)]
pub(crate) enum Unreadable {
    /// A name or value is not UTF-8 in percent-encoding.
    Malformed(String),
    TooLarge(Stop),
}

/// Reads a form as an object of strings; a name that occurs several times has an array of them. Names are taken as they
/// are: `a[b]` is a member called `a[b]`.
pub(crate) fn read(body: &[u8], budget: usize) -> Result<Json<'_>, Unreadable> {
    let mut members: Vec<(Cow<'_, str>, Json<'_>)> = Vec::new();
    let mut places: HashMap<Cow<'_, str>, usize> = HashMap::new();
    let mut cost = VALUE_COST;
    for (at, pair) in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).enumerate() {
        let equals = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = equals.map_or((pair, &[][..]), |equals| (&pair[..equals], &pair[equals + 1..]));
        let text = |bytes, what| {
            decode(bytes).ok_or_else(|| {
                Unreadable::Malformed(format!("the {what} of field {} is not percent-encoded UTF-8", at + 1))
            })
        };
        let (name, value) = (text(name, "name")?, Json::Text(text(value, "value")?));
        // The name is held twice while it is looked for.
        cost += 2 * (name.len() + VALUE_COST) + value.cost();
        edit::affordable(cost, budget).map_err(Unreadable::TooLarge)?;
        match places.get(&name) {
            None => {
                places.insert(name.clone(), members.len());
                members.push((name, value));
            }
            Some(&place) => match &mut members[place].1 {
                Json::Array(values) => values.push(value),
                only => {
                    let first = std::mem::replace(only, Json::Null);
                    *only = Json::Array(vec![first, value]);
                }
            },
        }
    }
    Ok(Json::Object(members))
}

fn decode(bytes: &[u8]) -> Option<Cow<'_, str>> {
    if !bytes.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return std::str::from_utf8(bytes).ok().map(Cow::Borrowed);
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (digits, after) = tail.split_at_checked(2)?;
                rest = after;
                hex(digits[0])? << 4 | hex(digits[1])?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Writes an object of scalars, and of arrays of scalars, as a form. A member that is `null` is left out.
pub(crate) fn write(value: &Json<'_>, bound: usize) -> edit::Result<Option<Vec<u8>>> {
    let Json::Object(members) = value else {
        return Err(Stop::Mismatch(format!("only an object is a form, and this is {}", value.kind())));
    };
    let mut out = Vec::new();
    for (name, value) in members {
        let values = if let Json::Array(items) = value { &items[..] } else { std::slice::from_ref(value) };
        for value in values {
            let text = match value {
                Json::Null => continue,
                Json::Bool(true) => "true",
                Json::Bool(false) => "false",
                Json::Number(number) => number.as_str(),
                Json::Text(text) => text,
                nested => return Err(Stop::Mismatch(format!("a form cannot hold {}", nested.kind()))),
            };
            if !out.is_empty() {
                out.push(b'&');
            }
            encode(name, &mut out);
            out.push(b'=');
            encode(text, &mut out);
            // One text is at most three times a body: checking after it is soon enough.
            if out.len() > bound {
                return Ok(None);
            }
        }
    }
    Ok(Some(out))
}

/// As browsers write forms.
fn encode(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b' ' => out.push(b'+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => out.push(byte),
            _ => out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::{self, LEAST_BUDGET};

    fn parse(text: &str) -> Json<'_> {
        json::parse(text.as_bytes(), LEAST_BUDGET).unwrap()
    }

    fn same(form: &str, json: &str) {
        assert_eq!(read(form.as_bytes(), LEAST_BUDGET).unwrap(), parse(json), "{form}");
    }

    #[test]
    fn forms_are_read() {
        same("a=1&b=x+y%21&a=2&&c&a=", r#"{"a":["1","2",""],"b":"x y!","c":""}"#);
        same("a[b]=1&a[]=2&a%5B%5D=3&=4", r#"{"a[b]":"1","a[]":["2","3"],"":"4"}"#);
        same("", "{}");
    }

    #[test]
    fn what_is_not_text_is_refused() {
        for (form, reason) in
            [("a=%", "the value of field 1"), ("b&%zz", "the name of field 2"), ("a=%ff", "UTF-8")]
        {
            let Err(Unreadable::Malformed(said)) = read(form.as_bytes(), LEAST_BUDGET) else {
                panic!("{form} was read")
            };
            assert!(said.contains(reason), "{form}: {said}");
        }
    }

    #[test]
    fn forms_are_written() {
        let value = parse(r#"{"a":[1,true,null],"b c":"x&y=é","n":null,"e":[]}"#);
        let written = write(&value, 100).unwrap().unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), "a=1&a=true&b+c=x%26y%3D%C3%A9");
        assert_eq!(write(&value, 10).unwrap(), None);
        for nested in ["[]", r#"{"a":{}}"#, r#"{"a":[[]]}"#] {
            assert!(matches!(write(&parse(nested), 10), Err(Stop::Mismatch(_))), "{nested}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(fields in prop::collection::vec((".*", ".*"), 0..8)) {
            let mut members: Vec<(String, Vec<String>)> = Vec::new();
            for (name, value) in fields {
                match members.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, values)) => values.push(value),
                    None => members.push((name, vec![value])),
                }
            }
            let text = |text: &String| Json::Text(text.clone().into());
            let shape = |values: &Vec<String>| match &values[..] {
                [only] => text(only),
                values => Json::Array(values.iter().map(text).collect()),
            };
            let object = members.iter().map(|(name, values)| (name.clone().into(), shape(values))).collect();
            let object = Json::Object(object);
            let written = write(&object, 1 << 20).unwrap().unwrap();
            prop_assert_eq!(read(&written, LEAST_BUDGET).unwrap(), object);
        }
    }
}
