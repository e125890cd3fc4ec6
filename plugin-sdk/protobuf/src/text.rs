//! Fields named by a path, and values written as plain text: what the path and the query of a URL say.

use crate::pool::{Cardinality, Field, Kind, Known, MessageId, Pool};
use crate::read::{put_key, put_number};
use crate::{Error, ReadOptions, wire};

/// A field of a message, or of a message within it: `a.b.c`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath {
    steps: Box<[Step]>,
    /// Of a map: `m[key]`.
    key: Option<Box<str>>,
}

/// A field of a message type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The type.
    pub message: MessageId,
    /// The field's place in its [`fields`](crate::Message::fields).
    pub place: u16,
}

impl Pool {
    /// The field that a dotted path of names leads to. Names are those in JSON or in the `.proto`, and what lies before the last is a
    /// single message. A map's value is `name[key]`.
    pub fn path(&self, message: MessageId, path: &str) -> Result<FieldPath, Error> {
        let (path, key) = match path.split_once('[') {
            // A name in JSON may be anything, brackets too.
            Some(_) if self.is_named(message, path) => (path, None),
            Some((path, key)) => {
                let key = key.strip_suffix(']').ok_or_else(|| Error::unknown_field(path))?;
                (path, Some(key))
            }
            None => (path, None),
        };
        let mut steps = Vec::new();
        let mut at = Some(message);
        for name in path.split('.') {
            let Some(id) = at else { return Err(Error::unknown_field(path)) };
            let (place, field) = self[id].field(name).ok_or_else(|| Error::unknown_field(path))?;
            let place = u16::try_from(place).map_err(|_| Error::unknown_field(path))?;
            steps.push(Step { message: id, place });
            if steps.len() > crate::MAX_DEPTH {
                return Err(Error::bound("the field's path is too long"));
            }
            at = if field.is_repeated() { None } else { field.kind.message() };
            // What looks otherwise in JSON has no fields that could be named.
            at = at.filter(|id| !self[*id].known.is_particular());
        }
        let path = FieldPath { steps: steps.into(), key: key.map(Into::into) };
        let is_map = path.field(self).cardinality == Cardinality::Map;
        if path.key.is_some() && !is_map {
            return Err(Error::unknown_field(&path.name(self)));
        }
        Ok(path)
    }

    /// Whether a dotted path leads to fields as it stands.
    fn is_named(&self, message: MessageId, path: &str) -> bool {
        let mut at = Some(message);
        path.split('.').all(|name| {
            let field = at.and_then(|id| self[id].field(name));
            at = field.and_then(|(_, field)| field.kind.message());
            field.is_some()
        })
    }

    /// Appends the wire form of a message in which one field is set to what a text says. Of a repeated field it is one value.
    pub fn text_to_wire(
        &self,
        path: &FieldPath,
        text: &str,
        options: &ReadOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        path.within(self, out, |field, out| {
            if field.cardinality != Cardinality::Map {
                return self.put_text(field, text, options, out);
            }
            let entry = self.map_entry(field).zip(path.key.as_deref());
            let Some(((key_field, value_field), key)) = entry else {
                return Err(Error::value("a map is written with a key: `name[key]`"));
            };
            wire::put_tag(out, field.number, wire::BYTES);
            let start = wire::begin(out);
            wire::put_tag(out, key_field.number, key_field.kind.wire());
            put_key(key_field.kind, key, out)?;
            self.put_text(value_field, text, options, out)?;
            wire::end(out, start);
            Ok(())
        })
    }

