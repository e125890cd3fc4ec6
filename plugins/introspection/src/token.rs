//! What a token may look like.

use sluice_sdk_claims::Refusal;

/// The longest token. It goes out in a body, and is hashed for each request.
const MAX_TOKEN: usize = 8 << 10;

/// RFC 6749 appendix A.12: visible ASCII. Nothing else is worth asking about.
pub(crate) fn read(token: &[u8]) -> Result<String, Refusal> {
    if token.len() > MAX_TOKEN {
        return Err(Refusal::Invalid("the token is longer than 8192 bytes"));
    }
    let text =
        std::str::from_utf8(token).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
    text.map(str::to_owned).ok_or(Refusal::Invalid("the token has characters that no token has"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_visible_and_bounded() {
        assert_eq!(read(b"mF_9.B5f-4.1JqM").unwrap(), "mF_9.B5f-4.1JqM");
        for bad in [&b"a b"[..], b"\xff", "é".as_bytes(), &[b'a'; MAX_TOKEN + 1]] {
            assert!(matches!(read(bad), Err(Refusal::Invalid(_))));
        }
    }
}
