//! Writes JSON, compact and within a bound.

use super::Json;

/// The text would be longer than it may be.
#[derive(Debug, PartialEq)]
pub(crate) struct TooLong;

/// Writes a value as at most `bound` bytes.
pub(crate) fn write(value: &Json<'_>, bound: usize) -> Result<Vec<u8>, TooLong> {
    let mut writer = Writer { out: Vec::new(), bound };
    writer.value(value)?;
    Ok(writer.out)
}

struct Writer {
    out: Vec<u8>,
    bound: usize,
}

impl Writer {
    fn push(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        // Checked first, so that nothing past the bound is ever held.
        if bytes.len() > self.bound - self.out.len() {
            return Err(TooLong);
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn value(&mut self, value: &Json<'_>) -> Result<(), TooLong> {
        match value {
            Json::Null => self.push(b"null"),
            Json::Bool(true) => self.push(b"true"),
            Json::Bool(false) => self.push(b"false"),
            Json::Number(number) => self.push(number.as_str().as_bytes()),
            Json::Text(text) => self.string(text),
            Json::Array(items) => {
                self.push(b"[")?;
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.push(b",")?;
                    }
                    self.value(item)?;
                }
                self.push(b"]")
            }
            Json::Object(members) => {
                self.push(b"{")?;
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        self.push(b",")?;
                    }
                    self.string(name)?;
                    self.push(b":")?;
                    self.value(value)?;
                }
                self.push(b"}")
            }
        }
    }

    fn string(&mut self, text: &str) -> Result<(), TooLong> {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.push(b"\"")?;
        let mut rest = text.as_bytes();
        while let Some(at) = rest.iter().position(|byte| matches!(byte, 0..b' ' | b'"' | b'\\')) {
            self.push(&rest[..at])?;
            match rest[at] {
                b'\n' => self.push(b"\\n")?,
                b'\r' => self.push(b"\\r")?,
                b'\t' => self.push(b"\\t")?,
                quoted @ (b'"' | b'\\') => self.push(&[b'\\', quoted])?,
                control => {
                    let (high, low) = (HEX[usize::from(control >> 4)], HEX[usize::from(control & 15)]);
                    self.push(&[b'\\', b'u', b'0', b'0', high, low])?;
                }
            }
            rest = &rest[at + 1..];
        }
        self.push(rest)?;
        self.push(b"\"")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LEAST_BUDGET, parse};
    use super::*;

    #[test]
    fn nothing_is_written_past_the_bound() {
        let text = r#"{"a":["b\n",1.50,null,true,false]}"#;
        let value = parse(text.as_bytes(), LEAST_BUDGET).unwrap();
        assert_eq!(write(&value, text.len()).unwrap(), text.as_bytes());
        for bound in 0..text.len() {
            assert_eq!(write(&value, bound), Err(TooLong), "{bound}");
        }
    }
}
