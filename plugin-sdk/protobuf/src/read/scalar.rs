//! Values that are no messages.

use crate::json::{Reader, Token};
use crate::pool::{EnumId, Kind};
use crate::{Error, base64, wire};

use super::Parser;

impl Parser<'_, '_> {
    /// A value without its tag. `false` if it is to be ignored, and nothing was written.
    pub(super) fn scalar(&mut self, kind: Kind, out: &mut Vec<u8>) -> Result<bool, Error> {
        let token = self.json.peek()?;
        match (kind, token) {
            (Kind::String, Token::String) => {
                let text = self.json.string()?;
                wire::put_varint(out, text.len() as u64);
                out.extend_from_slice(text.as_bytes());
            }
            (Kind::Bytes, Token::String) => put_base64(&self.json.string()?, out)?,
            (Kind::Bool, Token::Bool) => {
                let value = self.json.bool()?;
                out.push(u8::from(value));
            }
            (Kind::Enum(id), _) => return self.enumeration(id, token, out),
            (Kind::String | Kind::Bytes, _) => return Err(wrong(token, "a string")),
            (Kind::Bool, _) => return Err(wrong(token, "a boolean")),
            (kind, Token::Number) => put_number(kind, self.json.number()?, out)?,
            (kind, Token::String) => put_number(kind, &self.json.string()?, out)?,
            _ => return Err(wrong(token, "a number")),
        }
        Ok(true)
    }

    fn enumeration(&mut self, id: EnumId, token: Token, out: &mut Vec<u8>) -> Result<bool, Error> {
        let pool = self.pool;
        let of = &pool[id];
        match token {
            Token::String => {
                let name = self.json.string()?;
                let any_case = self.options.enums_in_any_case;
                let number =
                    of.number(&name).or_else(|| if any_case { of.number_in_any_case(&name) } else { None });
                match number {
                    Some(number) => put_int(out, number.into()),
                    None if self.options.ignore_unknown => return Ok(false),
                    None => return Err(Error::value(format!("`{}` has no such value", of.name))),
                }
            }
            Token::Number => put_number(Kind::Int32, self.json.number()?, out)?,
            Token::Null if of.is_null => {
                self.json.null()?;
                out.push(0);
            }
            _ => return Err(wrong(token, "the name of an enum value")),
        }
        Ok(true)
    }
}

fn wrong(token: Token, wanted: &str) -> Error {
    Error::value(format!("it is {}, not {wanted}", token.described()))
}

#[expect(clippy::cast_sign_loss, reason = "negative numbers are written as their 64 bits")]
fn put_int(out: &mut Vec<u8>, value: i64) {
    wire::put_varint(out, value as u64);
}

pub(crate) fn put_base64(text: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    let start = wire::begin(out);
    if !base64::decode(out, text) {
        return Err(Error::value("it is not base64"));
    }
    wire::end(out, start);
    Ok(())
}

/// A number from its text, without its tag.
#[expect(clippy::cast_sign_loss, reason = "zigzag, and two's complement")]
pub(crate) fn put_number(kind: Kind, text: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    match kind {
        Kind::Double => out.extend_from_slice(&double(text)?.to_le_bytes()),
        Kind::Float => out.extend_from_slice(&float(text)?.to_le_bytes()),
        Kind::Int32 | Kind::Enum(_) => put_int(out, integer::<i32>(text)?.into()),
        Kind::Int64 => put_int(out, integer(text)?),
        Kind::Uint32 => wire::put_varint(out, integer::<u32>(text)?.into()),
        Kind::Uint64 => wire::put_varint(out, integer(text)?),
        Kind::Sint32 => {
            let value: i32 = integer(text)?;
            wire::put_varint(out, u64::from((value << 1 ^ value >> 31) as u32));
        }
        Kind::Sint64 => {
            let value: i64 = integer(text)?;
            wire::put_varint(out, (value << 1 ^ value >> 63) as u64);
        }
        Kind::Fixed32 => out.extend_from_slice(&integer::<u32>(text)?.to_le_bytes()),
        Kind::Sfixed32 => out.extend_from_slice(&integer::<i32>(text)?.to_le_bytes()),
        Kind::Fixed64 => out.extend_from_slice(&integer::<u64>(text)?.to_le_bytes()),
        Kind::Sfixed64 => out.extend_from_slice(&integer::<i64>(text)?.to_le_bytes()),
        Kind::Bool | Kind::String | Kind::Bytes | Kind::Message(_) | Kind::Group(_) => {
            return Err(Error::value("it is no number"));
        }
    }
    Ok(())
}

/// An integer of this many bits. `1.0` and `1e2` are such too.
fn integer<T: TryFrom<i128>>(text: &str) -> Result<T, Error> {
    let value = digits(text).or_else(|| exact(text));
    let value = value.ok_or_else(|| Error::value("it is no integer"))?;
    T::try_from(value).map_err(|_| Error::value("it is out of range"))
}

/// Digits alone, as most integers are.
fn digits(text: &str) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let is_plain = match digits.as_bytes() {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.len() < 20 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !is_plain {
        return None;
    }
    let value = digits.bytes().fold(0, |value: i128, digit| value * 10 + i128::from(digit - b'0'));
    Some(if negative { -value } else { value })
}

/// A number with a fraction or an exponent that is an integer nevertheless.
fn exact(text: &str) -> Option<i128> {
    if !is_number(text) {
        return None;
    }
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    let significant = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let exponent: i64 = exponent.parse().unwrap_or(if exponent.starts_with('-') { -1_000 } else { 1_000 });
    let exponent = exponent.checked_add(zeros)?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let exponent = u32::try_from(exponent).ok()?;
    if significant.len() as u64 + u64::from(exponent) > 30 {
        // An integer, but one that no field can hold.
        return Some(i128::MAX);
    }
    let value: i128 = significant.parse().ok()?;
    let value = value.checked_mul(10_i128.checked_pow(exponent)?)?;
    Some(if negative { -value } else { value })
}

/// Whether a text is a number as JSON writes it.
fn is_number(text: &str) -> bool {
    Reader::new(text.as_bytes()).is_ok_and(|mut reader| reader.number().is_ok_and(|number| number == text))
}

fn double(text: &str) -> Result<f64, Error> {
    if !is_number(text) {
        return unusual(text).ok_or_else(|| Error::value("it is no number"));
    }
    let value: f64 = text.parse().map_err(|_| Error::value("it is no number"))?;
    if value.is_infinite() { Err(Error::value("it is out of range")) } else { Ok(value) }
}

fn float(text: &str) -> Result<f32, Error> {
    if !is_number(text) {
        #[expect(clippy::cast_possible_truncation, reason = "no number, or one without an end")]
        return unusual(text).map(|value| value as f32).ok_or_else(|| Error::value("it is no number"));
    }
    let value: f32 = text.parse().map_err(|_| Error::value("it is no number"))?;
    if value.is_infinite() { Err(Error::value("it is out of range")) } else { Ok(value) }
}

/// Numbers that JSON does not have.
fn unusual(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}
