//! Writing the strings and numbers of JSON.

use std::io::Write;

use super::plain_length;

/// Appends a string with its quotes.
pub(crate) fn put_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_length(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else { break };
        rest = after;
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            8 => b'b',
            12 => b'f',
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.push(b'"');
}

/// A member's name as it is written.
pub(crate) fn key(name: &str) -> Box<[u8]> {
    let mut key = Vec::with_capacity(name.len() + 3);
    put_string(&mut key, name);
    key.push(b':');
    key.into()
}

/// Appends the digits of a number.
pub(crate) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        let digit = (value % 10) as u8;
        digits[at] = b'0' + digit;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

pub(crate) fn put_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    put_u64(out, value.unsigned_abs());
}

/// Appends the shortest text that reads as the same number; a string where JSON has no number for it.
pub(crate) fn put_f64(out: &mut Vec<u8>, value: f64) {
    put_float(out, value, value.abs(), value);
}

/// As [`put_f64`], with as many digits as a `float` needs.
pub(crate) fn put_f32(out: &mut Vec<u8>, value: f32) {
    put_float(out, f64::from(value), f64::from(value.abs()), value);
}

fn put_float(out: &mut Vec<u8>, value: f64, size: f64, shown: impl std::fmt::Display + std::fmt::LowerExp) {
    if value.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
    } else {
        let written = if size == 0.0 || (1e-5..1e17).contains(&size) {
            write!(out, "{shown}")
        } else {
            write!(out, "{shown:e}")
        };
        written.expect("a vector takes what is written");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::Reader;

    proptest! {
        #[test]
        fn strings_read_as_they_were_written(text: String) {
            let mut out = Vec::new();
            put_string(&mut out, &text);
            prop_assert_eq!(&serde_json::from_slice::<String>(&out).unwrap(), &text);
            let mut reader = Reader::new(&out).unwrap();
            prop_assert_eq!(reader.string().unwrap(), text);
        }

        #[test]
        fn numbers_read_as_they_were_written(value: f64, single: f32, integer: i64) {
            let mut out = Vec::new();
            put_f64(&mut out, value);
            out.push(b' ');
            put_f32(&mut out, single);
            out.push(b' ');
            put_i64(&mut out, integer);
            let text = String::from_utf8(out).unwrap();
            let parts: Vec<_> = text.split(' ').collect();
            prop_assume!(value.is_finite() && single.is_finite());
            prop_assert_eq!(parts[0].parse::<f64>().unwrap(), value);
            prop_assert_eq!(parts[1].parse::<f32>().unwrap(), single);
            prop_assert_eq!(parts[2].parse::<i64>().unwrap(), integer);
            for part in parts {
                let mut reader = Reader::new(part.as_bytes()).unwrap();
                prop_assert!(reader.number().is_ok() && reader.end().is_ok(), "{}", part);
            }
        }
    }

    #[test]
    fn floats_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (1e16, "10000000000000000"),
            (1e17, "1e17"),
            (1.5e300, "1.5e300"),
            (1e-7, "1e-7"),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            let mut out = Vec::new();
            put_f64(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        let mut out = Vec::new();
        put_f32(&mut out, 0.1);
        assert_eq!(out, b"0.1");
    }
}
