//! Base64 (RFC 4648), read as JSON has it: either alphabet, with or without padding.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const NONE: u8 = 0xff;

const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut at = 0;
    while at < 64 {
        #[expect(clippy::cast_possible_truncation, reason = "less than 64")]
        let value = at as u8;
        values[ALPHABET[at] as usize] = value;
        at += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
};

/// Appends the text of the bytes, padded.
pub(crate) fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let [first, second, third] = [0, 1, 2].map(|at| group.get(at).copied().unwrap_or_default());
        let digits =
            [first >> 2, (first & 3) << 4 | second >> 4, (second & 15) << 2 | third >> 6, third & 63];
        let mut text = digits.map(|digit| ALPHABET[usize::from(digit)]);
        text[group.len() + 1..].fill(b'=');
        out.extend_from_slice(&text);
    }
}

/// Appends the bytes of a text; whether it is one.
pub(crate) fn decode(out: &mut Vec<u8>, text: &str) -> bool {
    let text = text.as_bytes();
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let digits = &text[..text.len() - padding];
    if padding > 0 && (padding > 2 || !text.len().is_multiple_of(4)) || digits.len() % 4 == 1 {
        return false;
    }
    out.reserve(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let values = [0, 1, 2, 3].map(|at| group.get(at).map_or(0, |digit| VALUES[usize::from(*digit)]));
        if values.contains(&NONE) {
            return false;
        }
        let [a, b, c, d] = values;
        let bytes = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
        out.extend_from_slice(&bytes[..group.len() - 1]);
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_read_as_they_were_written(bytes: Vec<u8>) {
            let mut text = Vec::new();
            encode(&mut text, &bytes);
            let text = String::from_utf8(text).unwrap();
            for text in [text.clone(), text.replace('=', ""), text.replace('+', "-").replace('/', "_")] {
                let mut out = Vec::new();
                prop_assert!(decode(&mut out, &text));
                prop_assert_eq!(&out, &bytes);
            }
        }
    }

    #[test]
    fn the_rfcs_vectors() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            let mut out = Vec::new();
            encode(&mut out, bytes.as_bytes());
            assert_eq!(out, text.as_bytes());
        }
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in ["Z", "Zg=", "Z===", "Zm9v=", "Zm 9v", "Zg==Zg==", "é", "Zm9v!"] {
            assert!(!decode(&mut Vec::new(), text), "{text}");
        }
    }
}
