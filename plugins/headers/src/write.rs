//! Values as their places demand them: nothing that a client sends may become a line, a parameter or a segment of its own.

use sluice_sdk_template::{Kind, plain};

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// For a header: controls are percent-encoded, since a parameter or a claim may hold a line's end.
pub(crate) fn header(kind: Kind, value: String) -> String {
    let value = plain(kind, value);
    if !value.bytes().any(is_control) {
        return value;
    }
    let mut written = String::with_capacity(value.len() + 8);
    for character in value.chars() {
        match u8::try_from(character) {
            Ok(byte) if is_control(byte) => encode_byte(&mut written, byte),
            _ => written.push(character),
        }
    }
    written
}

fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

/// For a path: a text becomes one segment, whatever is in it; what comes from the path stays as it was encoded there.
pub(crate) fn path(kind: Kind, value: String) -> String {
    match kind {
        Kind::Path => value,
        Kind::Segment => segment(&value, true),
        Kind::Text => segment(&value, false),
    }
}

/// One segment (RFC 3986 section 3.3). With `keep`, what is percent-encoded stays so.
fn segment(text: &str, keep: bool) -> String {
    let mut written = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        let is_encoded = || {
            let digits = text.as_bytes().get(at + 1..at + 3);
            byte == b'%' && digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) || (keep && is_encoded()) {
            written.push(char::from(byte));
        } else {
            encode_byte(&mut written, byte);
        }
    }
    written
}

/// For a name or value of the query.
pub(crate) fn query(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            written.push(char::from(byte));
        } else {
            encode_byte(&mut written, byte);
        }
    }
    written
}

fn encode_byte(into: &mut String, byte: u8) {
    into.push('%');
    into.push(char::from(HEX[usize::from(byte >> 4)]));
    into.push(char::from(HEX[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_encoding() {
        let hostile = || "a/b?c&d=e#f%2F\r\nx: é".to_owned();
        assert_eq!(header(Kind::Text, hostile()), "a/b?c&d=e#f%2F%0D%0Ax: é");
        assert_eq!(header(Kind::Segment, "%0d%0ax".to_owned()), "%0D%0Ax");
        assert_eq!(path(Kind::Text, hostile()), "a%2Fb%3Fc&d=e%23f%252F%0D%0Ax:%20%C3%A9");
        assert_eq!(path(Kind::Segment, "a%2Fb/%zz".to_owned()), "a%2Fb%2F%25zz");
        assert_eq!(query(&hostile()), "a%2Fb%3Fc%26d%3De%23f%252F%0D%0Ax%3A%20%C3%A9");
    }
}
