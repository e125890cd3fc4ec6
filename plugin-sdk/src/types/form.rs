//! Queries as forms write them: `name=value&name=value`.

use std::borrow::Cow;

/// Names and values, decoded.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

/// The query without the pairs of this name, byte for byte otherwise; `None` if there are none.
pub(crate) fn without(query: &str, name: &str) -> Option<String> {
    let keep = |pair: &&str| decode(pair.split_once('=').map_or(*pair, |(key, _)| key)) != name;
    let kept: Vec<_> = query.split('&').filter(keep).collect();
    (kept.len() < query.split('&').count()).then(|| kept.join("&"))
}

/// Appends a pair, encoded.
pub(crate) fn push(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    encode(query, name);
    query.push('=');
    encode(query, value);
}

fn encode(into: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push('%');
            into.push(char::from(HEX[usize::from(byte >> 4)]));
            into.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => bytes.push(byte),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Vec<(String, String)> {
        pairs(query).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    }

    #[test]
    fn pairs_are_decoded() {
        let expected = [("a", "1 2"), ("b", ""), ("c", "é&="), ("d", "%zz%")];
        let expected: Vec<_> = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(read("a=1+2&b&&c=%c3%A9%26=&d=%zz%"), expected);
    }

    #[test]
    fn what_is_pushed_reads_the_same() {
        let mut query = "a=1".to_owned();
        push(&mut query, "é &", "=+%/~");
        assert_eq!(query, "a=1&%C3%A9%20%26=%3D%2B%25%2F~");
        assert_eq!(read(&query)[1], ("é &".to_owned(), "=+%/~".to_owned()));
    }

    #[test]
    fn what_is_not_removed_stays_as_it_was() {
        assert_eq!(without("a=%41&key=1&b&k%65y=2", "key").as_deref(), Some("a=%41&b"));
        assert_eq!(without("key=1", "key").as_deref(), Some(""));
        assert_eq!(without("a=1", "key"), None);
    }
}