    fn put_text(
        &self,
        field: &Field,
        text: &str,
        options: &ReadOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let start = out.len();
        wire::put_tag(out, field.number, field.kind.wire());
        match field.kind {
            Kind::Message(id) => {
                let start = wire::begin(out);
                self.put_message_text(id, text, options, out)?;
                wire::end(out, start);
            }
            Kind::Group(_) => return Err(no_text()),
            Kind::Enum(id) => {
                let of = &self[id];
                let any_case = options.enums_in_any_case;
                let number =
                    of.number(text).or_else(|| if any_case { of.number_in_any_case(text) } else { None });
                match number {
                    Some(number) => wire::put_varint(out, i64::from(number).cast_unsigned()),
                    None if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                        put_number(Kind::Int32, text, out)?;
                    }
                    None if options.ignore_unknown => out.truncate(start),
                    None => return Err(Error::value(format!("`{}` has no such value", of.name))),
                }
            }
            kind => put_scalar_text(kind, text, out)?,
        }
        Ok(())
    }

    fn put_message_text(
        &self,
        id: MessageId,
        text: &str,
        options: &ReadOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let message = &self[id];
        match message.known {
            // Paths in a query are written either way.
            Known::FieldMask => {
                for path in text.split(',').filter(|path| !path.is_empty()) {
                    wire::put_bytes(out, 1, crate::read::snake_case(path).as_bytes());
                }
                Ok(())
            }
            known @ (Known::Timestamp | Known::Duration) => crate::read::put_known_text(known, text, out),
            Known::Wrapper => match message.fields.first() {
                Some(field) => self.put_text(field, text, options, out),
                None => Ok(()),
            },
            Known::Value => {
                let start = out.len();
                if self.to_wire(id, text.as_bytes(), options, out).is_err() {
                    out.truncate(start);
                    wire::put_bytes(out, 3, text.as_bytes());
                }
                Ok(())
            }
            Known::Struct | Known::ListValue => self.to_wire(id, text.as_bytes(), options, out),
            Known::Any | Known::Plain | Known::HttpBody => Err(no_text()),
        }
    }
}

fn no_text() -> Error {
    Error::value("a message cannot be written as text")
}

fn put_scalar_text(kind: Kind, text: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    match kind {
        Kind::String => {
            wire::put_varint(out, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
        }
        Kind::Bytes => crate::read::put_base64(text, out)?,
        Kind::Bool if text == "1" || text.eq_ignore_ascii_case("true") => out.push(1),
        Kind::Bool if text == "0" || text.eq_ignore_ascii_case("false") => out.push(0),
        Kind::Bool => return Err(Error::value("it is neither true nor false")),
        kind => put_number(kind, text, out)?,
    }
    Ok(())
}

impl FieldPath {
    /// The steps that lead to it.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The key of a map's value, if it names one.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The field that it leads to.
    #[must_use]
    pub fn field<'p>(&self, pool: &'p Pool) -> &'p Field {
        let last = self.steps.last().expect("a path has a step at least");
        last.field(pool)
    }

    /// Its names, as in the `.proto`.
    #[must_use]
    pub fn name(&self, pool: &Pool) -> String {
        let names: Vec<_> = self.steps.iter().map(|step| &*step.field(pool).name).collect();
        names.join(".")
    }

    /// Whether this field is the other, or within it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.steps.starts_with(&other.steps)
    }

    /// Appends the wire form of a message in which the field, a message, is what these bytes are.
    pub fn put_message(&self, pool: &Pool, message: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.within(pool, out, |field, out| {
            match field.kind {
                Kind::Message(_) => wire::put_bytes(out, field.number, message),
                Kind::Group(_) => {
                    wire::put_tag(out, field.number, wire::GROUP);
                    out.extend_from_slice(message);
                    wire::put_tag(out, field.number, wire::GROUP + 1);
                }
                _ => return Err(Error::value("it is no message")),
            }
            Ok(())
        })
    }

    /// The bytes of the field, a message, in a message on the wire; none if it is not set.
    pub fn message<'w>(&self, pool: &Pool, wire: &'w [u8]) -> Result<std::borrow::Cow<'w, [u8]>, Error> {
        let mut within = std::borrow::Cow::Borrowed(wire);
        for step in &self.steps {
            within = crate::write::collect(&within, step.field(pool).number)?.into();
        }
        Ok(within)
    }

    /// Writes the messages around the field, and the field within them.
    pub(crate) fn within(
        &self,
        pool: &Pool,
        out: &mut Vec<u8>,
        put: impl FnOnce(&Field, &mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut open = Vec::new();
        let around = &self.steps[..self.steps.len() - 1];
        for step in around {
            let field = step.field(pool);
            wire::put_tag(out, field.number, field.kind.wire());
            open.push((field, if matches!(field.kind, Kind::Group(_)) { 0 } else { wire::begin(out) }));
        }
        put(self.field(pool), out).map_err(|error| error.within(&self.name(pool)))?;
        for (field, start) in open.into_iter().rev() {
            if start == 0 {
                wire::put_tag(out, field.number, wire::GROUP + 1);
            } else {
                wire::end(out, start);
            }
        }
        Ok(())
    }
}

impl Step {
    /// The field.
    #[must_use]
    pub fn field(self, pool: &Pool) -> &Field {
        &pool[self.message].fields[usize::from(self.place)]
    }
}
