//! Public keys as the gateway uses them, and as tests of plugins do natively: read from PEM, DER or JWK, each bound to the
//! algorithms it fits.

use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde::Deserialize;
use sluice_abi::Signature;

/// A public key, parsed for each algorithm it fits when that is first used.
pub struct PublicKey {
    bytes: Vec<u8>,
    /// Set where the key itself names its algorithm.
    only: Option<Signature>,
    parsed: [OnceLock<Option<ParsedPublicKey>>; Signature::ALL.len()],
}

/// The bytes are no public key that can be used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError;

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no public key in PEM, DER or as a JWK that can be used to verify")
    }
}

impl std::error::Error for KeyError {}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} bytes)", self.bytes.len())
    }
}

impl PublicKey {
    /// Bytes of it.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// A public key from PEM or DER (`SubjectPublicKeyInfo`, RFC 5280) or from a JWK (RFC 7517).
    pub fn import(bytes: &[u8]) -> Result<Self, KeyError> {
        let (bytes, only) = if bytes.trim_ascii_start().starts_with(b"{") {
            from_jwk(bytes)?
        } else if bytes.trim_ascii_start().starts_with(b"-----BEGIN PUBLIC KEY-----") {
            (from_pem(bytes)?, None)
        } else {
            (bytes.to_vec(), None)
        };
        let key = Self { bytes, only, parsed: [const { OnceLock::new() }; Signature::ALL.len()] };
        let fits = Signature::ALL.iter().any(|algorithm| key.parsed(*algorithm).is_some());
        if fits { Ok(key) } else { Err(KeyError) }
    }

    fn parsed(&self, algorithm: Signature) -> Option<&ParsedPublicKey> {
        if self.only.is_some_and(|only| only != algorithm) {
            return None;
        }
        let slot = &self.parsed[algorithm.number().unsigned_abs() as usize];
        slot.get_or_init(|| ParsedPublicKey::new(native(algorithm), &self.bytes).ok()).as_ref()
    }

    /// Whether `signature` is this key's over `data`; none if the key is not for the algorithm.
    pub fn verify(&self, algorithm: Signature, data: &[u8], signature: &[u8]) -> Option<bool> {
        Some(self.parsed(algorithm)?.verify_sig(data, signature).is_ok())
    }
}

fn native(algorithm: Signature) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        Signature::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Signature::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Signature::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Signature::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Signature::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Signature::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Signature::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        Signature::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        Signature::Es512 => &signature::ECDSA_P521_SHA512_FIXED,
        Signature::EdDsa => &signature::ED25519,
    }
}

fn from_pem(pem: &[u8]) -> Result<Vec<u8>, KeyError> {
    let text = std::str::from_utf8(pem).map_err(|_| KeyError)?;
    let body = text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----").ok_or(KeyError)?;
    let body = body.strip_suffix("-----END PUBLIC KEY-----").ok_or(KeyError)?;
    let packed: String = body.split_ascii_whitespace().collect();
    BASE64.decode(packed.as_bytes()).map_err(|_| KeyError)
}

fn from_jwk(json: &[u8]) -> Result<(Vec<u8>, Option<Signature>), KeyError> {
    let jwk: Jwk = serde_json::from_slice(json).map_err(|_| KeyError)?;
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return Err(KeyError);
    }
    let only = jwk.alg.as_deref().map(|alg| by_name(alg).ok_or(KeyError)).transpose()?;
    let field = |value: &Option<String>| {
        let text = value.as_deref().ok_or(KeyError)?;
        BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| KeyError)
    };
    match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", None) => {
            let components = PublicKeyComponents { n: field(&jwk.n)?, e: field(&jwk.e)? };
            let der: PublicKeyX509Der<'_> = components.as_der().map_err(|_| KeyError)?;
            Ok((der.as_ref().to_vec(), only))
        }
        ("EC", Some(curve)) => {
            let (size, algorithm) = match curve {
                "P-256" => (32, Signature::Es256),
                "P-384" => (48, Signature::Es384),
                "P-521" => (66, Signature::Es512),
                _ => return Err(KeyError),
            };
            let (x, y) = (field(&jwk.x)?, field(&jwk.y)?);
            // RFC 7518 section 6.2.1.2: the full size of a coordinate, leading zeros included.
            if x.len() != size || y.len() != size || only.is_some_and(|only| only != algorithm) {
                return Err(KeyError);
            }
            Ok(([&[4], &x[..], &y[..]].concat(), Some(algorithm)))
        }
        ("OKP", Some("Ed25519")) if only.is_none_or(|only| only == Signature::EdDsa) => {
            let x = field(&jwk.x)?;
            if x.len() == 32 { Ok((x, Some(Signature::EdDsa))) } else { Err(KeyError) }
        }
        _ => Err(KeyError),
    }
}

