//! Asking the authorization server (RFC 7662 section 2).

use data_encoding::BASE64;
use serde_json::Value as Json;
use sluice_sdk::prelude::*;
use sluice_sdk_claims::Claims;

use crate::config::{ClientAuthentication, Config};

/// The longest answer. It is kept in the store and left for later steps.
pub(crate) const MAX_ANSWER: usize = 16 << 10;

const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// What the server says of a token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Active(Claims),
    Inactive,
}

/// Where and as whom to ask.
pub(crate) struct Server {
    upstream: String,
    path: String,
    /// The value of `Authorization`.
    authorization: Option<String>,
    /// What stands in the body behind the token.
    form: String,
    pub(crate) timeout: Duration,
}

impl Server {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let Config { upstream, path, client_id, client_secret, credential, timeout, .. } = config;
        ensure!(!upstream.is_empty(), "`upstream` is empty");
        let is_path =
            path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        ensure!(is_path, "`path` begins with `/` and is percent-encoded");
        ensure!(
            !timeout.is_zero() && *timeout <= MAX_TIMEOUT,
            "`timeout` is more than nothing and at most 30s"
        );
        let mut form = String::new();
        if !config.token_type_hint.is_empty() {
            push(&mut form, "token_type_hint", &config.token_type_hint);
        }
        let post = config.client_authentication == ClientAuthentication::Post;
        let authorization = match (client_id.as_deref(), client_secret.as_deref(), credential) {
            (Some(""), ..) | (_, Some(""), _) => bail!("`client_id` or `client_secret` is empty"),
            (Some(id), Some(secret), None) if post => {
                push(&mut form, "client_id", id);
                push(&mut form, "client_secret", secret);
                None
            }
            (Some(id), Some(secret), None) => Some(basic(id, secret)),
            (Some(id), None, None) => {
                push(&mut form, "client_id", id);
                None
            }
            (None, None, Some(value)) => {
                let value = value.as_str().filter(|value| !value.is_empty());
                Some(value.context("`credential` is empty")?.to_owned())
            }
            (None, Some(_), _) => bail!("`client_secret` is whose? Give `client_id`"),
            (Some(_), _, Some(_)) => bail!("`credential` is instead of `client_id`: use one"),
            (None, None, None) => {
                bail!("`client_id` is missing: say who the gateway is, or give `credential`")
            }
        };
        let (upstream, path) = (upstream.clone(), path.clone());
        Ok(Self { upstream, path, authorization, form, timeout: *timeout })
    }

    /// What an answer depends on beside the token: different servers and clients are told different things.
    pub(crate) fn identity(&self) -> [&str; 4] {
        [&self.upstream, &self.path, self.authorization.as_deref().unwrap_or_default(), &self.form]
    }

    /// What the server says. `Err` tells the operator why it could not be found out.
    pub(crate) fn ask(&self, token: &str) -> Result<Answer> {
        let mut body = String::with_capacity(token.len() + self.form.len() + 8);
        push(&mut body, "token", token);
        if !self.form.is_empty() {
            body.push('&');
            body.push_str(&self.form);
        }
        let mut request = Fetch::post(&self.upstream, &self.path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .timeout(self.timeout)
            .body(body);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let response =
            fetch(request).map_err(|error| error.context(format!("upstream `{}`", self.upstream)))?;
        match response.status() {
            200 => read(response.body()),
            status @ (401 | 403) => {
                bail!("the server answered {status}: it does not accept the gateway's credentials")
            }
            status => bail!("the server answered {status}"),
        }
    }
}

/// RFC 7662 section 2.2: an object whose `active` is a boolean.
pub(crate) fn read(body: &[u8]) -> Result<Answer> {
    ensure!(body.len() <= MAX_ANSWER, "the server's answer is longer than {MAX_ANSWER} bytes");
    parse(body)
}

/// An answer that was kept: written anew it may have become longer.
pub(crate) fn parse(body: &[u8]) -> Result<Answer> {
    // What it says belongs in no log: the place of a mistake is enough.
    let Ok(Json::Object(claims)) = serde_json::from_slice(body) else {
        bail!("the server's answer is no JSON object");
    };
    match claims.get("active") {
        Some(Json::Bool(true)) => Ok(Answer::Active(claims)),
        Some(Json::Bool(false)) => Ok(Answer::Inactive),
        _ => bail!("the server's answer does not say whether the token is `active`"),
    }
}

/// RFC 6749 section 2.3.1: both are encoded as forms are before they are joined.
fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{}:{}", encoded(id), encoded(secret)).as_bytes()))
}

fn push(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    form.push_str(name);
    form.push('=');
    form.push_str(&encoded(value));
}

/// `application/x-www-form-urlencoded`, RFC 6749 appendix B.
fn encoded(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"-._*".contains(&byte) => encoded.push(char::from(byte)),
            byte => {
                encoded.push('%');
                encoded.push(char::from(HEX[usize::from(byte >> 4)]));
                encoded.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_are_encoded_as_the_specification_shows() {
        // RFC 6749 appendix B.
        assert_eq!(encoded(" %&+£€"), "+%25%26%2B%C2%A3%E2%82%AC");
        // RFC 6749 section 2.3.1.
        assert_eq!(
            basic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw"),
            "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"
        );
        assert_eq!(basic("a:b", "c d"), format!("Basic {}", BASE64.encode(b"a%3Ab:c+d")));
    }

    #[test]
    fn only_a_plain_yes_is_one() {
        assert_eq!(read(br#"{"active":false,"sub":"x"}"#).unwrap(), Answer::Inactive);
        assert!(
            matches!(read(br#"{"active":true,"sub":"x"}"#), Ok(Answer::Active(claims)) if claims["sub"] == "x")
        );
        for bad in [
            &b""[..],
            b"{}",
            b"true",
            b"[{\"active\":true}]",
            b"{\"active\":\"true\"}",
            b"{\"active\":1}",
            b"{\"active\":null}",
            b"{\"active\":true",
            b"{\"active\":true}{}",
            &[b' '; MAX_ANSWER + 1],
        ] {
            assert!(read(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(body: Vec<u8>) {
            let _ = read(&body);
        }

        #[test]
        fn what_is_encoded_says_the_same(text: String) {
            let encoded = encoded(&text);
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic() && !b"&=:#".contains(&byte)));
            let mut decoded = Vec::new();
            let mut bytes = encoded.bytes();
            while let Some(byte) = bytes.next() {
                decoded.push(match byte {
                    b'+' => b' ',
                    b'%' => {
                        let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                        u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                    }
                    byte => byte,
                });
            }
            prop_assert_eq!(decoded, text.into_bytes());
        }
    }
}
