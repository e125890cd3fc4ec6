//! The coding of `grpc-message`: UTF-8, percent-encoded but for space and what is printable in ASCII.

use std::fmt::Write as _;

/// The text as the header has it.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The text that the header means. What is no coding stays as it is, what is no UTF-8 becomes `U+FFFD`: a message is never lost.
#[must_use]
pub fn decode(value: &[u8]) -> String {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.split_first_chunk().filter(|_| byte == b'%');
        let decoded = digits.and_then(|([high, low], after)| Some((hex(*high)? << 4 | hex(*low)?, after)));
        let (byte, after) = decoded.unwrap_or((byte, after));
        out.push(byte);
        rest = after;
    }
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_must_is_encoded() {
        assert_eq!(encode("100% – né\r\n~ "), "100%25 %E2%80%93 n%C3%A9%0D%0A~ ");
        for (value, text) in [
            ("a%20b", "a b"),
            ("%e2%82%ac", "€"),
            ("100%", "100%"),
            ("%2", "%2"),
            ("%zz%41", "%zzA"),
            ("%+1", "%+1"),
            ("%ff!", "\u{fffd}!"),
            ("", ""),
        ] {
            assert_eq!(decode(value.as_bytes()), text, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>()) {
            let encoded = encode(&text);
            prop_assert!(encoded.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(decode(encoded.as_bytes()), text);
        }

        #[test]
        fn any_value_is_taken(value in any::<Vec<u8>>()) {
            prop_assert!(decode(&value).chars().count() <= value.len());
        }
    }
}
