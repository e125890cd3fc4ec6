//! The text form: Base64 in pieces, each of which may have padding of its own.

use data_encoding::BASE64;

/// So many characters mean something together.
pub(crate) const QUANTUM: usize = 4;

/// The bytes of whole quanta. None if it is no Base64. Padding may stand in the middle: it ends what was encoded together.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// The characters of a piece. With its padding it can be read without waiting for the next.
pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn padding_may_stand_in_the_middle() {
        assert_eq!(decode(b"YQ==YmM=ZGVm").as_deref(), Some(&b"abcdef"[..]));
        assert_eq!(decode(b"").as_deref(), Some(&b""[..]));
        for text in ["Y===", "=YQ=", "YQ=a", "Y Q=", "YQ-_", "YWJ"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn pieces_are_read_as_one(pieces in prop::collection::vec(any::<Vec<u8>>(), 0..8)) {
            let text: String = pieces.iter().map(|piece| encode(piece)).collect();
            prop_assert_eq!(decode(text.as_bytes()), Some(pieces.concat()));
        }
    }
}
