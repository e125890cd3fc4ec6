//! Identifiers: the forms in which they are made, and which of those that clients send are taken.

use std::fmt::Write as _;

/// Long enough for every common form, short enough for a log line. As the gateway's own bound.
const LONGEST: usize = 128;

/// Crockford's Base32 (ULID).
const BASE32: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Whether an identifier from outside is safe to log and to pass on: the gateway's own rule for `X-Request-Id`.
pub(crate) fn is_well_formed(id: &str) -> bool {
    (1..=LONGEST).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(&byte))
}

/// UUID version 4 (RFC 9562 section 5.4).
pub(crate) fn uuid_v4(random: [u8; 16]) -> String {
    uuid(u128::from_be_bytes(random), 4)
}

/// UUID version 7 (RFC 9562 section 5.7): milliseconds since 1970 in 48 bits, then randomness.
pub(crate) fn uuid_v7(millis: u64, random: [u8; 16]) -> String {
    uuid(timed(millis, random), 7)
}

/// ULID: milliseconds since 1970 in 48 bits, then 80 bits of randomness.
pub(crate) fn ulid(millis: u64, random: [u8; 16]) -> String {
    let bits = timed(millis, random);
    (0..26).rev().map(|digit| char::from(BASE32[(bits >> (digit * 5)) as usize & 31])).collect()
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn timed(millis: u64, random: [u8; 16]) -> u128 {
    // A time past the year 10889 loses its upper bits, as 48 bits have no room for them.
    u128::from(millis) << 80 | (u128::from_be_bytes(random) & ((1 << 80) - 1))
}

fn uuid(bits: u128, version: u128) -> String {
    let bits = (bits & !(0xf << 76) & !(0b11 << 62)) | version << 76 | 0b10 << 62;
    let mut text = hex(&bits.to_be_bytes());
    for dash in [20, 16, 12, 8] {
        text.insert(dash, '-');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_those_of_the_rfc() {
        // RFC 9562 appendix A.3. Version and variant are in the value already; other bits have to give way to them.
        let value = 0x9191_08f7_52d1_4320_9bac_f847_db41_48a8_u128;
        let text = "919108f7-52d1-4320-9bac-f847db4148a8";
        assert_eq!(uuid_v4(value.to_be_bytes()), text);
        assert_eq!(uuid_v4((value ^ (0xf << 76) ^ (0b11 << 62)).to_be_bytes()), text);
        // Appendix A.6.
        let random = 0x0cc3_18c4_dc0c_0c07_398f_u128;
        assert_eq!(uuid_v7(1_645_557_742_000, random.to_be_bytes()), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
        assert_eq!(uuid_v7(0, [0xff; 16]), "00000000-0000-7fff-bfff-ffffffffffff");
    }

    #[test]
    fn ulids_are_those_of_their_specification() {
        assert_eq!(ulid(1_469_918_176_385, [0; 16]), "01ARYZ6S410000000000000000");
        assert_eq!(ulid((1 << 48) - 1, [0xff; 16]), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    }

    #[test]
    fn text_that_could_forge_a_log_line_is_refused() {
        assert!(is_well_formed("4bf92f35-77b3/root=1:2") && is_well_formed(&"x".repeat(128)));
        for bad in ["", "a b", "a\"b", "a,b", "a\nb", "ü", &"x".repeat(129)] {
            assert!(!is_well_formed(bad), "{bad}");
        }
    }
}
