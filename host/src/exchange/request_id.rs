//! Request identifiers: kept from a trusted peer, otherwise the time and random bits in hex, from a generator of the worker's own.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderName, HeaderValue};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Long enough for every common scheme, short enough for a log line.
const LONGEST: usize = 128;

thread_local! {
    /// xoshiro256++, seeded by the operating system through the standard library's hash keys. These are names, not secrets.
    static STATE: Cell<[u64; 4]> = Cell::new(std::array::from_fn(|lane| RandomState::new().hash_one(lane)));
}

fn next() -> u64 {
    let [a, b, c, d] = STATE.get();
    let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
    let (c2, d2) = (c ^ a, d ^ b);
    STATE.set([a ^ d2, b ^ c2, c2 ^ (b << 17), d2.rotate_left(45)]);
    result
}

/// A new identifier: 48 bits of milliseconds since 1970, then 80 random ones, as in a UUID of version 7 (RFC 9562). What keeps them
/// in order, as the ledger does, appends where random ones would be put all over the place.
pub(crate) fn generate() -> HeaderValue {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since.as_millis()).unwrap_or(0);
    let bits = u128::from(millis << 16) << 64 | u128::from(next()) << 16 | u128::from(next() & 0xffff);
    let text = hexadecimal(bits);
    HeaderValue::from_bytes(&text).expect("hexadecimal digits are a valid field value")
}

fn hexadecimal(mut bits: u128) -> [u8; 32] {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    let mut text = [0; 32];
    for digit in text.iter_mut().rev() {
        *digit = HEX[(bits & 15) as usize];
        bits >>= 4;
    }
    text
}

/// Whether an identifier from outside is safe to log and to pass on.
pub(crate) fn is_well_formed(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    (1..=LONGEST).contains(&bytes.len())
        && bytes.iter().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'+' | b'/' | b'=')
        })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn identifiers_are_well_formed_and_differ() {
        let many: HashSet<HeaderValue> = (0..10_000).map(|_| generate()).collect();
        assert_eq!(many.len(), 10_000);
        assert!(many.iter().all(|id| id.len() == 32 && is_well_formed(id)));
        let elsewhere = std::thread::spawn(generate).join().unwrap();
        assert!(!many.contains(&elsewhere));
    }

    #[test]
    fn identifiers_are_in_the_order_of_time() {
        assert_eq!(&hexadecimal(0x0123_4567_89ab << 80 | 0xff), b"0123456789ab000000000000000000ff");
        let first = generate();
        let millis = |id: &HeaderValue| u64::from_str_radix(&id.to_str().unwrap()[..12], 16).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        assert!(u128::from(millis(&first)).abs_diff(now) < 60_000);
        assert!(millis(&first) <= millis(&generate()));
    }

    #[test]
    fn text_that_could_forge_a_log_line_is_refused() {
        assert!(is_well_formed(&HeaderValue::from_static("4bf92f35-77b3/root=1:2")));
        for bad in ["", "a b", "a\"b", "a,b", &"x".repeat(129)] {
            assert!(!is_well_formed(&HeaderValue::from_str(bad).unwrap()), "{bad}");
        }
    }
}
