//! Reads JSON as RFC 8259 has it, bounded, and without names that occur twice: readers differ in which of them counts.

use super::Json;
use crate::bounds::Bounds;

/// Why a text was not read.
#[derive(Debug, PartialEq)]
pub(crate) enum Unreadable {
    /// From this byte on.
    Malformed(usize),
    Duplicate(String),
    TooComplex(String),
}

/// Reads one value.
pub(crate) fn parse(text: &[u8], bounds: &Bounds) -> Result<Json, Unreadable> {
    let text = std::str::from_utf8(text).map_err(|error| Unreadable::Malformed(error.valid_up_to()))?;
    // A byte order mark may be ignored (section 8.1).
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { text, at: 0, left: bounds.values, bounds };
    let value = reader.value(bounds.depth)?;
    reader.blanks();
    if reader.at == text.len() { Ok(value) } else { Err(reader.malformed()) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    left: usize,
    bounds: &'a Bounds,
}

impl<'a> Reader<'a> {
    fn malformed(&self) -> Unreadable {
        Unreadable::Malformed(self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|&byte| !wanted(byte)).unwrap_or(rest.len());
        let taken = &self.text[self.at..self.at + length];
        self.at += length;
        taken
    }

    fn expect(&mut self, word: &str) -> Result<(), Unreadable> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.malformed());
        }
        self.at += word.len();
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Json, Unreadable> {
        self.left = self.left.checked_sub(1).ok_or_else(|| Unreadable::TooComplex(self.bounds.too_many()))?;
        self.blanks();
        let inner = || depth.checked_sub(1).ok_or_else(|| Unreadable::TooComplex(self.bounds.too_deep()));
        match self.peek().ok_or_else(|| self.malformed())? {
            b'n' => self.expect("null").map(|()| Json::Null),
            b't' => self.expect("true").map(|()| Json::Bool(true)),
            b'f' => self.expect("false").map(|()| Json::Bool(false)),
            b'"' => self.string().map(Json::Text),
            b'[' => {
                let depth = inner()?;
                self.array(depth)
            }
            b'{' => {
                let depth = inner()?;
                self.object(depth)
            }
            _ => self.number(),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, Unreadable> {
        let mut items = Vec::new();
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            if !self.goes_on(b']')? {
                return Ok(Json::Array(items));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, Unreadable> {
        let mut members = Vec::new();
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            self.blanks();
            let name = self.string()?;
            self.blanks();
            self.expect(":")?;
            members.push((name, self.value(depth)?));
            if !self.goes_on(b'}')? {
                break;
            }
        }
        let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(Unreadable::Duplicate(pair[0].chars().take(100).collect())),
            None => Ok(Json::Object(members)),
        }
    }

    /// Takes a comma, or the end.
    fn goes_on(&mut self, end: u8) -> Result<bool, Unreadable> {
        self.blanks();
        let found = self.peek();
        if found != Some(b',') && found != Some(end) {
            return Err(self.malformed());
        }
        self.at += 1;
        Ok(found == Some(b','))
    }

    fn number(&mut self) -> Result<Json, Unreadable> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let digits = self.digits()?;
        if digits.len() > 1 && digits.starts_with('0') {
            self.at = start;
            return Err(self.malformed());
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(Json::Number(self.text[start..self.at].to_owned()))
    }

    fn digits(&mut self) -> Result<&'a str, Unreadable> {
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() { Err(self.malformed()) } else { Ok(digits) }
    }

    fn string(&mut self) -> Result<String, Unreadable> {
        self.expect("\"")?;
        let mut string = self.plain().to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => string.push(self.escape()?),
                _ => return Err(self.malformed()),
            }
            string.push_str(self.plain());
        }
    }

    /// Characters that stand for themselves.
    fn plain(&mut self) -> &'a str {
        self.take_while(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
    }

    fn escape(&mut self) -> Result<char, Unreadable> {
        let escape = self.text.as_bytes().get(self.at + 1).copied();
        let character = match escape {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.code_point(),
            _ => return Err(self.malformed()),
        };
        self.at += 2;
        Ok(character)
    }

    /// `\uXXXX`, or two of them. Half a pair is no character, and nothing that XML could carry.
    fn code_point(&mut self) -> Result<char, Unreadable> {
        let start = self.at;
        let first = self.unit()?;
        let code = if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
            let second = self.unit()?;
            (0xdc00..0xe000).contains(&second).then(|| 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
        } else {
            Some(first)
        };
        code.and_then(char::from_u32).ok_or(Unreadable::Malformed(start))
    }

    fn unit(&mut self) -> Result<u32, Unreadable> {
        let digits = self.text.get(self.at + 2..self.at + 6);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.malformed())?;
        self.at += 6;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn passed(text: &str) -> Result<String, Unreadable> {
        parse(text.as_bytes(), &Bounds::default()).map(|value| value.write())
    }

    #[test]
    fn a_text_is_read_and_written() {
        let text = " { \"a\" : [ 1.0 , -0, 1e400, true,\tfalse, null ] , \"\\u00e9\\ud83d\\ude00\": \"\\/\\b\" }\r\n";
        assert_eq!(
            passed(text).as_deref(),
            Ok("{\"a\":[1.0,-0,1e400,true,false,null],\"é😀\":\"/\\u0008\"}")
        );
        assert_eq!(passed("\u{feff}[]").as_deref(), Ok("[]"));
        for (text, at) in
            [("", 0), ("[1,]", 3), ("01", 0), ("1 2", 2), ("\"\\ud83d\"", 1), ("nul", 0), ("-", 1)]
        {
            assert_eq!(passed(text), Err(Unreadable::Malformed(at)), "{text}");
        }
        assert_eq!(passed("{\"a\":1,\"\\u0061\":2}"), Err(Unreadable::Duplicate("a".to_owned())));
    }

    #[test]
    fn depth_and_number_of_values_are_bounded() {
        let bounds = Bounds { depth: 3, values: 5, ..Bounds::default() };
        let read = |text: &str| parse(text.as_bytes(), &bounds);
        assert!(read("[[[1]]]").is_ok());
        assert!(matches!(read("[[[[]]]]"), Err(Unreadable::TooComplex(_))));
        assert!(read("[1,2,3,4]").is_ok());
        assert!(matches!(read("[1,2,3,4,5]"), Err(Unreadable::TooComplex(_))));
        let deep = "[".repeat(100_000);
        assert!(matches!(passed(&deep), Err(Unreadable::TooComplex(_))));
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_means_the_same(
            words in proptest::collection::vec((any::<String>(), any::<i64>(), any::<f64>()), 0..8),
        ) {
            let text = serde_json::json!(words).to_string();
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            prop_assert_eq!(read(&passed(&text).unwrap()), read(&text));
        }

        #[test]
        fn the_same_texts_are_json_as_for_serde_json(text in r#"[\[\]{},:"\\u0-9dDaAeE+.tfn \n\-\x01é]{0,24}"#) {
            // But for names that occur twice and halves of pairs.
            let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            let ours = passed(&text);
            prop_assert_eq!(ours.is_ok() || matches!(ours, Err(Unreadable::Duplicate(_))), theirs, "{}", text);
        }
    }
}
