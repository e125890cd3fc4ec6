//! How parameters are written: the styles of OpenAPI, from text to values.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::shape::Shape;

/// A style, as the document names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Style {
    Matrix,
    Label,
    Simple,
    Form,
    SpaceDelimited,
    PipeDelimited,
    DeepObject,
}

/// A style with what its author chose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writing {
    pub(crate) style: Style,
    pub(crate) explode: bool,
    pub(crate) escapes: Escapes,
}

/// How characters are escaped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Escapes {
    /// Not at all: headers.
    None,
    Percent,
    /// As in forms, where `+` is a blank.
    Form,
}

/// Pairs of a query, form or cookie: names decoded, values as sent.
pub(crate) type Pairs<'a> = [(String, &'a str)];

/// Why a parameter cannot be read.
pub(crate) type Unreadable = &'static str;

const NOT_UTF8: Unreadable = "is not UTF-8 once its percent-encoding is undone";
const TWICE: Unreadable = "is given more than once";
const NO_PAIRS: Unreadable = "is not pairs of names and values";

impl Style {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "matrix" => Self::Matrix,
            "label" => Self::Label,
            "simple" => Self::Simple,
            "form" => Self::Form,
            "spaceDelimited" => Self::SpaceDelimited,
            "pipeDelimited" => Self::PipeDelimited,
            "deepObject" => Self::DeepObject,
            _ => return None,
        })
    }
}

/// The pairs of a query or a form.
pub(crate) fn pairs(query: &str) -> Vec<(String, &str)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let split = |pair: &'_ str| pair.find('=').map_or((pair.len(), pair.len()), |at| (at, at + 1));
    pairs
        .map(|pair| {
            let (name, value) = split(pair);
            let decoded = pair[..name].replace('+', " ");
            (percent_decode_str(&decoded).decode_utf8_lossy().into_owned(), &pair[value..])
        })
        .collect()
}

/// The pairs of `Cookie` headers.
pub(crate) fn cookies(header: &str) -> Vec<(String, &str)> {
    let pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs
        .map(|(name, value)| {
            let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            (name.to_owned(), unquoted.unwrap_or(value))
        })
        .collect()
}

impl Writing {
    /// Reads a value from a path's segment or a header.
    pub(crate) fn read_text(self, name: &str, text: &str, shape: &Shape) -> Result<Value, Unreadable> {
        match self.style {
            Style::Label => {
                let text = text.strip_prefix('.').ok_or("does not begin with `.`, as its style says")?;
                // OpenAPI up to 3.0.3 separates with dots in both cases, later versions follow RFC 6570.
                let by = if self.explode || !text.contains(',') { '.' } else { ',' };
                self.read_list(text, by, shape)
            }
            Style::Matrix => {
                let text = text.strip_prefix(';').ok_or("does not begin with `;`, as its style says")?;
                self.read_matrix(name, text, shape)
            }
            _ => self.read_list(text, ',', shape),
        }
    }

    fn read_matrix(self, name: &str, text: &str, shape: &Shape) -> Result<Value, Unreadable> {
        let split = |pair: &'_ str| pair.find('=').map_or((pair.len(), pair.len()), |at| (at, at + 1));
        let parts: Vec<_> = text.split(';').map(|part| (split(part), part)).collect();
        let parts: Vec<_> =
            parts.into_iter().map(|((end, value), part)| (part[..end].to_owned(), &part[value..])).collect();
        if self.explode && shape.is_object() {
            return self.object(parts.iter().map(|(name, value)| (name.as_str(), *value)), shape);
        }
        if parts.iter().any(|(known, _)| known != name) {
            return Err("does not repeat its name, as its style says");
        }
        self.read_form(&parts, name, shape).map(Option::unwrap_or_default)
    }

    /// Reads a value from a query, a form or cookies; `None` if it is not there.
    pub(crate) fn read_pairs(
        self,
        name: &str,
        pairs: &Pairs<'_>,
        shape: &Shape,
    ) -> Result<Option<Value>, Unreadable> {
        match self.style {
            Style::DeepObject => self.read_deep(pairs, name, shape),
            Style::Form if self.explode && shape.is_object() => {
                let named = pairs.iter().filter(|(name, _)| shape.knows(name));
                let mut named = named.map(|(name, value)| (name.as_str(), *value)).peekable();
                if named.peek().is_none() { Ok(None) } else { self.object(named, shape).map(Some) }
            }
            _ => self.read_form(pairs, name, shape),
        }
    }

