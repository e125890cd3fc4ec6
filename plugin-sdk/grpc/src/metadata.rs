//! Metadata: which headers are the call's own, and the values of those that end in `-bin`.

use std::sync::LazyLock;

use data_encoding::{BASE64_NOPAD, Encoding};

/// Libraries differ in the bits that are left over at the end.
static LENIENT: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = BASE64_NOPAD.specification();
    specification.check_trailing_bits = false;
    specification.encoding().expect("it is the specification of RFC 4648 but for one check")
});

/// Headers that belong to HTTP, to one connection or to one coding of the body, and say nothing to who is called.
const OF_HTTP: [&str; 28] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-ranges",
    "age",
    "allow",
    "connection",
    "content-digest",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "date",
    "digest",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "repr-digest",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
];

/// Whether a header of this lower-case name is metadata of the call: not HTTP's, and not of those that gRPC (`grpc-`) and Connect
/// (`connect-`) keep for themselves.
#[must_use]
pub fn is_metadata(name: &str) -> bool {
    !name.starts_with("grpc-")
        && !name.starts_with("connect-")
        && !name.starts_with(':')
        && OF_HTTP.binary_search(&name).is_err()
}

/// The value of a `-bin` header: without padding, as it should be sent.
#[must_use]
pub fn encode_binary(bytes: &[u8]) -> String {
    BASE64_NOPAD.encode(bytes)
}

/// What is in a `-bin` header, with padding or without. Of several that are joined by commas, which Base64 has none of, each is one.
#[must_use]
pub fn decode_binary(value: &[u8]) -> Option<Vec<u8>> {
    let padding = value.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    LENIENT.decode(&value[..value.len() - padding]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_https_is_no_metadata() {
        assert!(OF_HTTP.is_sorted());
        for name in
            ["content-type", "te", "host", "grpc-timeout", "grpc-status", "connect-timeout-ms", ":path"]
        {
            assert!(!is_metadata(name), "{name}");
        }
        for name in ["authorization", "x-request-id", "user-agent", "trace-bin", "cookie", "www-authenticate"]
        {
            assert!(is_metadata(name), "{name}");
        }
    }

    #[test]
    fn binary_values_have_padding_or_not() {
        assert_eq!(encode_binary(b"\xff\xfe"), "//4");
        for value in ["//4", "//4=", "//5="] {
            assert_eq!(decode_binary(value.as_bytes()).as_deref(), Some(&b"\xff\xfe"[..]), "{value}");
        }
        assert_eq!(decode_binary(b"AAEC").as_deref(), Some(&b"\x00\x01\x02"[..]));
        assert_eq!(decode_binary(b"").as_deref(), Some(&b""[..]));
        for value in ["/", "//4===", "__4", "/ /4", "é"] {
            assert_eq!(decode_binary(value.as_bytes()), None, "{value}");
        }
    }
}
