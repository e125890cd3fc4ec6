//! Where a request carries its token (RFC 6750 section 2.1).

use sluice_sdk::prelude::*;

use crate::refusal::Refusal;

const BEARER: &[u8] = b"bearer";

/// The longest token. It goes out in a body, and is hashed for each request.
pub(crate) const MAX_TOKEN: usize = 8 << 10;

/// The token of this header: in `Authorization` after `Bearer`, in any other alone. None if there is none, or an empty one.
pub(crate) fn find(request: &Request, header: &HeaderName) -> Result<Option<String>, Refusal> {
    let values = request.headers().get_all(header);
    let mut tokens: Vec<&[u8]> = if header == "authorization" {
        values.iter().filter_map(|value| bearer(value.as_bytes())).collect()
    } else {
        values.iter().map(|value| value.as_bytes().trim_ascii()).collect()
    };
    // With another scheme beside it, it would be a guess which of them the upstream goes by.
    if !tokens.is_empty() && values.len() > 1 {
        return Err(Refusal::Several);
    }
    tokens.retain(|token| !token.is_empty());
    tokens.pop().map(read).transpose()
}

/// What follows the scheme `Bearer`, in any case; none if the scheme is another one.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let value = value.trim_ascii();
    let (scheme, rest) = value.split_at_checked(BEARER.len())?;
    let ends = rest.first().is_none_or(|byte| matches!(byte, b' ' | b'\t'));
    (ends && scheme.eq_ignore_ascii_case(BEARER)).then(|| rest.trim_ascii_start())
}

/// RFC 6749 appendix A.12: visible ASCII. Nothing else is worth asking about.
fn read(token: &[u8]) -> Result<String, Refusal> {
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
    fn the_scheme_is_a_word_of_its_own_in_any_case() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bEARER \t abc  ", Some("abc")),
            ("Bearer", Some("")),
            ("Bearerabc", None),
            ("Bear", None),
            ("Basic abc", None),
            ("", None),
        ] {
            assert_eq!(bearer(value.as_bytes()), token.map(str::as_bytes), "{value:?}");
        }
    }

    #[test]
    fn a_token_is_visible_and_bounded() {
        assert_eq!(read(b"mF_9.B5f-4.1JqM").unwrap(), "mF_9.B5f-4.1JqM");
        for bad in [&b"a b"[..], b"\xff", "é".as_bytes(), &[b'a'; MAX_TOKEN + 1]] {
            assert!(matches!(read(bad), Err(Refusal::Invalid(_))));
        }
    }
}
