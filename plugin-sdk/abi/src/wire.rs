//! Little-endian, length-prefixed bytes: the encoding of everything that has more than one part.

use alloc::vec::Vec;
use core::fmt;

/// The bytes end too early, or say something that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireError;

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed message")
    }
}

impl core::error::Error for WireError {}

/// Builds a message.
#[derive(Clone, Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty message.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    /// Two bytes.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Four bytes.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// A length (four bytes) and that many bytes.
    ///
    /// # Panics
    /// If `bytes` is 4 GiB or longer, which a 32-bit memory cannot hold.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.u32(u32::try_from(bytes.len()).expect("shorter than 4 GiB"));
        self.0.extend_from_slice(bytes);
        self
    }

    /// The message.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Takes a message apart. It never reads past the end and never allocates on a claimed length.
#[derive(Clone, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn split(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(WireError)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        self.split(N)?.try_into().map_err(|_| WireError)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>()?[0])
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A length and that many bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.u32()?;
        self.split(usize::try_from(length).map_err(|_| WireError)?)
    }

    /// As [`bytes`](Self::bytes), as UTF-8.
    pub fn text(&mut self) -> Result<&'a str, WireError> {
        core::str::from_utf8(self.bytes()?).map_err(|_| WireError)
    }

    /// Says that nothing may follow.
    pub fn end(&self) -> Result<(), WireError> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError) }
    }

    /// A count, refused when the bytes left could not hold that many items of `least` bytes.
    pub fn count(&mut self, least: usize) -> Result<usize, WireError> {
        let count = usize::try_from(self.u32()?).map_err(|_| WireError)?;
        if count.checked_mul(least).is_none_or(|bytes| bytes > self.0.len()) {
            return Err(WireError);
        }
        Ok(count)
    }
}

/// Name and value pairs: a count, then name and value of each.
pub fn encode_pairs<'a>(writer: &mut Writer, pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>) {
    writer.u32(u32::try_from(pairs.len()).expect("fewer than 2^32 pairs"));
    for (name, value) in pairs {
        writer.bytes(name).bytes(value);
    }
}

/// Name and value pairs as they lie in a message.
pub type Pairs<'a> = Vec<(&'a [u8], &'a [u8])>;

/// The reverse of [`encode_pairs`].
pub fn decode_pairs<'a>(reader: &mut Reader<'a>) -> Result<Pairs<'a>, WireError> {
    let count = reader.count(8)?;
    (0..count).map(|_| Ok((reader.bytes()?, reader.bytes()?))).collect()
}

/// A list of byte strings: a count, then each.
pub fn encode_list<'a>(writer: &mut Writer, items: impl ExactSizeIterator<Item = &'a [u8]>) {
    writer.u32(u32::try_from(items.len()).expect("fewer than 2^32 items"));
    for item in items {
        writer.bytes(item);
    }
}

/// The reverse of [`encode_list`].
pub fn decode_list<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, WireError> {
    let count = reader.count(4)?;
    (0..count).map(|_| reader.bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_back_as_written() {
        let mut writer = Writer::new();
        writer.u8(7).u16(300).u32(70_000).u64(u64::MAX).bytes(b"abc");
        encode_pairs(&mut writer, [(&b"a"[..], &b"1"[..]), (b"b", b"")].into_iter());
        let message = writer.finish();
        let mut reader = Reader::new(&message);
        assert_eq!(reader.u8(), Ok(7));
        assert_eq!(reader.u16(), Ok(300));
        assert_eq!(reader.u32(), Ok(70_000));
        assert_eq!(reader.u64(), Ok(u64::MAX));
        assert_eq!(reader.text(), Ok("abc"));
        let pairs = decode_pairs(&mut reader).unwrap();
        assert_eq!(pairs, [(&b"a"[..], &b"1"[..]), (b"b", b"")]);
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn every_truncation_is_refused() {
        let mut writer = Writer::new();
        encode_pairs(&mut writer, [(&b"name"[..], &b"value"[..])].into_iter());
        let message = writer.finish();
        for length in 0..message.len() {
            assert_eq!(decode_pairs(&mut Reader::new(&message[..length])), Err(WireError));
        }
    }

    #[test]
    fn a_claimed_count_allocates_nothing() {
        let claim = u32::MAX.to_le_bytes();
        assert_eq!(decode_pairs(&mut Reader::new(&claim)), Err(WireError));
        assert_eq!(decode_list(&mut Reader::new(&claim)), Err(WireError));
    }
}
