//! As much of Protobuf's binary format as two messages without groups need.

/// A field's value. Numbers of fixed width are passed over: neither message has any.
pub(crate) enum Field<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Other,
}

/// Takes the first field off: its number and value. None if it is none.
pub(crate) fn take_field<'a>(input: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let key = take_varint(input)?;
    let field = match key & 7 {
        0 => Field::Varint(take_varint(input)?),
        1 => take(input, 8).map(|_| Field::Other)?,
        2 => {
            let length = usize::try_from(take_varint(input)?).ok()?;
            Field::Bytes(take(input, length)?)
        }
        5 => take(input, 4).map(|_| Field::Other)?,
        _ => return None,
    };
    (key >> 3 != 0).then_some((key >> 3, field))
}

fn take<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(taken)
}

fn take_varint(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        // Of the tenth byte one bit counts.
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

pub(crate) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f | 0x80).unwrap_or_default());
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or_default());
}

/// Adds a field of bytes, unless it is empty.
pub(crate) fn push_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    if !bytes.is_empty() {
        push_field(out, number, bytes);
    }
}

/// Adds a field of bytes, also if it is empty.
pub(crate) fn push_field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    push_varint(out, number << 3 | 2);
    push_varint(out, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    out.extend(bytes);
}
