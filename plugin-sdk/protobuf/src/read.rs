//! Proto3 JSON to the wire, written as it is read.

mod known;
mod scalar;

use crate::json::{Reader, Token};
use crate::pool::{Cardinality, Field, Kind, Known, Message, MessageId, Pool};
use crate::text::FieldPath;
use crate::{Error, ReadOptions, wire};

pub(crate) use known::{put_known_text, snake_case};
pub(crate) use scalar::{put_base64, put_number};

/// A message that is read.
struct Parser<'p, 'j> {
    pool: &'p Pool,
    options: ReadOptions,
    json: Reader<'j>,
}

/// Places that were there already.
#[derive(Default)]
struct Seen {
    few: u128,
    more: Vec<u128>,
}

impl Pool {
    /// Appends the wire form of a message in JSON.
    pub fn to_wire(
        &self,
        message: MessageId,
        json: &[u8],
        options: &ReadOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let mut parser = Parser { pool: self, options: *options, json: Reader::new(json)? };
        parser.message(message, out)?;
        parser.json.end()
    }

    /// Appends the wire form of a message in which one field is set, whose value is in JSON.
    pub fn field_to_wire(
        &self,
        path: &FieldPath,
        json: &[u8],
        options: &ReadOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let mut parser = Parser { pool: self, options: *options, json: Reader::new(json)? };
        path.within(self, out, |field, out| parser.field(field, out))?;
        parser.json.end()
    }
}

impl Parser<'_, '_> {
    /// A message without its length.
    fn message(&mut self, id: MessageId, out: &mut Vec<u8>) -> Result<(), Error> {
        let pool = self.pool;
        let message = &pool[id];
        match message.known {
            Known::Plain | Known::HttpBody => self.members(message, None, out),
            known => self.known(known, message, out),
        }
    }

    /// The members of an object, but for the one that tells its type.
    fn members(&mut self, message: &Message, except: Option<&str>, out: &mut Vec<u8>) -> Result<(), Error> {
        self.expect(Token::Object)?;
        let (mut seen, mut oneofs) = (Seen::default(), Seen::default());
        let mut expected = 0;
        let mut more = self.json.open(b'}')?;
        while more {
            let name = self.json.key()?;
            // Members come in the order of the fields mostly.
            let found = match message.fields.get(expected) {
                Some(field) if *field.json_name == *name => Some((expected, field)),
                _ => message.field(&name),
            };
            match found {
                Some((place, field)) => {
                    expected = place + 1;
                    if !seen.first(place) {
                        return Err(Error::value("it is there twice").within(&field.name));
                    }
                    let was = out.len();
                    self.field(field, out).map_err(|error| error.within(&field.name))?;
                    if let Some(oneof) = field.oneof
                        && out.len() > was
                        && !oneofs.first(usize::from(oneof))
                    {
                        return Err(Error::value("only one of its `oneof` may be set").within(&field.name));
                    }
                }
                None if self.options.ignore_unknown || except == Some(&*name) => self.json.skip()?,
                None => return Err(Error::unknown_field(&name)),
            }
            more = self.json.more(b'}')?;
        }
        Ok(())
    }

    fn expect(&mut self, token: Token) -> Result<(), Error> {
        let found = self.json.peek()?;
        if found == token {
            return Ok(());
        }
        Err(Error::value(format!("it is {}, not {}", found.described(), token.described())))
    }

    /// A field with its tag, as often as it has values.
    fn field(&mut self, field: &Field, out: &mut Vec<u8>) -> Result<(), Error> {
        if self.json.peek()? == Token::Null && (field.is_repeated() || !self.takes_null(field)) {
            return self.json.null();
        }
        match field.cardinality {
            Cardinality::Single => self.one(field, out),
            Cardinality::Repeated => self.list(field, out),
            Cardinality::Map => self.map(field, out),
        }
    }

    /// Whether `null` is a value of the field's.
    fn takes_null(&self, field: &Field) -> bool {
        match field.kind {
            Kind::Message(id) | Kind::Group(id) => self.pool[id].known == Known::Value,
            Kind::Enum(id) => self.pool[id].is_null,
            _ => false,
        }
    }

