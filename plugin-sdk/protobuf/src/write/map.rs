//! Maps: entries with a key and a value.

use std::collections::HashMap;

use crate::Error;
use crate::pool::{Field, Kind};
use crate::wire::{Fields, Value};

use super::{Printer, fits, inside};

/// So many keys are compared each with each.
const FEW: usize = 12;

/// The key of a map's entry.
#[derive(PartialEq, Eq, Hash)]
enum Key<'w> {
    Text(&'w [u8]),
    Number(u64),
}

impl<'w> Printer<'_, 'w> {
    pub(super) fn map(&mut self, field: &Field, from: usize, to: usize) -> Result<(), Error> {
        let pool = self.pool;
        let Some((key_field, value_field)) = pool.map_entry(field) else { return Ok(()) };
        // Of entries with the same key the last counts.
        let keys = (from..to).map(|at| key(key_field, self.noted[at].value));
        let keys = if to - from > 1 { keys.collect::<Result<Vec<_>, _>>()? } else { Vec::new() };
        let last: HashMap<_, _> =
            if keys.len() > FEW { keys.iter().zip(0..).collect() } else { HashMap::new() };
        self.out.push(b'{');
        let mut first = true;
        for at in from..to {
            let entry = self.noted[at].value;
            let is_last = match keys.get(at - from) {
                None => true,
                Some(key) if keys.len() > FEW => last.get(key) == Some(&(at - from)),
                Some(key) => !keys[at - from + 1..].contains(key),
            };
            if !is_last {
                continue;
            }
            if !first {
                self.out.push(b',');
            }
            first = false;
            self.entry(key_field, value_field, inside(entry).unwrap_or_default())?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn entry(&mut self, key_field: &Field, value_field: &Field, entry: &'w [u8]) -> Result<(), Error> {
        let (mut key, mut value) = (None, None);
        for field in Fields::new(entry) {
            match field? {
                (1, found) if fits(key_field, found) => key = Some(found),
                (2, found) if fits(value_field, found) => value = Some(found),
                _ => {}
            }
        }
        let key_start = self.out.len();
        match key_field.kind {
            Kind::String => self.scalar(Kind::String, key.unwrap_or(Value::Bytes(b"")))?,
            kind => {
                // Numbers of 64 bits have their quotes already.
                let is_quoted = matches!(
                    kind,
                    Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64
                );
                if !is_quoted {
                    self.out.push(b'"');
                }
                match key {
                    Some(key) => self.scalar(kind, key)?,
                    None => self.default(key_field),
                }
                if !is_quoted {
                    self.out.push(b'"');
                }
            }
        }
        let key_end = self.out.len();
        self.out.push(b':');
        let written = match (value, value_field.kind) {
            (Some(value), kind) => self.value(kind, value),
            (None, Kind::Message(id) | Kind::Group(id)) => self.message(id, b""),
            (None, _) => {
                self.default(value_field);
                Ok(())
            }
        };
        written.map_err(|error| {
            let key = String::from_utf8_lossy(&self.out[key_start..key_end]);
            error.within(key.trim_matches('"'))
        })
    }
}

fn key<'w>(key_field: &Field, entry: Value<'w>) -> Result<Key<'w>, Error> {
    let mut key = if key_field.kind == Kind::String { Key::Text(&b""[..]) } else { Key::Number(0) };
    for field in Fields::new(inside(entry).unwrap_or_default()) {
        match field? {
            (1, Value::Bytes(bytes)) => key = Key::Text(bytes),
            (1, Value::Varint(value) | Value::Fixed64(value)) => key = Key::Number(value),
            (1, Value::Fixed32(value)) => key = Key::Number(value.into()),
            _ => {}
        }
    }
    Ok(key)
}
