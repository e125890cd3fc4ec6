//! The wire: tags, varints, and fields as they lie in a message's bytes.

use crate::Error;

/// How a field's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Integers, booleans, enums.
    Varint(u64),
    /// `fixed64`, `sfixed64`, `double`.
    Fixed64(u64),
    /// Strings, bytes, messages, packed fields.
    Bytes(&'a [u8]),
    /// The inside of a group.
    Group(&'a [u8]),
    /// `fixed32`, `sfixed32`, `float`.
    Fixed32(u32),
}

/// The fields of a message, one after the other.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

/// Groups within groups that nobody knows are skipped so deep.
const GROUP_DEPTH: usize = 100;

pub(crate) const VARINT: u32 = 0;
pub(crate) const FIXED64: u32 = 1;
pub(crate) const BYTES: u32 = 2;
pub(crate) const GROUP: u32 = 3;
const END_GROUP: u32 = 4;
pub(crate) const FIXED32: u32 = 5;

const LARGEST_NUMBER: u32 = (1 << 29) - 1;
/// In bytes: 32 bits, with no zeros before them.
const LONGEST_TAG: usize = 5;

impl<'a> Fields<'a> {
    /// The fields of a message's bytes.
    #[must_use]
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The bytes that have not been read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn field(&mut self) -> Result<(u32, Value<'a>), Error> {
        let (number, wire) = self.tag()?;
        let value = match wire {
            VARINT => Value::Varint(self.varint()?),
            FIXED64 => Value::Fixed64(u64::from_le_bytes(*self.array()?)),
            BYTES => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(truncated)?;
                self.rest = rest;
                Value::Bytes(bytes)
            }
            GROUP => Value::Group(self.group(number)?),
            FIXED32 => Value::Fixed32(u32::from_le_bytes(*self.array()?)),
            _ => return Err(Error::syntax(format!("the wire type {wire} of field {number} is none"))),
        };
        Ok((number, value))
    }

    fn tag(&mut self) -> Result<(u32, u32), Error> {
        let before = self.rest.len();
        let tag = self.varint()?;
        let tag = u32::try_from(tag).ok().filter(|_| before - self.rest.len() <= LONGEST_TAG);
        let tag = tag.ok_or_else(|| Error::syntax("a field's number is too large"))?;
        let number = tag >> 3;
        if number == 0 || number > LARGEST_NUMBER {
            return Err(Error::syntax("a field has the number 0"));
        }
        Ok((number, tag & 7))
    }

    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Error> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(truncated)?;
        self.rest = rest;
        Ok(array)
    }

    /// Skips to the group's end; what is within.
    fn group(&mut self, number: u32) -> Result<&'a [u8], Error> {
        let start = self.rest;
        let mut open = vec![number];
        loop {
            let before = self.rest;
            let (number, wire) = self.tag()?;
            match wire {
                END_GROUP => {
                    if open.pop() != Some(number) {
                        return Err(Error::syntax(format!("the group {number} ends without a beginning")));
                    }
                    if open.is_empty() {
                        return Ok(&start[..start.len() - before.len()]);
                    }
                }
                GROUP if open.len() >= GROUP_DEPTH => return Err(Error::bound("groups are nested too deep")),
                GROUP => open.push(number),
                _ => {
                    self.rest = before;
                    self.field()?;
                }
            }
        }
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Error> {
        let (value, rest) = varint(self.rest)?;
        self.rest = rest;
        Ok(value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

impl<'a> Value<'a> {
    /// The bytes, if it is of such.
    #[must_use]
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}

fn truncated() -> Error {
    Error::syntax("the message ends in the midst of a field")
}

#[inline]
pub(crate) fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), Error> {
    if let Some((&byte, rest)) = bytes.split_first()
        && byte < 0x80
    {
        return Ok((u64::from(byte), rest));
    }
    let mut value = 0;
    for (place, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            if place == 9 && byte > 1 {
                break;
            }
            return Ok((value, &bytes[place + 1..]));
        }
    }
    Err(if bytes.len() < 10 { truncated() } else { Error::syntax("a varint does not end") })
}

#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "seven bits")]
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "seven bits")]
    out.push(value as u8);
}

#[inline]
pub(crate) fn put_tag(out: &mut Vec<u8>, number: u32, wire: u32) {
    put_varint(out, u64::from(number << 3 | wire));
}

/// How many bytes the tag of a field takes.
pub(crate) fn tag_length(number: u32) -> usize {
    match number {
        0..0x10 => 1,
        0x10..0x800 => 2,
        0x800..0x4_0000 => 3,
        0x4_0000..0x200_0000 => 4,
        _ => 5,
    }
}

/// Appends a field of bytes: a string, a message.
pub fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, BYTES);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Begins what has its length before it. To be given to [`end`].
#[inline]
pub(crate) fn begin(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len()
}

/// Writes the length of what was begun. A length takes one byte mostly; if not, what was written moves.
#[inline]
pub(crate) fn end(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start;
    if length < 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "seven bits")]
        let byte = length as u8;
        out[start - 1] = byte;
        return;
    }
    let mut digits = [0; 10];
    let mut count = 0;
    let mut rest = length;
    loop {
        #[expect(clippy::cast_possible_truncation, reason = "seven bits")]
        let byte = rest as u8 & 0x7f;
        rest >>= 7;
        digits[count] = if rest == 0 { byte } else { byte | 0x80 };
        count += 1;
        if rest == 0 {
            break;
        }
    }
    out.resize(out.len() + count - 1, 0);
    out.copy_within(start..start + length, start + count - 1);
    out[start - 1..start - 1 + count].copy_from_slice(&digits[..count]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_varint_reads_as_it_was_written(value: u64) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            out.push(7);
            prop_assert_eq!(varint(&out).unwrap(), (value, &[7][..]));
        }

        #[test]
        fn a_tag_is_as_long_as_is_said(number in 1..=LARGEST_NUMBER, bits in 0_u32..29) {
            let mut out: Vec<u8> = Vec::new();
            let number = (number >> bits).max(1);
            put_tag(&mut out, number, BYTES);
            prop_assert_eq!(out.len(), tag_length(number));
        }

        #[test]
        fn any_bytes_are_fields_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Fields::new(&bytes).count();
        }

        #[test]
        fn a_length_stands_before_what_was_written(length in 0_usize..40_000) {
            let mut out = vec![9];
            let start = begin(&mut out);
            out.resize(out.len() + length, 5);
            end(&mut out, start);
            let (value, rest) = varint(&out[1..]).unwrap();
            prop_assert_eq!(value, length as u64);
            prop_assert!(rest.len() == length && rest.iter().all(|byte| *byte == 5));
        }
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        for bytes in [
            &b"\x08"[..],
            b"\x0a\x05ab",
            b"\x00\x01",
            b"\x0f",
            b"\x0c",
            b"\x0b\x08\x01",
            b"\x0b\x14",
            b"\x0d\x01\x02",
            b"\x09\x01",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ] {
            assert!(Fields::new(bytes).any(|field| field.is_err()), "{bytes:?}");
        }
    }

    #[test]
    fn a_group_is_its_inside() {
        let group = b"\x0b\x13\x18\x01\x14\x0c\x20\x01";
        let fields: Vec<_> = Fields::new(group).map(Result::unwrap).collect();
        assert_eq!(fields, [(1, Value::Group(b"\x13\x18\x01\x14")), (4, Value::Varint(1))]);
        assert!(Fields::new(&[0x0b; 1_000]).any(|field| field.is_err()));
    }
}
