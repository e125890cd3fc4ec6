//! Values of JSON one after the other, cut anywhere: lines, or the members of one list.

use sluice_sdk::prelude::*;

/// How far a stream of values has been read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scan {
    #[serde(rename = "m", default)]
    mode: Mode,
    /// In a list: a value has been there, so that a comma has to come.
    #[serde(rename = "c", default)]
    wants_comma: bool,
    /// Of the value at hand, so many bytes.
    #[serde(rename = "s", default)]
    seen: usize,
    #[serde(rename = "d", default)]
    depth: usize,
    #[serde(rename = "q", default)]
    is_string: bool,
    #[serde(rename = "e", default)]
    is_escaped: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Mode {
    #[default]
    Unknown,
    Sequence,
    List,
    /// The list is at its end.
    Over,
}

/// What comes next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// A value, between these places.
    Value(usize, usize),
    /// Nothing more is there; from this place on a value has begun, unless it is the end.
    More(usize),
    /// What is here is no stream of values.
    Wrong(&'static str),
}

impl Scan {
    /// Looks for the next value from a place on, behind which nothing comes if it is the `last` piece.
    pub(crate) fn next(&mut self, bytes: &[u8], from: usize, last: bool) -> Next {
        let mut at = from;
        if self.seen == 0 {
            at = match self.before(bytes, from) {
                Ok(at) if at == bytes.len() => {
                    let is_open = self.mode == Mode::List;
                    return if last && is_open { Next::Wrong("the list has no end") } else { Next::More(at) };
                }
                Ok(at) => at,
                Err(wrong) => return Next::Wrong(wrong),
            };
        }
        match self.value(bytes, at) {
            Some(end) => self.found(at, end),
            // A number or a name is at its end where the body is.
            None if last && self.mode != Mode::List && self.depth == 0 && !self.is_string => {
                self.found(at, bytes.len())
            }
            None if last => Next::Wrong("the body ends within a value"),
            None => Next::More(at),
        }
    }

    fn found(&mut self, start: usize, end: usize) -> Next {
        *self = Self { mode: self.mode, wants_comma: true, ..Self::default() };
        Next::Value(start, end)
    }

    /// Goes on to the beginning of a value.
    fn before(&mut self, bytes: &[u8], mut at: usize) -> Result<usize, &'static str> {
        while let Some(byte) = bytes.get(at) {
            match (byte, self.mode) {
                (b' ' | b'\n' | b'\r' | b'\t', _) => {}
                (b'[', Mode::Unknown) => self.mode = Mode::List,
                (_, Mode::Unknown) => self.mode = Mode::Sequence,
                (_, Mode::Over) => return Err("something comes behind the list"),
                (b']', Mode::List) => self.mode = Mode::Over,
                (b',', Mode::List) if self.wants_comma => self.wants_comma = false,
                (_, Mode::List) if self.wants_comma => return Err("there is no comma between two values"),
                (b',' | b']' | b'}' | b':', _) => return Err("there is no value"),
                _ => return Ok(at),
            }
            // What told the mode is the value's beginning.
            if self.mode != Mode::Sequence || matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                at += 1;
            }
        }
        Ok(at)
    }

    /// The end of the value that begins at a place.
    fn value(&mut self, bytes: &[u8], start: usize) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate().skip(start + self.seen) {
            let is_first = at == start;
            if self.is_string {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => {
                        self.is_string = false;
                        if self.depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' if self.depth == 0 && !is_first => return Some(at),
                b'"' => self.is_string = true,
                b'{' | b'[' if self.depth == 0 && !is_first => return Some(at),
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                b'}' | b']' | b',' | b' ' | b'\n' | b'\r' | b'\t' if self.depth == 0 => return Some(at),
                _ => {}
            }
        }
        self.seen = bytes.len() - start;
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The values of a text that comes in pieces of a size.
    fn values(text: &str, size: usize) -> Result<Vec<String>, &'static str> {
        let (mut scan, mut held, mut found) = (Scan::default(), Vec::new(), Vec::new());
        let pieces = text.as_bytes().chunks(size).map(|piece| (piece, false)).chain([(&b""[..], true)]);
        for (piece, last) in pieces {
            held.extend_from_slice(piece);
            let mut at = 0;
            loop {
                match scan.next(&held, at, last) {
                    Next::Value(start, end) => {
                        found.push(String::from_utf8_lossy(&held[start..end]).into_owned());
                        at = end;
                    }
                    Next::More(from) => {
                        held.drain(..from);
                        break;
                    }
                    Next::Wrong(what) => return Err(what),
                }
            }
        }
        Ok(found)
    }

    #[test]
    fn values_are_lines_or_members() {
        for (text, expected) in [
            ("", &[][..]),
            (" \n ", &[]),
            ("[]", &[]),
            (" [ ] ", &[]),
            ("{}\n{\"a\":\"}\\\"{\"}\n", &["{}", "{\"a\":\"}\\\"{\"}"]),
            ("{}{}", &["{}", "{}"]),
            ("[{\"a\":[1,2]} , {}]\n", &["{\"a\":[1,2]}", "{}"]),
            ("1 2\n\"x\" true", &["1", "2", "\"x\"", "true"]),
            ("[1,\"]\",null]", &["1", "\"]\"", "null"]),
            ("[[1],[]]", &["[1]", "[]"]),
            // As Envoy, which is lax about it.
            ("[1,2, ]", &["1", "2"]),
        ] {
            for size in [1, 2, 3, 100] {
                assert_eq!(values(text, size).unwrap(), expected, "{text} in {size}");
            }
        }
    }

    #[test]
    fn what_is_no_stream_is_wrong() {
        for text in
            ["[", "[1", "[1,", "[1 2]", "[,1]", "[1]x", "{", "\"a", "{\"a\":\"", ",", "}", "{},{}", "[1}]"]
        {
            for size in [1, 100] {
                let read = values(text, size);
                // What is between the brackets is for the parser of values to say.
                assert!(read.is_err() || text == "[1}]", "{text}: {read:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference(text in r#"[\[\]{}:," \\0-9a\n]{0,40}"#, size in 1_usize..8) {
            prop_assert_eq!(values(&text, size), values(&text, 1_000));
        }
    }
}