    /// Values behind their name.
    fn read_form(self, pairs: &Pairs<'_>, name: &str, shape: &Shape) -> Result<Option<Value>, Unreadable> {
        let values: Vec<&str> =
            pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| *value).collect();
        match values[..] {
            [] => Ok(None),
            _ if self.explode && shape.is_array(values.len()) => {
                self.array(values.into_iter(), shape).map(Some)
            }
            [value] if self.explode => self.scalar(value, shape).map(Some),
            [value] => self.read_delimited(value, shape).map(Some),
            _ => Err(TWICE),
        }
    }

    fn read_delimited(self, value: &str, shape: &Shape) -> Result<Value, Unreadable> {
        match self.style {
            // A blank is sent as `%20` or `+`, a bar as itself or escaped; no other character is both.
            Style::SpaceDelimited => self.read_list(&value.replace("%20", " ").replace('+', " "), ' ', shape),
            Style::PipeDelimited => {
                self.read_list(&value.replace("%7C", "|").replace("%7c", "|"), '|', shape)
            }
            _ => self.read_list(value, ',', shape),
        }
    }

    fn read_list(self, text: &str, by: char, shape: &Shape) -> Result<Value, Unreadable> {
        let count = text.split(by).count();
        if shape.is_object() {
            let parts = text.split(by);
            let named = matches!(self.style, Style::Simple | Style::Label) && self.explode;
            return if named {
                let pairs: Option<Vec<_>> = parts.map(|part| part.split_once('=')).collect();
                self.object(pairs.ok_or(NO_PAIRS)?.into_iter(), shape)
            } else {
                let parts: Vec<_> = parts.collect();
                let (pairs, []) = parts.as_chunks::<2>() else { return Err(NO_PAIRS) };
                self.object(pairs.iter().map(|[name, value]| (*name, *value)), shape)
            };
        }
        if shape.is_array(count) { self.array(text.split(by), shape) } else { self.scalar(text, shape) }
    }

    fn read_deep(self, pairs: &Pairs<'_>, name: &str, shape: &Shape) -> Result<Option<Value>, Unreadable> {
        let mut values: Vec<(&str, Vec<&str>)> = Vec::new();
        for (known, value) in pairs {
            let Some(inner) = deep_name(known, name) else { continue };
            if inner.contains(['[', ']']) {
                return Err("has names within names, which its style does not define");
            }
            match values.iter_mut().find(|(name, _)| *name == inner) {
                Some((_, list)) => list.push(value),
                None => values.push((inner, vec![value])),
            }
        }
        if values.is_empty() {
            return Ok(None);
        }
        let mut object = Map::new();
        for (inner, list) in values {
            let shape = shape.property(inner);
            let value = match list[..] {
                _ if shape.is_array(list.len()) => self.array(list.into_iter(), shape)?,
                [value] => self.scalar(value, shape)?,
                _ => return Err(TWICE),
            };
            object.insert(inner.to_owned(), value);
        }
        Ok(Some(Value::Object(object)))
    }

    fn object<'a>(
        self,
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
        shape: &Shape,
    ) -> Result<Value, Unreadable> {
        let mut object = Map::new();
        for (name, value) in pairs {
            let name = self.unescape(name)?;
            let property = shape.property(&name);
            let value = self.scalar(value, property)?;
            match object.get_mut(&name) {
                None => {
                    let value = if property.is_array(1) { Value::Array(vec![value]) } else { value };
                    object.insert(name, value);
                }
                Some(Value::Array(list)) if property.is_array(2) => list.push(value),
                Some(_) => return Err("has a name more than once"),
            }
        }
        Ok(Value::Object(object))
    }

    fn array<'a>(self, values: impl Iterator<Item = &'a str>, shape: &Shape) -> Result<Value, Unreadable> {
        values.map(|value| self.scalar(value, shape.items())).collect::<Result<_, _>>().map(Value::Array)
    }

    fn scalar(self, text: &str, shape: &Shape) -> Result<Value, Unreadable> {
        let shape = if shape.is_array(1) { shape.items() } else { shape };
        self.unescape(text).map(|text| shape.read(text))
    }

    /// The text that was meant.
    pub(crate) fn unescape(self, text: &str) -> Result<String, Unreadable> {
        let decode = |text: &str| match percent_decode_str(text).decode_utf8() {
            Ok(text) => Ok(text.into_owned()),
            Err(_) => Err(NOT_UTF8),
        };
        match self.escapes {
            Escapes::None => Ok(text.trim().to_owned()),
            Escapes::Percent => decode(text),
            Escapes::Form => decode(&text.replace('+', " ")),
        }
    }
}

