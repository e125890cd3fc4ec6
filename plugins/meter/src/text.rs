//! A JSON string as it comes, piece by piece.

use serde::{Deserialize, Serialize};

/// The longest text that is kept, in bytes: that of what a meter has seen.
pub(crate) const MAX_TEXT: usize = 1024;

/// A string or another scalar that is being read. Beyond the limit it is only passed over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Text {
    #[serde(rename = "b", default, skip_serializing_if = "Vec::is_empty")]
    bytes: Vec<u8>,
    #[serde(rename = "e", default, skip_serializing_if = "Escape::is_none")]
    escape: Escape,
    /// The first half of a surrogate pair, whose second half is to come.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    high: Option<u16>,
    #[serde(rename = "l", default, skip_serializing_if = "std::ops::Not::not")]
    too_long: bool,
}

/// How far an escape sequence has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Escape {
    #[default]
    None,
    /// Behind the backslash.
    Begun,
    /// Behind `\u`: so many digits, of this value.
    Digits(u8, u16),
}

impl Escape {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// What came of a piece of a string.
pub(crate) enum Read {
    /// It goes on.
    All,
    /// Its quote is so many bytes into the piece.
    End(usize),
    /// It is no JSON.
    Malformed,
}

impl Text {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        (self.escape, self.high, self.too_long) = (Escape::None, None, false);
    }

    /// Bytes that mean themselves.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.too_long || self.bytes.len() + bytes.len() > MAX_TEXT {
            self.too_long = true;
            self.bytes.clear();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn push_char(&mut self, character: char) {
        self.push(character.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// Reads up to the closing quote.
    pub(crate) fn read(&mut self, piece: &[u8]) -> Read {
        let mut at = 0;
        while let Some(&byte) = piece.get(at) {
            match self.escape {
                Escape::None => {
                    let rest = &piece[at..];
                    let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'));
                    let (plain, stop) = rest.split_at(plain.unwrap_or(rest.len()));
                    if !plain.is_empty() {
                        self.lone();
                        self.push(plain);
                    }
                    at += plain.len();
                    match stop.first() {
                        Some(b'"') => {
                            self.lone();
                            return Read::End(at);
                        }
                        Some(_) => (self.escape, at) = (Escape::Begun, at + 1),
                        None => {}
                    }
                    continue;
                }
                Escape::Begun if byte == b'u' => self.escape = Escape::Digits(0, 0),
                Escape::Begun => match escaped(byte) {
                    Some(character) => {
                        self.lone();
                        self.push(&[character]);
                        self.escape = Escape::None;
                    }
                    None => return Read::Malformed,
                },
                Escape::Digits(count, value) => {
                    let Some(digit) = char::from(byte).to_digit(16) else { return Read::Malformed };
                    let value = value << 4 | u16::try_from(digit).unwrap_or_default();
                    self.escape = Escape::Digits(count + 1, value);
                    if count == 3 {
                        self.escape = Escape::None;
                        self.unit(value);
                    }
                }
            }
            at += 1;
        }
        Read::All
    }

    /// One unit of UTF-16.
    fn unit(&mut self, unit: u16) {
        match (self.high.take(), unit) {
            (None, 0xd800..=0xdbff) => self.high = Some(unit),
            (Some(high), 0xdc00..=0xdfff) => {
                let mut decoded = char::decode_utf16([high, unit]);
                let character = decoded.next().and_then(Result::ok);
                self.push_char(character.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            (Some(_), _) => {
                self.push_char(char::REPLACEMENT_CHARACTER);
                self.unit(unit);
            }
            (None, _) => {
                self.push_char(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
    }

    /// A first half without a second one.
    fn lone(&mut self) {
        if self.high.take().is_some() {
            self.push_char(char::REPLACEMENT_CHARACTER);
        }
    }

    /// What was read; `None` if it is too long or no UTF-8.
    pub(crate) fn get(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok().filter(|_| !self.too_long)
    }

    /// Whether it is this name.
    pub(crate) fn is(&self, name: &str) -> bool {
        !self.too_long && self.bytes == name.as_bytes()
    }
}

fn escaped(byte: u8) -> Option<u8> {
    Some(match byte {
        b'"' | b'\\' | b'/' => byte,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(literal: &str, cut: usize) -> Option<String> {
        let bytes = &literal.as_bytes()[1..];
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        let mut text = Text::default();
        match text.read(first) {
            Read::End(_) => return text.get().map(str::to_owned),
            Read::Malformed => return None,
            Read::All => {}
        }
        // As between two chunks.
        let mut text: Text = serde_json::from_str(&serde_json::to_string(&text).unwrap()).unwrap();
        match text.read(second) {
            Read::End(_) => text.get().map(str::to_owned),
            _ => None,
        }
    }

    #[test]
    fn escapes_are_read_wherever_they_are_cut() {
        for literal in [
            r#""plain""#,
            r#""\"\\\/\b\f\n\r\t""#,
            r#""\u0041\u00e9\u20ac\u0000""#,
            r#""\ud83d\ude00 and 😀 and é""#,
        ] {
            let expected: String = serde_json::from_str(literal).unwrap();
            for cut in 0..literal.len() {
                assert_eq!(read(literal, cut).as_deref(), Some(&*expected), "{literal} at {cut}");
            }
        }
    }

    #[test]
    fn halves_of_pairs_are_replaced_and_nonsense_is_none() {
        for (literal, expected) in [
            (r#""\ud83d""#, Some("\u{fffd}")),
            (r#""\ud83dx""#, Some("\u{fffd}x")),
            (r#""\ud83d\n""#, Some("\u{fffd}\n")),
            (r#""\ud83d\ud83d\ude00""#, Some("\u{fffd}😀")),
            (r#""\ude00""#, Some("\u{fffd}")),
            (r#""\x""#, None),
            (r#""\u00g0""#, None),
        ] {
            for cut in 0..literal.len() {
                assert_eq!(read(literal, cut).as_deref(), expected, "{literal} at {cut}");
            }
        }
    }

    #[test]
    fn a_long_text_is_passed_over() {
        let literal = format!("\"{}\"", "a".repeat(MAX_TEXT));
        assert_eq!(read(&literal, 7).map(|text| text.len()), Some(MAX_TEXT));
        let mut text = Text::default();
        assert!(matches!(text.read(&[b'a'; MAX_TEXT + 1]), Read::All));
        assert!(matches!(text.read(b"b\"rest"), Read::End(1)));
        assert!(text.get().is_none() && !text.is("b") && text.bytes.is_empty());
    }
}