    /// A value with its tag, but for one that says no more than none does.
    fn one(&mut self, field: &Field, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        self.single(field, out)?;
        // Every default value is nothing but zeros on the wire, and nothing else is.
        let value = (start + wire::tag_length(field.number)).min(out.len());
        if !field.has_presence && out[value..].iter().all(|byte| *byte == 0) {
            out.truncate(start);
        }
        Ok(())
    }

    fn single(&mut self, field: &Field, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        wire::put_tag(out, field.number, field.kind.wire());
        match field.kind {
            Kind::Message(id) => {
                let start = wire::begin(out);
                self.message(id, out)?;
                wire::end(out, start);
            }
            Kind::Group(id) => {
                self.message(id, out)?;
                wire::put_tag(out, field.number, wire::GROUP + 1);
            }
            kind => {
                if !self.scalar(kind, out)? {
                    out.truncate(start);
                }
            }
        }
        Ok(())
    }

    fn list(&mut self, field: &Field, out: &mut Vec<u8>) -> Result<(), Error> {
        self.expect(Token::List)?;
        let mut more = self.json.open(b']')?;
        if !more {
            return Ok(());
        }
        let before = out.len();
        let packed = field.packed.then(|| {
            wire::put_tag(out, field.number, wire::BYTES);
            wire::begin(out)
        });
        let mut index = 0;
        while more {
            let read = if self.json.peek()? == Token::Null && !self.takes_null(field) {
                Err(Error::value("a list cannot have null in it"))
            } else if packed.is_some() {
                self.scalar(field.kind, out).map(drop)
            } else {
                self.single(field, out)
            };
            read.map_err(|error| error.at(index))?;
            index += 1;
            more = self.json.more(b']')?;
        }
        match packed {
            // Nothing but names that are not known.
            Some(start) if out.len() == start => out.truncate(before),
            Some(start) => wire::end(out, start),
            None => {}
        }
        Ok(())
    }

    fn map(&mut self, field: &Field, out: &mut Vec<u8>) -> Result<(), Error> {
        let pool = self.pool;
        let Some((key_field, value_field)) = pool.map_entry(field) else { return self.json.skip() };
        self.expect(Token::Object)?;
        let mut more = self.json.open(b'}')?;
        while more {
            let key = self.json.key()?;
            let before = out.len();
            wire::put_tag(out, field.number, wire::BYTES);
            let start = wire::begin(out);
            wire::put_tag(out, key_field.number, key_field.kind.wire());
            let read = put_key(key_field.kind, &key, out).and_then(|()| {
                if self.json.peek()? == Token::Null && !self.takes_null(value_field) {
                    return Err(Error::value("a map cannot have null in it"));
                }
                let was = out.len();
                self.single(value_field, out)?;
                Ok(out.len() > was)
            });
            // A value that is left out, as an enum's name that is not known, takes its key with it.
            if read.map_err(|error| error.within(&key))? {
                wire::end(out, start);
            } else {
                out.truncate(before);
            }
            more = self.json.more(b'}')?;
        }
        Ok(())
    }
}

/// The key of a map's entry, without its tag.
pub(crate) fn put_key(kind: Kind, key: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    match kind {
        Kind::String => {
            wire::put_varint(out, key.len() as u64);
            out.extend_from_slice(key.as_bytes());
            Ok(())
        }
        Kind::Bool if matches!(key, "true" | "false") => {
            out.push(u8::from(key == "true"));
            Ok(())
        }
        Kind::Bool => Err(Error::value("the key is neither true nor false")),
        kind => put_number(kind, key, out),
    }
}

impl Seen {
    /// Whether a place has not been there yet.
    fn first(&mut self, place: usize) -> bool {
        let (at, bit) = (place / 128, 1_u128 << (place % 128));
        let bits = if at == 0 {
            &mut self.few
        } else {
            if self.more.len() < at {
                self.more.resize(at, 0);
            }
            &mut self.more[at - 1]
        };
        let is_first = *bits & bit == 0;
        *bits |= bit;
        is_first
    }
}
