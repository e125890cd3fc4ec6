//! The bounds of RSA's numbers, whatever a key is written as.

/// A modulus, in bits. What parses the key rounds up to whole bytes.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The largest exponent, in bits. Exponents in use have 17 and fewer; a long one only costs time.
const EXPONENT_BITS: u32 = 33;

/// Whether modulus and exponent, big-endian and without leading zeros, are within the bounds.
pub(super) fn are_within(modulus: &[u8], exponent: &[u8]) -> bool {
    let bits = modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
    MODULUS_BITS.contains(&bits) && is_sane_exponent(exponent)
}

/// Whether the numbers of an `RSAPublicKey` (RFC 8017 appendix A.1.1) are within the bounds. What is no such DER is not.
pub(super) fn is_within(der: &[u8]) -> bool {
    let numbers = || {
        let (sequence, rest) = element(der, 0x30)?;
        let (modulus, after) = element(sequence, 0x02)?;
        let (exponent, end) = element(after, 0x02)?;
        (rest.is_empty() && end.is_empty()).then_some((unsigned(modulus), unsigned(exponent)))
    };
    numbers().is_some_and(|(modulus, exponent)| are_within(modulus, exponent))
}

/// Odd, at least 3, no leading zeros, not too long.
fn is_sane_exponent(bytes: &[u8]) -> bool {
    let value = bytes.iter().take(9).fold(0_u128, |value, byte| value << 8 | u128::from(*byte));
    bytes.first().is_some_and(|first| *first != 0)
        && value & 1 == 1
        && value >= 3
        && value >> EXPONENT_BITS == 0
}

/// The content of a DER element with this tag, and what comes after it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (short, rest) = rest.split_first().filter(|_| *first == tag)?;
    let (length, rest) = match usize::from(*short).checked_sub(0x80) {
        None => (usize::from(*short), rest),
        // In so many bytes. A key in use needs two.
        Some(count @ 1..=4) => {
            let (bytes, rest) = rest.split_at_checked(count)?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        Some(_) => return None,
    };
    rest.split_at_checked(length)
}

/// A positive integer without the byte that DER puts before its highest bit.
fn unsigned(integer: &[u8]) -> &[u8] {
    integer.strip_prefix(&[0]).unwrap_or(integer)
}
