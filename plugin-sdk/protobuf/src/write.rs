//! The wire to proto3 JSON, written as it is read.
//!
//! Fields may lie in any order, twice, or in pieces. The places of a message's fields are noted first, which skips over what lies
//! within them, and sorted if need be; then each is written.

mod known;
mod map;
mod scalar;

use std::collections::HashMap;

use crate::pool::{Cardinality, Field, Kind, Known, Message, MessageId, Pool};
use crate::text::FieldPath;
use crate::wire::{Fields, Value};
use crate::{Error, MAX_DEPTH, WriteOptions, wire};

use scalar::{is_zero, unpack};

/// A message that is written.
struct Printer<'a, 'w> {
    pool: &'a Pool,
    options: WriteOptions,
    out: &'a mut Vec<u8>,
    /// Where the fields of the messages lie that are being written, the innermost's last.
    noted: Vec<Noted<'w>>,
    depth: usize,
}

#[derive(Clone, Copy)]
struct Noted<'w> {
    place: u16,
    value: Value<'w>,
}

/// Fields within each other that are noted at one time, at 24 bytes each.
const MOST: usize = 200_000;

impl Pool {
    /// Appends a message in JSON.
    pub fn to_json(
        &self,
        message: MessageId,
        wire: &[u8],
        options: &WriteOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        Printer::new(self, *options, out, 0).message(message, wire)
    }

    /// Appends what one field of a message has, in JSON: of an unset one its default value, which is `null` for a message.
    pub fn field_to_json(
        &self,
        path: &FieldPath,
        wire: &[u8],
        options: &WriteOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let mut printer = Printer::new(self, *options, out, 0);
        let Some((last, around)) = path.steps().split_last() else { return Ok(()) };
        let mut within = std::borrow::Cow::Borrowed(wire);
        for step in around {
            within = collect(&within, step.field(self).number)?.into();
        }
        printer.only(&self[last.message], usize::from(last.place), &within)
    }
}

/// What all occurrences of a message have, which is what merging them gives.
pub(crate) fn collect(message: &[u8], wanted: u32) -> Result<Vec<u8>, Error> {
    let mut merged = Vec::new();
    for field in Fields::new(message) {
        match field? {
            (number, Value::Bytes(bytes) | Value::Group(bytes)) if number == wanted => {
                merged.extend_from_slice(bytes);
            }
            _ => {}
        }
    }
    Ok(merged)
}

impl<'a, 'w> Printer<'a, 'w> {
    fn new(pool: &'a Pool, options: WriteOptions, out: &'a mut Vec<u8>, depth: usize) -> Self {
        Self { pool, options, out, noted: Vec::new(), depth }
    }

