//! A key pair and a token for the scenario `jwt`, made anew for each run by the `openssl` command.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};

use super::scenario::{Case, Check, Scenario};
use super::template::scratch;

/// A run takes less.
const VALID_FOR: u64 = 24 * 3600;

fn directory() -> PathBuf {
    scratch().join("run/jwt")
}

/// Makes the key pair and gives its token to the cases that want one.
pub(crate) fn prepare(scenarios: &mut [Scenario]) -> Result<()> {
    let cases = scenarios.iter_mut().flat_map(|scenario| &mut scenario.cases);
    let mut cases = cases.filter(|case| matches!(case.check, Check::Jwt)).peekable();
    if cases.peek().is_none() {
        return Ok(());
    }
    let directory = directory();
    fs::create_dir_all(&directory)?;
    let private = directory.join("private.pem");
    let private = private.to_str().context("a path in UTF-8")?;
    openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", private], b"")?;
    let public = openssl(&["pkey", "-in", private, "-pubout"], b"")?;
    fs::write(directory.join("jwt.pem"), public)?;
    let modulus = openssl(&["rsa", "-in", private, "-noout", "-modulus"], b"")?;
    let modulus = String::from_utf8(modulus)?;
    let modulus = unhex(modulus.trim().trim_start_matches("Modulus="));
    let set = format!(
        r#"{{"keys":[{{"kty":"RSA","alg":"RS256","use":"sig","n":"{}","e":"AQAB"}}]}}"#,
        base64url(&modulus)
    );
    fs::write(directory.join("jwks.json"), set)?;

    let expires = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + VALID_FOR;
    let claims = format!(r#"{{"iss":"bench","sub":"8d3c2f0e","aud":"api","scope":"read","exp":{expires}}}"#);
    let signed = format!("{}.{}", base64url(br#"{"alg":"RS256","typ":"JWT"}"#), base64url(claims.as_bytes()));
    let signature = openssl(&["dgst", "-sha256", "-sign", private], signed.as_bytes())?;
    let token = format!("Bearer {signed}.{}", base64url(&signature));
    for case in cases {
        for request in &mut case.requests {
            request.headers.push(("authorization", token.clone()));
        }
    }
    Ok(())
}

/// Puts the public key beside a peer's configuration, as PEM and as a key set.
pub(crate) fn lay_out(case: &Case, into: &Path) -> Result<()> {
    if matches!(case.check, Check::Jwt) {
        for name in ["jwt.pem", "jwks.json"] {
            fs::copy(directory().join(name), into.join(name))?;
        }
    }
    Ok(())
}

fn openssl(arguments: &[&str], input: &[u8]) -> Result<Vec<u8>> {
    let mut command = Command::new("openssl");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot run openssl, which makes the tokens")?;
    child.stdin.take().context("piped")?.write_all(input)?;
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "openssl {} failed: {said}", arguments.join(" "));
    Ok(output.stdout)
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

pub(crate) fn base64url(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            text.push(char::from(SIGNS[(bits >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{base64url, unhex};

    #[test]
    fn base64url_has_no_padding() {
        for (bytes, text) in
            [(&b""[..], ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (b"\xfb\xff", "-_8")]
        {
            assert_eq!(base64url(bytes), text);
        }
        assert_eq!(unhex("00FFa5"), [0, 255, 165]);
    }
}
