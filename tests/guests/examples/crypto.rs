//! Digests, HMAC, comparison and signatures, on what request headers say.

use sluice_sdk::crypto::{Digest, Key, Signature};
use sluice_sdk::prelude::*;

struct Cipher {
    secret: Key,
    public: Vec<(Signature, Key, Vec<u8>)>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The name of a granted secret.
    secret: String,
    /// Keys and signatures of the text `signed`.
    #[serde(default)]
    signatures: Vec<Signed>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Signed {
    /// The place of the algorithm in `Signature::ALL`.
    algorithm: usize,
    /// PEM or JWK.
    key: String,
    /// The signature in hexadecimal digits.
    signature: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Result<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| Ok(u8::from_str_radix(text.get(at..at + 2).context("odd")?, 16)?))
        .collect()
}

#[plugin(name = "crypto", capabilities(crypto, secret))]
impl Plugin for Cipher {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let public = config.signatures.iter().map(|signed| {
            let algorithm = *Signature::ALL.get(signed.algorithm).context("an algorithm")?;
            Ok((algorithm, Key::public(&signed.key)?, unhex(&signed.signature)?))
        });
        Ok(Self { public: public.collect::<Result<_>>()?, secret: Key::secret(&config.secret)? })
    }

    fn on_request(&self, request: &mut Request, _: &mut Context) -> Result<Verdict> {
        let text = request.headers().get("x-text").map(|text| text.as_bytes().to_vec()).unwrap_or_default();
        let tag = self.secret.hmac(Digest::Sha256, &text)?;
        let mut verified = Vec::new();
        for (algorithm, key, signature) in &self.public {
            let good = key.verify(*algorithm, "signed", signature)?;
            let bad = key.verify(*algorithm, "forged", signature)?;
            verified.push(format!("{algorithm:?}={good}/{bad}"));
        }
        let equal = crypto::equal(&text, "same");
        let again = self.secret.verify_hmac(Digest::Sha256, &text, &tag)?;
        let headers = &mut request.headers_mut();
        headers.set("x-digest", hex(&crypto::digest(Digest::Sha256, &text)?))?;
        headers.set("x-hmac", hex(&tag))?;
        headers.set("x-verified", format!("{again} {equal} {}", verified.join(" ")))?;
        Ok(Verdict::Continue)
    }
}
