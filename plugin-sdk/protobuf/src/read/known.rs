//! Well-known types, whose JSON is particular.

use crate::json::Token;
use crate::pool::{Known, Message, MessageId};
use crate::time::Time;
use crate::{Error, wire};

use super::Parser;
use super::scalar::put_number;

impl Parser<'_, '_> {
    pub(super) fn known(&mut self, known: Known, message: &Message, out: &mut Vec<u8>) -> Result<(), Error> {
        match known {
            Known::Any => self.any(out),
            Known::Timestamp | Known::Duration | Known::FieldMask => {
                self.expect(Token::String)?;
                let text = self.json.string()?;
                put_known_text(known, &text, out)
            }
            Known::Struct => self.structure(out),
            Known::ListValue => self.list_value(out),
            Known::Value => self.value(out),
            Known::Wrapper => match message.fields.first() {
                Some(field) => self.one(field, out),
                None => self.json.skip(),
            },
            Known::Plain | Known::HttpBody => self.members(message, None, out),
        }
    }

    /// `{"@type": "type.googleapis.com/a.B", ...}`.
    fn any(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.expect(Token::Object)?;
        let Some(url) = self.json.member("@type")? else {
            let mut more = self.json.open(b'}')?;
            if more && !self.options.ignore_unknown {
                return Err(Error::value("an `Any` has no `@type`"));
            }
            while more {
                self.json.key()?;
                self.json.skip()?;
                more = self.json.more(b'}')?;
            }
            return Ok(());
        };
        let id = self.type_of(&url)?;
        wire::put_bytes(out, 1, url.as_bytes());
        let before = out.len();
        wire::put_tag(out, 2, wire::BYTES);
        let start = wire::begin(out);
        let pool = self.pool;
        let message = &pool[id];
        if message.known.is_particular() || &*message.name == "google.protobuf.Empty" {
            self.any_value(id, out)?;
        } else {
            self.members(message, Some("@type"), out)?;
        }
        if out.len() == start {
            out.truncate(before);
        } else {
            wire::end(out, start);
        }
        Ok(())
    }

    fn type_of(&self, url: &str) -> Result<MessageId, Error> {
        let name = url.rsplit_once('/').map(|(_, name)| name);
        let name = name.ok_or_else(|| Error::value("`@type` has no slash"))?;
        self.pool
            .message(name)
            .ok_or_else(|| Error::value(format!("there is no message type `{}`", crate::error::shown(name))))
    }

    fn any_value(&mut self, id: MessageId, out: &mut Vec<u8>) -> Result<(), Error> {
        let mut has_value = false;
        let mut more = self.json.open(b'}')?;
        while more {
            let name = self.json.key()?;
            match &*name {
                "value" if has_value => return Err(Error::value("it is there twice").within("value")),
                "value" => {
                    has_value = true;
                    self.message(id, out).map_err(|error| error.within("value"))?;
                }
                name if name == "@type" || self.options.ignore_unknown => self.json.skip()?,
                name => return Err(Error::unknown_field(name)),
            }
            more = self.json.more(b'}')?;
        }
        Ok(())
    }

    fn value(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self.json.peek()? {
            Token::Null => {
                self.json.null()?;
                out.extend_from_slice(&[0x08, 0]);
            }
            Token::Number => {
                wire::put_tag(out, 2, wire::FIXED64);
                put_number(crate::Kind::Double, self.json.number()?, out)?;
            }
            Token::String => wire::put_bytes(out, 3, self.json.string()?.as_bytes()),
            Token::Bool => {
                let value = self.json.bool()?;
                out.extend_from_slice(&[0x20, u8::from(value)]);
            }
            Token::Object => {
                wire::put_tag(out, 5, wire::BYTES);
                let start = wire::begin(out);
                self.structure(out)?;
                wire::end(out, start);
            }
            Token::List => {
                wire::put_tag(out, 6, wire::BYTES);
                let start = wire::begin(out);
                self.list_value(out)?;
                wire::end(out, start);
            }
        }
        Ok(())
    }

    fn structure(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.expect(Token::Object)?;
        let mut more = self.json.open(b'}')?;
        while more {
            let key = self.json.key()?;
            wire::put_tag(out, 1, wire::BYTES);
            let entry = wire::begin(out);
            wire::put_bytes(out, 1, key.as_bytes());
            wire::put_tag(out, 2, wire::BYTES);
            let value = wire::begin(out);
            self.value(out).map_err(|error| error.within(&key))?;
            wire::end(out, value);
            wire::end(out, entry);
            more = self.json.more(b'}')?;
        }
        Ok(())
    }

    fn list_value(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.expect(Token::List)?;
        let mut index = 0;
        let mut more = self.json.open(b']')?;
        while more {
            wire::put_tag(out, 1, wire::BYTES);
            let value = wire::begin(out);
            self.value(out).map_err(|error| error.at(index))?;
            wire::end(out, value);
            index += 1;
            more = self.json.more(b']')?;
        }
        Ok(())
    }
}

/// A message that is a text in JSON.
pub(crate) fn put_known_text(known: Known, text: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    let time = match known {
        Known::Timestamp => Time::read_timestamp(text).ok_or("it is no timestamp as of RFC 3339"),
        Known::Duration => Time::read_duration(text).ok_or("it is no duration such as `1.5s`"),
        _ => return put_field_mask(text, out),
    };
    let time = time.map_err(Error::value)?;
    if time.seconds != 0 {
        wire::put_tag(out, 1, wire::VARINT);
        wire::put_varint(out, time.seconds.cast_unsigned());
    }
    if time.nanos != 0 {
        wire::put_tag(out, 2, wire::VARINT);
        wire::put_varint(out, i64::from(time.nanos).cast_unsigned());
    }
    Ok(())
}

/// Paths with a comma between them, in camel case.
fn put_field_mask(text: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    for path in text.split(',').filter(|path| !path.is_empty()) {
        if path.contains('_') {
            return Err(Error::value("the paths of a field mask are in camel case"));
        }
        wire::put_bytes(out, 1, snake_case(path).as_bytes());
    }
    Ok(())
}

pub(crate) fn snake_case(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