fn by_name(name: &str) -> Option<Signature> {
    Some(match name {
        "RS256" => Signature::Rs256,
        "RS384" => Signature::Rs384,
        "RS512" => Signature::Rs512,
        "PS256" => Signature::Ps256,
        "PS384" => Signature::Ps384,
        "PS512" => Signature::Ps512,
        "ES256" => Signature::Es256,
        "ES384" => Signature::Es384,
        "ES512" => Signature::Es512,
        "EdDSA" | "Ed25519" => Signature::EdDsa,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};

    use super::*;

    #[test]
    fn ecdsa_in_every_encoding_and_only_with_its_algorithm() {
        let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let signed = pair.sign(&SystemRandom::new(), b"data").unwrap();
        let point = pair.public_key().as_ref();
        let jwk = serde_json::json!({
            "kty": "EC", "crv": "P-256",
            "x": BASE64URL_NOPAD.encode(&point[1..33]), "y": BASE64URL_NOPAD.encode(&point[33..]),
        });
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            BASE64.encode(der.as_ref())
        );
        for bytes in [jwk.to_string().into_bytes(), der.as_ref().to_vec(), pem.into_bytes()] {
            let key = PublicKey::import(&bytes).unwrap();
            assert_eq!(key.verify(Signature::Es256, b"data", signed.as_ref()), Some(true));
            assert_eq!(key.verify(Signature::Es256, b"Data", signed.as_ref()), Some(false));
            assert_eq!(key.verify(Signature::Es256, b"data", b""), Some(false));
            assert_eq!(key.verify(Signature::Rs256, b"data", signed.as_ref()), None);
            assert_eq!(key.verify(Signature::EdDsa, b"data", signed.as_ref()), None);
        }
    }

    #[test]
    fn an_ed25519_jwk_verifies() {
        let pair = Ed25519KeyPair::generate().unwrap();
        let jwk = serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "x": BASE64URL_NOPAD.encode(pair.public_key().as_ref()),
        });
        let key = PublicKey::import(jwk.to_string().as_bytes()).unwrap();
        assert_eq!(key.verify(Signature::EdDsa, b"data", pair.sign(b"data").as_ref()), Some(true));
    }

    #[test]
    fn rsa_serves_both_paddings_unless_the_key_names_one() {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let sign = |padding: &'static dyn signature::RsaEncoding| {
            let mut signed = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &SystemRandom::new(), b"data", &mut signed).unwrap();
            signed
        };
        let (pkcs1, pss) = (sign(&signature::RSA_PKCS1_SHA256), sign(&signature::RSA_PSS_SHA384));
        // RSAPublicKey (RFC 8017 appendix A.1.1): the header, the modulus of 256 bytes, the exponent 65537.
        let der = pair.public_key().as_ref();
        let (modulus, exponent) = (&der[9..265], &der[der.len() - 3..]);
        let mut jwk = serde_json::json!({
            "kty": "RSA",
            "n": BASE64URL_NOPAD.encode(modulus),
            "e": BASE64URL_NOPAD.encode(exponent),
        });
        let key = PublicKey::import(jwk.to_string().as_bytes()).unwrap();
        assert_eq!(key.verify(Signature::Rs256, b"data", &pkcs1), Some(true));
        assert_eq!(key.verify(Signature::Ps384, b"data", &pss), Some(true));
        assert_eq!(key.verify(Signature::Rs256, b"data", &pss), Some(false));
        jwk["alg"] = "RS256".into();
        let key = PublicKey::import(jwk.to_string().as_bytes()).unwrap();
        assert_eq!(key.verify(Signature::Ps384, b"data", &pss), None);
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        for bytes in [
            &b""[..],
            b"hello",
            b"{}",
            br#"{"kty":"oct","k":"AAAA"}"#,
            br#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
            br#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#,
            b"-----BEGIN PUBLIC KEY-----\n!!\n-----END PUBLIC KEY-----",
        ] {
            assert_eq!(PublicKey::import(bytes).err(), Some(KeyError));
        }
    }
}
