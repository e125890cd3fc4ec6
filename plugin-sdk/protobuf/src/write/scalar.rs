//! Numbers, texts, bytes and enum values.

use crate::json::{put_f32, put_f64, put_i64, put_string, put_u64};
use crate::pool::Kind;
use crate::wire::Value;
use crate::{Error, base64, wire};

use super::Printer;

impl Printer<'_, '_> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "that is how the encoding reads numbers of fewer bits"
    )]
    pub(super) fn scalar(&mut self, kind: Kind, value: Value<'_>) -> Result<(), Error> {
        let quoted = |out: &mut Vec<u8>, value: i64| {
            out.push(b'"');
            put_i64(out, value);
            out.push(b'"');
        };
        let unsigned = |out: &mut Vec<u8>, value: u64| {
            out.push(b'"');
            put_u64(out, value);
            out.push(b'"');
        };
        let out = &mut *self.out;
        match (kind, value) {
            (Kind::String, Value::Bytes(bytes)) => {
                let text = std::str::from_utf8(bytes).map_err(|_| Error::value("it is not UTF-8"))?;
                put_string(out, text);
            }
            (Kind::Bytes, Value::Bytes(bytes)) => {
                out.push(b'"');
                base64::encode(out, bytes);
                out.push(b'"');
            }
            (Kind::Bool, Value::Varint(value)) => {
                out.extend_from_slice(if value == 0 { b"false" } else { b"true" });
            }
            (Kind::Int32, Value::Varint(value)) => put_i64(out, (value as i32).into()),
            (Kind::Int64, Value::Varint(value)) => quoted(out, value as i64),
            (Kind::Uint32, Value::Varint(value)) => put_u64(out, (value as u32).into()),
            (Kind::Uint64, Value::Varint(value)) => unsigned(out, value),
            (Kind::Sint32, Value::Varint(value)) => {
                let value = value as u32;
                put_i64(out, ((value >> 1) as i32 ^ -((value & 1) as i32)).into());
            }
            (Kind::Sint64, Value::Varint(value)) => quoted(out, (value >> 1) as i64 ^ -((value & 1) as i64)),
            (Kind::Fixed32, Value::Fixed32(value)) => put_u64(out, value.into()),
            (Kind::Sfixed32, Value::Fixed32(value)) => put_i64(out, (value as i32).into()),
            (Kind::Float, Value::Fixed32(value)) => put_f32(out, f32::from_bits(value)),
            (Kind::Fixed64, Value::Fixed64(value)) => unsigned(out, value),
            (Kind::Sfixed64, Value::Fixed64(value)) => quoted(out, value as i64),
            (Kind::Double, Value::Fixed64(value)) => put_f64(out, f64::from_bits(value)),
            (Kind::Enum(id), Value::Varint(value)) => {
                let (of, number) = (&self.pool[id], value as i32);
                match of.name(number) {
                    _ if of.is_null => out.extend_from_slice(b"null"),
                    Some(name) if !self.options.enum_numbers => put_string(out, name),
                    _ => put_i64(out, number.into()),
                }
            }
            _ => return Err(Error::syntax("a value is not of its field's wire type")),
        }
        Ok(())
    }
}

/// Whether a value is its kind's default.
pub(super) fn is_zero(kind: Kind, value: Value<'_>) -> bool {
    match value {
        // Of these the lower half counts.
        Value::Varint(value) if matches!(kind, Kind::Int32 | Kind::Uint32 | Kind::Sint32 | Kind::Enum(_)) => {
            value.trailing_zeros() >= u32::BITS
        }
        Value::Varint(value) | Value::Fixed64(value) => value == 0,
        Value::Fixed32(value) => value == 0,
        Value::Bytes(bytes) | Value::Group(bytes) => bytes.is_empty(),
    }
}

/// Takes the next value of a packed field.
pub(super) fn unpack<'w>(kind: Kind, packed: &mut &'w [u8]) -> Result<Value<'w>, Error> {
    let truncated = || Error::syntax("a packed field ends in the midst of a value");
    let (value, rest) = match kind.wire() {
        wire::FIXED64 => {
            let (bytes, rest) = packed.split_first_chunk().ok_or_else(truncated)?;
            (Value::Fixed64(u64::from_le_bytes(*bytes)), rest)
        }
        wire::FIXED32 => {
            let (bytes, rest) = packed.split_first_chunk().ok_or_else(truncated)?;
            (Value::Fixed32(u32::from_le_bytes(*bytes)), rest)
        }
        _ => {
            let (value, rest) = wire::varint(packed)?;
            (Value::Varint(value), rest)
        }
    };
    *packed = rest;
    Ok(value)
}