    fn message(&mut self, id: MessageId, bytes: &'w [u8]) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::bound(format!("messages are nested deeper than {MAX_DEPTH}")));
        }
        let pool = self.pool;
        let message = &pool[id];
        match message.known {
            Known::Plain | Known::HttpBody => {
                self.out.push(b'{');
                self.members(message, bytes, true)?;
                self.out.push(b'}');
            }
            known => self.known(known, id, bytes)?,
        }
        self.depth -= 1;
        Ok(())
    }

    /// Notes where a message's fields lie, those of lower numbers first. Where they begin.
    fn note(&mut self, message: &Message, bytes: &'w [u8]) -> Result<usize, Error> {
        let start = self.noted.len();
        let (mut last, mut is_sorted) = (0, true);
        let (mut member, mut is_contested) = (None, false);
        for field in Fields::new(bytes) {
            let (number, value) = field?;
            let Some(place) = message.place(number) else { continue };
            let field = &message.fields[place];
            if !fits(field, value) {
                continue;
            }
            is_sorted &= place >= last;
            last = place;
            if field.oneof.is_some() {
                is_contested |= member.is_some_and(|member| member != place);
                member = Some(place);
            }
            if self.noted.len() == MOST {
                return Err(Error::bound(format!("there are more than {MOST} fields")));
            }
            #[expect(clippy::cast_possible_truncation, reason = "a message has fewer fields")]
            self.noted.push(Noted { place: place as u16, value });
        }
        if is_contested {
            self.settle(message, start);
        }
        if !is_sorted {
            self.noted[start..].sort_by_key(|noted| noted.place);
        }
        Ok(start)
    }

    /// Of the members of a `oneof` the last counts.
    fn settle(&mut self, message: &Message, start: usize) {
        let mut last = HashMap::new();
        let oneof = |noted: &Noted<'_>| message.fields[usize::from(noted.place)].oneof;
        for noted in &self.noted[start..] {
            if let Some(oneof) = oneof(noted) {
                last.insert(oneof, noted.place);
            }
        }
        let mut kept = start;
        for at in start..self.noted.len() {
            let noted = self.noted[at];
            if oneof(&noted).is_none_or(|oneof| last.get(&oneof) == Some(&noted.place)) {
                self.noted[kept] = noted;
                kept += 1;
            }
        }
        self.noted.truncate(kept);
    }

    /// A message's fields, with commas. `first` if nothing stands before them.
    fn members(&mut self, message: &Message, bytes: &'w [u8], first: bool) -> Result<(), Error> {
        let start = self.note(message, bytes)?;
        let mut first = first;
        let mut at = start;
        let mut unset = 0;
        let end = self.noted.len();
        while at < end {
            let place = self.noted[at].place;
            let mut next = at + 1;
            while next < end && self.noted[next].place == place {
                next += 1;
            }
            let field = &message.fields[usize::from(place)];
            self.unset(message, unset, usize::from(place), &mut first);
            unset = usize::from(place) + 1;
            // A default value that somebody wrote all the same is as one that is not there.
            let is_unset = !field.has_presence
                && !field.is_repeated()
                && is_zero(field.kind, self.noted[next - 1].value);
            if is_unset && !self.options.print_unset {
                at = next;
                continue;
            }
            self.key(field, &mut first);
            self.values(field, at, next).map_err(|error| error.within(&field.name))?;
            at = next;
        }
        self.unset(message, unset, message.fields.len(), &mut first);
        self.noted.truncate(start);
        Ok(())
    }

    fn key(&mut self, field: &Field, first: &mut bool) {
        if !*first {
            self.out.push(b',');
        }
        *first = false;
        self.out.extend_from_slice(&field.keys[usize::from(self.options.proto_names)]);
    }

    /// Fields that are not set, if those are wanted.
    fn unset(&mut self, message: &Message, from: usize, to: usize, first: &mut bool) {
        if !self.options.print_unset {
            return;
        }
        for field in message.fields[from..to].iter().filter(|field| !field.has_presence) {
            self.key(field, first);
            self.default(field);
        }
    }

    fn default(&mut self, field: &Field) {
        match (field.cardinality, field.kind) {
            (Cardinality::Repeated, _) => self.out.extend_from_slice(b"[]"),
            (Cardinality::Map, _) => self.out.extend_from_slice(b"{}"),
            (Cardinality::Single, Kind::Message(_) | Kind::Group(_)) => self.out.extend_from_slice(b"null"),
            (Cardinality::Single, kind) => {
                let value = match kind.wire() {
                    wire::FIXED64 => Value::Fixed64(0),
                    wire::FIXED32 => Value::Fixed32(0),
                    wire::BYTES => Value::Bytes(b""),
                    _ => Value::Varint(0),
                };
                // Nothing is no text that could be wrong.
                let _ = self.scalar(kind, value);
            }
        }
    }

    /// What one field of a message has.
    fn only(&mut self, message: &Message, place: usize, bytes: &'w [u8]) -> Result<(), Error> {
        let start = self.note(message, bytes)?;
        let noted = &self.noted[start..];
        let from = start + noted.partition_point(|noted| usize::from(noted.place) < place);
        let to = start + noted.partition_point(|noted| usize::from(noted.place) <= place);
        let field = &message.fields[place];
        if from == to {
            self.default(field);
            return Ok(());
        }
        self.values(field, from, to).map_err(|error| error.within(&field.name))
    }

    /// The values of a field, which are noted from one place to another.
    fn values(&mut self, field: &Field, from: usize, to: usize) -> Result<(), Error> {
        match field.cardinality {
            Cardinality::Repeated => self.list(field, from, to),
            Cardinality::Map => self.map(field, from, to),
            Cardinality::Single => match field.kind {
                Kind::Message(id) | Kind::Group(id) if to - from > 1 => {
                    let all = self.noted[from..to].iter().filter_map(|noted| inside(noted.value));
                    let merged = all.collect::<Vec<_>>().concat();
                    Printer::new(self.pool, self.options, self.out, self.depth).message(id, &merged)
                }
                kind => self.value(kind, self.noted[to - 1].value),
            },
        }
    }

    fn list(&mut self, field: &Field, from: usize, to: usize) -> Result<(), Error> {
        self.out.push(b'[');
        let mut index = 0;
        for at in from..to {
            let value = self.noted[at].value;
            match value {
                Value::Bytes(bytes) if field.kind.is_packable() => {
                    let mut packed = bytes;
                    while !packed.is_empty() {
                        if index > 0 {
                            self.out.push(b',');
                        }
                        let value = unpack(field.kind, &mut packed)?;
                        self.scalar(field.kind, value).map_err(|error| error.at(index))?;
                        index += 1;
                    }
                }
                value => {
                    if index > 0 {
                        self.out.push(b',');
                    }
                    self.value(field.kind, value).map_err(|error| error.at(index))?;
                    index += 1;
                }
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn value(&mut self, kind: Kind, value: Value<'w>) -> Result<(), Error> {
        match (kind, value) {
            (Kind::Message(id), Value::Bytes(bytes)) | (Kind::Group(id), Value::Group(bytes)) => {
                self.message(id, bytes)
            }
            (kind, value) => self.scalar(kind, value),
        }
    }
}

fn inside(value: Value<'_>) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) | Value::Group(bytes) => Some(bytes),
        _ => None,
    }
}

/// Whether a value is written as the field's are. If not, it is as that of an unknown field.
#[inline]
fn fits(field: &Field, value: Value<'_>) -> bool {
    let wire = match value {
        Value::Varint(_) => wire::VARINT,
        Value::Fixed64(_) => wire::FIXED64,
        Value::Bytes(_) if field.cardinality == Cardinality::Repeated && field.kind.is_packable() => {
            return true;
        }
        Value::Bytes(_) => wire::BYTES,
        Value::Group(_) => wire::GROUP,
        Value::Fixed32(_) => wire::FIXED32,
    };
    wire == field.kind.wire()
}
