//! Admits a request only with a bearer token of RS256 that is signed by the configured key and has not expired.

use std::time::UNIX_EPOCH;

use sluice_sdk::crypto::{Key, Signature};
use sluice_sdk::prelude::*;

struct Jwt {
    key: Key,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The public key, as PEM.
    key: String,
}

/// What of a token's head is looked at.
#[derive(Deserialize)]
struct Head {
    alg: String,
}

/// What of a token's claims is looked at.
#[derive(Deserialize)]
struct Claims {
    exp: u64,
}

#[plugin(name = "jwt", capabilities(crypto, clock))]
impl Plugin for Jwt {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        Ok(Self { key: Key::public(&config.key)? })
    }

    fn on_request(&self, request: &mut Request, _: &mut Context) -> Result<Verdict> {
        let header = request.headers().get("authorization");
        let token = header.as_ref().and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        match token {
            Some(token) if self.admits(token)? => Ok(Verdict::Continue),
            _ => Ok(Verdict::respond(Problem::unauthorized("a valid token is required"))),
        }
    }
}

impl Jwt {
    fn admits(&self, token: &str) -> Result<bool> {
        let Some((signed, signature)) = token.rsplit_once('.') else { return Ok(false) };
        let Some((head, claims)) = signed.split_once('.') else { return Ok(false) };
        let (Some(head), Some(claims), Some(signature)) = (decode(head), decode(claims), decode(signature))
        else {
            return Ok(false);
        };
        let Ok(head) = serde_json::from_slice::<Head>(&head) else { return Ok(false) };
        if head.alg != "RS256" || !self.key.verify(Signature::Rs256, signed, &signature)? {
            return Ok(false);
        }
        let Ok(claims) = serde_json::from_slice::<Claims>(&claims) else { return Ok(false) };
        let now = clock::now().duration_since(UNIX_EPOCH)?.as_secs();
        Ok(now < claims.exp)
    }
}

/// Of base64url without padding; none if it is not that.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for four in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for place in 0..4 {
            bits = bits << 6 | four.get(place).map_or(Some(0), |sign| value(*sign))?;
        }
        let [_, three @ ..] = bits.to_be_bytes();
        bytes.extend_from_slice(three.get(..four.len().checked_sub(1).filter(|count| *count > 0)?)?);
    }
    Some(bytes)
}

fn value(sign: u8) -> Option<u32> {
    Some(u32::from(match sign {
        b'A'..=b'Z' => sign - b'A',
        b'a'..=b'z' => sign - b'a' + 26,
        b'0'..=b'9' => sign - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    }))
}
