//! JSON as text.

mod reader;
mod writer;

pub(crate) use reader::{Reader, Token};
pub(crate) use writer::{key, put_f32, put_f64, put_i64, put_string, put_u64};

/// The number of bytes before a quote, a backslash or a control character.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    // The lowest bit that is set tells the truth; those above it may be set by its borrow.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let mut at = 0;
    while let Some(eight) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let found = control | zeros(word ^ (ONES * 0x22)) | zeros(word ^ (ONES * 0x5c));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = &bytes[at..];
    let length = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
    at + length.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_bytes_are_counted(text in r#"[a-c\x00-\x22\x5b-\x5d\x7f-\u{ff}]{0,30}"#) {
            let bytes = text.as_bytes();
            let plain = bytes.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).count();
            prop_assert_eq!(plain_length(bytes), plain);
        }
    }
}
