//! Well-known types, whose JSON is particular.

use crate::json::put_string;
use crate::pool::{Known, MessageId};
use crate::time::Time;
use crate::wire::{Fields, Value};
use crate::{Error, UnknownAny, base64};

use super::Printer;

impl<'w> Printer<'_, 'w> {
    pub(super) fn known(&mut self, known: Known, id: MessageId, bytes: &'w [u8]) -> Result<(), Error> {
        match known {
            Known::Any => self.any(bytes),
            Known::Timestamp => {
                let is_one = time(bytes)?.put_timestamp(self.out);
                if is_one { Ok(()) } else { Err(Error::value("the timestamp is out of range")) }
            }
            Known::Duration => {
                let is_one = time(bytes)?.put_duration(self.out);
                if is_one { Ok(()) } else { Err(Error::value("the duration is out of range")) }
            }
            Known::FieldMask => self.field_mask(bytes),
            Known::Value => self.json_value(id, bytes),
            // They are the one field that they have.
            Known::Struct | Known::ListValue | Known::Wrapper => {
                let message = &self.pool[id];
                if message.fields.is_empty() {
                    return Err(Error::value("the type is not the well-known one"));
                }
                let start = self.noted.len();
                self.only(message, 0, bytes)?;
                self.noted.truncate(start);
                Ok(())
            }
            Known::Plain | Known::HttpBody => self.members(&self.pool[id], bytes, true),
        }
    }

    fn any(&mut self, bytes: &'w [u8]) -> Result<(), Error> {
        let (mut url, mut value) = ("", &b""[..]);
        for field in Fields::new(bytes) {
            match field? {
                (1, found @ Value::Bytes(_)) => {
                    url = found.text().ok_or_else(|| Error::value("the type of an `Any` is not UTF-8"))?;
                }
                (2, Value::Bytes(found)) => value = found,
                _ => {}
            }
        }
        if url.is_empty() && value.is_empty() {
            self.out.extend_from_slice(b"{}");
            return Ok(());
        }
        self.out.extend_from_slice(br#"{"@type":"#);
        put_string(self.out, url);
        let name = url.rsplit_once('/').map_or(url, |(_, name)| name);
        let pool = self.pool;
        match pool.message(name) {
            Some(id) if pool[id].known.is_particular() => {
                self.out.extend_from_slice(br#","value":"#);
                self.message(id, value)?;
            }
            Some(id) => {
                // The members stand in this object, which is one level.
                self.members(&pool[id], value, false)?;
            }
            None if self.options.unknown_any == UnknownAny::Base64 => {
                self.out.extend_from_slice(br#","value":""#);
                base64::encode(self.out, value);
                self.out.push(b'"');
            }
            None => {
                let name = crate::error::shown(name);
                return Err(Error::value(format!("there is no message type `{name}`")));
            }
        }
        self.out.push(b'}');
        Ok(())
    }

    fn field_mask(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.push(b'"');
        let mut first = true;
        for field in Fields::new(bytes) {
            let (1, value @ Value::Bytes(_)) = field? else { continue };
            let path = value.text().ok_or_else(|| Error::value("it is not UTF-8"))?;
            if !first {
                self.out.push(b',');
            }
            first = false;
            let mut raise = false;
            for letter in path.bytes() {
                match letter {
                    b'_' if !raise => raise = true,
                    b'a'..=b'z' if raise => {
                        self.out.push(letter.to_ascii_uppercase());
                        raise = false;
                    }
                    b'a'..=b'z' | b'0'..=b'9' | b'.' if !raise => self.out.push(letter),
                    _ => return Err(Error::value("a path of the field mask has no camel case")),
                }
            }
            if raise {
                return Err(Error::value("a path of the field mask has no camel case"));
            }
        }
        self.out.push(b'"');
        Ok(())
    }

    /// A `Value`: whichever of its members comes last.
    fn json_value(&mut self, id: MessageId, bytes: &'w [u8]) -> Result<(), Error> {
        let pool = self.pool;
        let message = &pool[id];
        let start = self.note(message, bytes)?;
        let Some(first) = self.noted.get(start).copied() else {
            self.out.extend_from_slice(b"null");
            return Ok(());
        };
        if let Value::Fixed64(number) = first.value
            && !f64::from_bits(number).is_finite()
        {
            return Err(Error::value("a `Value` cannot be infinite or no number"));
        }
        let end = self.noted.len();
        self.values(&message.fields[usize::from(first.place)], start, end)?;
        self.noted.truncate(start);
        Ok(())
    }
}

/// Seconds and nanoseconds, as timestamps and durations have them.
fn time(bytes: &[u8]) -> Result<Time, Error> {
    let mut time = Time::default();
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Varint(seconds)) => time.seconds = seconds.cast_signed(),
            #[expect(clippy::cast_possible_truncation, reason = "that is how the encoding reads 32 bits")]
            (2, Value::Varint(nanos)) => time.nanos = nanos.cast_signed() as i32,
            _ => {}
        }
    }
    Ok(time)
}