/// The `b` of `a[b]`.
pub(crate) fn deep_name<'a>(known: &'a str, name: &str) -> Option<&'a str> {
    known.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::shape::tests::shape;

    fn string() -> Shape {
        shape(&json!({ "type": "string" }))
    }

    fn array() -> Shape {
        shape(&json!({ "type": "array", "items": { "type": "string" } }))
    }

    fn object() -> Shape {
        let number = json!({ "type": "integer" });
        shape(&json!({ "type": "object", "properties": { "R": number, "G": number, "B": number } }))
    }

    fn writing(style: &str, explode: bool, escapes: Escapes) -> Writing {
        Writing { style: Style::parse(style).unwrap(), explode, escapes }
    }

    /// The table of style examples of OpenAPI 3.0.4 and 3.1.1, section 4.8.12: empty, string, array, object.
    #[test]
    fn the_styles_are_those_of_the_specification() {
        let list = json!(["blue", "black", "brown"]);
        let record = json!({ "R": 100, "G": 200, "B": 150 });
        for (style, explode, empty, text, items, members) in [
            ("matrix", false, ";color", ";color=blue", ";color=blue,black,brown", ";color=R,100,G,200,B,150"),
            (
                "matrix",
                true,
                ";color",
                ";color=blue",
                ";color=blue;color=black;color=brown",
                ";R=100;G=200;B=150",
            ),
            ("label", false, ".", ".blue", ".blue,black,brown", ".R,100,G,200,B,150"),
            ("label", true, ".", ".blue", ".blue.black.brown", ".R=100.G=200.B=150"),
            // As OpenAPI 3.0.0 to 3.0.3 have it.
            ("label", false, ".", ".blue", ".blue.black.brown", ".R.100.G.200.B.150"),
            ("simple", false, "", "blue", "blue,black,brown", "R,100,G,200,B,150"),
            ("simple", true, "", "blue", "blue,black,brown", "R=100,G=200,B=150"),
        ] {
            let writing = writing(style, explode, Escapes::Percent);
            let read = |text: &str, shape: &Shape| writing.read_text("color", text, shape);
            assert_eq!(read(empty, &string()), Ok(json!("")), "{style} {explode}");
            assert_eq!(read(text, &string()), Ok(json!("blue")), "{style} {explode}");
            assert_eq!(read(items, &array()), Ok(list.clone()), "{style} {explode}");
            assert_eq!(read(members, &object()), Ok(record.clone()), "{style} {explode}");
        }
        for (style, explode, scalar, items, members) in [
            ("form", false, true, "color=blue,black,brown", "color=R,100,G,200,B,150"),
            ("form", true, true, "color=blue&color=black&color=brown", "R=100&G=200&B=150"),
            (
                "spaceDelimited",
                false,
                false,
                "color=blue%20black%20brown",
                "color=R%20100%20G%20200%20B%20150",
            ),
            (
                "pipeDelimited",
                false,
                false,
                "color=blue%7Cblack%7Cbrown",
                "color=R%7C100%7CG%7C200%7CB%7C150",
            ),
            ("pipeDelimited", false, false, "color=blue|black|brown", "color=R|100|G|200|B|150"),
        ] {
            let writing = writing(style, explode, Escapes::Form);
            let read = |text: &str, shape: &Shape| writing.read_pairs("color", &pairs(text), shape);
            if scalar {
                assert_eq!(read("color=", &string()), Ok(Some(json!(""))), "{style} {explode}");
                assert_eq!(read("color=blue", &string()), Ok(Some(json!("blue"))), "{style} {explode}");
            }
            assert_eq!(read(items, &array()), Ok(Some(list.clone())), "{style} {explode}");
            assert_eq!(read(members, &object()), Ok(Some(record.clone())), "{style} {explode}");
            assert_eq!(read("other=1", &array()), Ok(None), "{style} {explode}");
        }
        let deep = writing("deepObject", true, Escapes::Form);
        let query = pairs("color%5BR%5D=100&color%5BG%5D=200&color[B]=150&colors[R]=1");
        assert_eq!(deep.read_pairs("color", &query, &object()), Ok(Some(record)));
    }

    #[test]
    fn what_is_escaped_does_not_separate() {
        let simple = writing("simple", false, Escapes::Percent);
        assert_eq!(simple.read_text("a", "x%2Cy,z+%c3%a9", &array()), Ok(json!(["x,y", "z+é"])));
        let form = writing("form", false, Escapes::Form);
        let query = pairs("a+b=x%2Cy,z+1%26");
        assert_eq!(form.read_pairs("a b", &query, &array()), Ok(Some(json!(["x,y", "z 1&"]))));
        assert_eq!(simple.read_text("a", "%ff", &string()), Err(NOT_UTF8));
    }

    #[test]
    fn what_has_two_meanings_is_refused() {
        let form = writing("form", true, Escapes::Form);
        assert_eq!(form.read_pairs("a", &pairs("a=1&a=2"), &string()), Err(TWICE));
        assert_eq!(
            writing("form", false, Escapes::Form).read_pairs("a", &pairs("a=1&a=2"), &array()),
            Err(TWICE)
        );
        assert!(form.read_pairs("a", &pairs("R=1&R=2"), &object()).is_err());
        let deep = writing("deepObject", true, Escapes::Form);
        assert!(deep.read_pairs("a", &pairs("a[R]=1&a[R]=2"), &object()).is_err());
        assert!(deep.read_pairs("a", &pairs("a[R][x]=1"), &object()).is_err());
        for (style, text) in
            [("simple", "R,1,G"), ("label", "R,1"), ("matrix", ";b=R,1"), ("matrix", "a=R,1")]
        {
            assert!(
                writing(style, false, Escapes::Percent).read_text("a", text, &object()).is_err(),
                "{style} {text}"
            );
        }
        assert_eq!(writing("simple", true, Escapes::Percent).read_text("a", "R", &object()), Err(NO_PAIRS));
    }

    #[test]
    fn cookies_are_pairs_too() {
        let found = cookies("a=1; b=\"2\";c; a=3=4");
        let expected = [("a", "1"), ("b", "2"), ("a", "3=4")].map(|(name, value)| (name.to_owned(), value));
        assert_eq!(found, expected);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(
            text in "[a-c=&,;.|%\\[\\]+é0-9 ]{0,30}",
            style in 0..7_usize,
            explode: bool,
            kind in 0..3_usize,
        ) {
            let names = ["matrix", "label", "simple", "form", "spaceDelimited", "pipeDelimited", "deepObject"];
            let shape = [string(), array(), object()][kind].clone();
            let writing = writing(names[style], explode, Escapes::Form);
            let _ = writing.read_text("a", &text, &shape);
            let _ = writing.read_pairs("a", &pairs(&text), &shape);
            let _ = writing.read_pairs("a", &cookies(&text), &shape);
        }

        #[test]
        fn what_was_written_is_read(items in proptest::collection::vec("[ -~é]{1,8}", 2..5)) {
            let escaped = |text: &String| {
                percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
            };
            let written: Vec<_> = items.iter().map(escaped).collect();
            let simple = writing("simple", false, Escapes::Percent);
            prop_assert_eq!(simple.read_text("a", &written.join(","), &array()), Ok(json!(items)));
            let query = written.iter().map(|item| format!("a={item}")).collect::<Vec<_>>().join("&");
            let form = writing("form", true, Escapes::Form);
            prop_assert_eq!(form.read_pairs("a", &pairs(&query), &array()), Ok(Some(json!(items))));
        }
    }
}
