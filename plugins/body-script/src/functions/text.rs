//! Escapes of texts: HTML, percent and Base64.

use data_encoding::{BASE64, BASE64_NOPAD};
use jaq_core::native::{Fun, bome, run, v};

use super::Data;
use crate::value::{Error, Val, ValR, fail};

pub(super) fn natives() -> [Fun<Data>; 5] {
    [
        run(("escape_html", v(0), |cv| bome(with(&cv.1, |text| Ok(html(text)))))),
        run(("encode_uri", v(0), |cv| bome(with(&cv.1, |text| Ok(encode_uri(text)))))),
        run(("decode_uri", v(0), |cv| bome(with(&cv.1, decode_uri)))),
        run(("encode_base64", v(0), |cv| bome(with(&cv.1, |text| Ok(BASE64.encode(text.as_bytes())))))),
        run(("decode_base64", v(0), |cv| bome(with(&cv.1, decode_base64)))),
    ]
}

fn with(value: &Val, f: impl FnOnce(&str) -> Result<String, Error>) -> ValR {
    match value {
        Val::Str(text) => f(text).map(Val::from),
        other => fail(format_args!("{} is not a string", other.shown())),
    }
}

fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\'' => escaped.push_str("&apos;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// All but the unreserved characters of RFC 3986.
fn encode_uri(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for digit in [byte >> 4, byte & 15] {
                encoded.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    encoded
}

fn decode_uri(text: &str) -> Result<String, Error> {
    let wrong = || Error::str(format_args!("{} is not a valid uri encoding", Val::from(text).shown()));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2).ok_or_else(wrong)?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (Some(high), Some(low)) = (digit(digits[0]), digit(digits[1])) else { return Err(wrong()) };
        bytes.push(u8::try_from(high << 4 | low).map_err(|_| wrong())?);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// With its padding or without. What is no UTF-8 then has replacement characters, as in jq.
fn decode_base64(text: &str) -> Result<String, Error> {
    let plain = text.trim_end_matches('=');
    let wrong = || Error::str(format_args!("{} is not valid base64 data", Val::from(text).shown()));
    // Bits that are left over say nothing, and are not looked at.
    let mut encoding = BASE64_NOPAD.specification();
    encoding.check_trailing_bits = false;
    let encoding = encoding.encoding().map_err(Error::str)?;
    let bytes = encoding.decode(plain.as_bytes()).map_err(|_| wrong())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
