//! Percent-encoding in paths and queries.

use std::borrow::Cow;

/// Undoes it but for what `keep` holds. `None` if an escape is none, or what comes of it is not UTF-8.
pub(crate) fn decode(text: &str, keep: impl Fn(u8) -> bool) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = tail.split_first_chunk::<2>()?;
        let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
        let value = u8::try_from(high? << 4 | low?).ok()?;
        if keep(value) {
            bytes.push(b'%');
            bytes.extend_from_slice(digits);
        } else {
            bytes.push(value);
        }
        rest = after;
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// A name or a value of a query.
pub(crate) fn decode_form(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('+') {
        return decode(text, |_| false);
    }
    decode(&text.replace('+', " "), |_| false).map(|text| Cow::Owned(text.into_owned()))
}

/// RFC 6570 section 1.5.
pub(crate) fn is_reserved(byte: u8) -> bool {
    b":/?#[]@!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        for (text, all, slash, reserved) in [
            ("a%20b", Some("a b"), Some("a b"), Some("a b")),
            ("a%2Fb%2f", Some("a/b/"), Some("a%2Fb%2f"), Some("a%2Fb%2f")),
            ("%3A%c3%a9", Some(":é"), Some(":é"), Some("%3Aé")),
            ("a+b", Some("a+b"), Some("a+b"), Some("a+b")),
            ("%", None, None, None),
            ("%2", None, None, None),
            ("%zz", None, None, None),
            ("%ff", None, None, None),
        ] {
            assert_eq!(decode(text, |_| false).as_deref(), all, "{text}");
            assert_eq!(decode(text, |byte| byte == b'/').as_deref(), slash, "{text}");
            assert_eq!(decode(text, is_reserved).as_deref(), reserved, "{text}");
        }
        assert_eq!(decode_form("a+b%2B").as_deref(), Some("a b+"));
    }
}
