//! Reads tokens in the compact form (RFC 7515 section 7.1). Nothing in one is believed here, and nothing is fetched for it.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value as Json};
use sluice_sdk_claims::Refusal;

use crate::algorithm::Algorithm;
use crate::json;

/// Bytes of the longest token. Headers that carry longer ones are rare, and few servers take them.
pub(crate) const MAX_TOKEN: usize = 16 << 10;

/// Bytes of the longest `kid`.
const MAX_KID: usize = 256;

/// Header parameters that change what the token or its payload is, none of which is understood here. To ignore them would be to
/// verify something else than the signer signed.
const NOT_UNDERSTOOD: [(&str, Refusal); 5] = [
    ("crit", Refusal::Invalid("the token has critical extensions, of which none is understood")),
    ("b64", Refusal::Invalid("the token has a payload that is not encoded")),
    ("zip", Refusal::Invalid("the token is compressed")),
    ("enc", Refusal::Invalid("the token is encrypted")),
    ("cty", Refusal::Invalid("the token is nested in another one")),
];

const MALFORMED: Refusal = Refusal::Invalid("the token is malformed");

/// A token of which only the form was checked.
#[derive(Debug)]
pub(crate) struct Token<'t> {
    pub(crate) algorithm: Algorithm,
    /// Which key signed it: something to look up by, and nothing else.
    pub(crate) kid: Option<String>,
    pub(crate) typ: Option<String>,
    /// What was signed: header and payload as they were sent.
    pub(crate) signed: &'t [u8],
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl<'t> Token<'t> {
    pub(crate) fn parse(token: &'t [u8]) -> Result<Self, Refusal> {
        if token.len() > MAX_TOKEN {
            return Err(Refusal::Invalid("the token is too long"));
        }
        let mut parts = token.split(|&byte| byte == b'.');
        let (Some(header), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(MALFORMED);
        };
        match parts.count() {
            0 => {}
            2 => return Err(Refusal::Invalid("the token is encrypted")),
            _ => return Err(MALFORMED),
        }
        let signed = &token[..header.len() + 1 + payload.len()];
        let header = json::object(&decode(header)?).ok_or(MALFORMED)?;
        if let Some((_, refusal)) = NOT_UNDERSTOOD.iter().find(|(name, _)| header.contains_key(*name)) {
            return Err(*refusal);
        }
        let algorithm = text(&header, "alg")?.ok_or(MALFORMED)?;
        let algorithm =
            Algorithm::named(algorithm).ok_or(Refusal::Invalid("the algorithm is not accepted"))?;
        let kid = text(&header, "kid")?;
        if kid.is_some_and(|kid| kid.is_empty() || kid.len() > MAX_KID || kid.chars().any(char::is_control)) {
            return Err(MALFORMED);
        }
        let typ = text(&header, "typ")?.map(str::to_owned);
        let (payload, signature) = (decode(payload)?, decode(signature)?);
        if signature.is_empty() {
            return Err(Refusal::Invalid("the token is not signed"));
        }
        Ok(Self { algorithm, kid: kid.map(str::to_owned), typ, signed, payload, signature })
    }
}

/// Of base64url in the one way to write it: no padding, no blanks, no bits left over. So a token has one spelling.
fn decode(part: &[u8]) -> Result<Vec<u8>, Refusal> {
    BASE64URL_NOPAD.decode(part).map_err(|_| MALFORMED)
}

