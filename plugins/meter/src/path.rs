//! Paths into JSON documents: members and elements, nothing that could be many.

use sluice_sdk::prelude::*;

/// The longest path.
const MAX_SEGMENTS: usize = 16;
/// The longest name of a member, in bytes.
pub(crate) const MAX_NAME: usize = 256;

/// Where a value stands in a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path(Vec<Segment>);

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Segment {
    /// A member of an object.
    Member(String),
    /// An element of an array, from 0.
    Element(u32),
}

impl Path {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut rest = text.strip_prefix('$').context(format_args!("`{text}` does not begin with `$`"))?;
        let mut segments = Vec::new();
        while !rest.is_empty() {
            let (segment, after) = read(rest).context(format_args!(
                "`{text}`: `{rest}` is neither a member (`.name`, `['name']`) nor an element (`[0]`)"
            ))?;
            segments.push(segment);
            rest = after;
        }
        ensure!(segments.len() <= MAX_SEGMENTS, "`{text}` has more than {MAX_SEGMENTS} members and elements");
        Ok(Self(segments))
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.0
    }
}

/// The first segment, and what is behind it.
fn read(text: &str) -> Option<(Segment, &str)> {
    if let Some(rest) = text.strip_prefix('.') {
        let (name, rest) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
        let is_plain = !name.contains(|c: char| c.is_whitespace() || "*?@$'\"]()".contains(c));
        return member(name).filter(|_| is_plain).map(|member| (member, rest));
    }
    let inner = text.strip_prefix('[')?;
    for quote in ['\'', '"'] {
        if let Some(inner) = inner.strip_prefix(quote) {
            let (name, rest) = inner.split_once(quote)?;
            return Some((member(name).filter(|_| !name.contains('\\'))?, rest.strip_prefix(']')?));
        }
    }
    let (number, rest) = inner.split_once(']')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    Some((Segment::Element(number.parse().ok().filter(|_| is_number)?), rest))
}

fn member(name: &str) -> Option<Segment> {
    (1..=MAX_NAME).contains(&name.len()).then(|| Segment::Member(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        let member = |name: &str| Segment::Member(name.to_owned());
        for (text, expected) in [
            ("$", vec![]),
            ("$.usage.total_tokens", vec![member("usage"), member("total_tokens")]),
            ("$.a[0][12].b-c", vec![member("a"), Segment::Element(0), Segment::Element(12), member("b-c")]),
            ("$['a.b'][\"it's\"].ü", vec![member("a.b"), member("it's"), member("ü")]),
        ] {
            assert_eq!(Path::parse(text).unwrap(), Path(expected), "{text}");
        }
    }

    #[test]
    fn what_could_be_many_or_nothing_is_refused() {
        let long = format!("${}", ".a".repeat(17));
        for text in [
            "",
            "a",
            "a.b",
            "$.",
            "$..a",
            "$.*",
            "$[*]",
            "$[-1]",
            "$[+1]",
            "$[1:2]",
            "$[?@.a]",
            "$[]",
            "$['a",
            "$['']",
            "$[4294967296]",
            "$.a b",
            "$a",
            "$['a\\'b']",
            &long,
        ] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }
}