/// A member that is a text if it is there.
pub(crate) fn text<'m>(members: &'m Map<String, Json>, name: &str) -> Result<Option<&'m str>, Refusal> {
    match members.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(MALFORMED),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compact(header: &str, payload: &str, signature: &[u8]) -> String {
        let parts = [header.as_bytes(), payload.as_bytes(), signature];
        parts.map(|part| BASE64URL_NOPAD.encode(part)).join(".")
    }

    fn refusal(token: impl AsRef<[u8]>) -> &'static str {
        match Token::parse(token.as_ref()) {
            Err(Refusal::Invalid(detail)) => detail,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_example_of_rfc_7515_a_1_is_read() {
        let token = concat!(
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.",
            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
        let token = Token::parse(token.as_bytes()).unwrap();
        assert_eq!((token.algorithm, token.typ.as_deref()), (Algorithm::Hs256, Some("JWT")));
        assert_eq!(token.signature[..4], [116, 24, 223, 180]);
        let claims = json::object(&token.payload).unwrap();
        assert_eq!((&claims["iss"], &claims["exp"]), (&"joe".into(), &1_300_819_380.into()));
        assert_eq!(token.signed.iter().filter(|&&byte| byte == b'.').count(), 1);
    }

    #[test]
    fn only_three_parts_are_a_token() {
        let malformed = "the token is malformed";
        for token in
            ["", ".", "..", "a", "a.b", "e30.e30", "e30.e30.AA.AA", "e30.e30.AA.AA.AA.AA", "{}.{}.{}"]
        {
            assert_eq!(refusal(token), malformed, "{token}");
        }
        assert_eq!(refusal("eyJhbGciOiJkaXIifQ..AA.AA.AA"), "the token is encrypted");
        assert_eq!(refusal("a".repeat(MAX_TOKEN + 1)), "the token is too long");
    }

    #[test]
    fn base64url_is_read_in_one_spelling_only() {
        assert_eq!(decode(b"-_8"), Ok(vec![0xfb, 0xff]));
        for other in ["-_8=", "-_9", "+/8", "-_8 ", " -_8", "-_\n8", "-", "-_8A-", "%2D_8"] {
            assert_eq!(decode(other.as_bytes()), Err(MALFORMED), "{other:?}");
        }
    }

    #[test]
    fn headers_that_would_change_the_meaning_are_refused() {
        for (header, wanted) in [
            (r#"{"alg":"ES256","crit":["exp"]}"#, "critical"),
            (r#"{"alg":"ES256","crit":[]}"#, "critical"),
            (r#"{"alg":"ES256","b64":false,"crit":["b64"]}"#, "critical"),
            (r#"{"alg":"ES256","b64":true}"#, "not encoded"),
            (r#"{"alg":"ES256","zip":"DEF"}"#, "compressed"),
            (r#"{"alg":"ES256","enc":"A128GCM"}"#, "encrypted"),
            (r#"{"alg":"ES256","cty":"JWT"}"#, "nested"),
            (r#"{"alg":"none"}"#, "algorithm"),
            (r#"{"alg":"NONE"}"#, "algorithm"),
            (r#"{"alg":"es256"}"#, "algorithm"),
            (r#"{"alg":""}"#, "algorithm"),
            (r#"{"alg":null}"#, "malformed"),
            (r#"{"alg":["ES256"]}"#, "malformed"),
            (r#"{"typ":"JWT"}"#, "malformed"),
            (r#"{"alg":"ES256","alg":"ES256"}"#, "malformed"),
            (r#"{"alg":"ES256","x":1,"x":2}"#, "malformed"),
            (r#"{"alg":"ES256","kid":1}"#, "malformed"),
            (r#"{"alg":"ES256","kid":""}"#, "malformed"),
            (r#"{"alg":"ES256","kid":"a\u0000b"}"#, "malformed"),
            (r#"{"alg":"ES256","kid":"a\nb"}"#, "malformed"),
            (r#"{"alg":"ES256","typ":true}"#, "malformed"),
            (r#"["ES256"]"#, "malformed"),
        ] {
            let detail = refusal(compact(header, "{}", b"s"));
            assert!(detail.contains(wanted), "{header}: {detail}");
        }
        let kid = |length: usize| format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(length));
        assert!(Token::parse(compact(&kid(MAX_KID), "{}", b"s").as_bytes()).is_ok());
        assert_eq!(refusal(compact(&kid(MAX_KID + 1), "{}", b"s")), "the token is malformed");
        assert_eq!(refusal(compact(r#"{"alg":"ES256"}"#, "{}", b"")), "the token is not signed");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Token::parse(&bytes);
        }

        #[test]
        fn what_is_read_is_written_the_same(header in "[ -~]{0,40}", payload in any::<Vec<u8>>(), signature in any::<Vec<u8>>()) {
            let header = format!(r#"{{"alg":"RS256","x":{}}}"#, serde_json::to_string(&header).unwrap());
            let parts = [header.as_bytes(), &payload, &signature];
            let text = parts.map(|part| BASE64URL_NOPAD.encode(part)).join(".");
            match Token::parse(text.as_bytes()) {
                Ok(token) => {
                    prop_assert_eq!(&token.payload, &payload);
                    prop_assert_eq!(&token.signature, &signature);
                    prop_assert_eq!(token.signed, &text.as_bytes()[..text.rfind('.').unwrap()]);
                }
                Err(refusal) => prop_assert!(signature.is_empty(), "{refusal:?}"),
            }
        }
    }
}
