//! `sluice keys`: a credential is shown once; what is kept is its digest.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::{digest, hmac, rand};
use clap::Subcommand as ClapSubcommand;

use crate::config;
use crate::wasm::sha256_hex;

#[derive(ClapSubcommand)]
pub(super) enum Command {
    /// Print a new API key or password, once, and the line that lets its consumer in.
    New {
        /// The consumer it is for.
        consumer: String,
        /// Make a password for this user name instead of an API key.
        #[arg(long, value_name = "NAME", conflicts_with = "id")]
        user: Option<String>,
        /// What identifies the key in logs and to upstreams.
        #[arg(long)]
        id: Option<String>,
        /// From then on it is refused, as 2027-01-01T00:00:00Z.
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// The configuration whose `credentials.pepper` the digest is made with; without it, plain SHA-256.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// Bytes of a key: 256 bits, so that its digest cannot be searched for.
const KEY_BYTES: usize = 32;

pub(super) fn run(command: &Command) -> Result<()> {
    let Command::New { consumer, user, id, expires, config } = command;
    let pepper = match config {
        Some(file) => {
            let config = config::load(file, &config::ProcessEnvironment)
                .map_err(|problems| crate::gateway::GatewayError::Problems(problems.to_string()))?;
            config.pepper
        }
        None => None,
    };
    let mut bytes = [0; KEY_BYTES];
    rand::fill(&mut bytes).ok().context("the system gives no random bytes")?;
    let random = data_encoding::BASE64URL_NOPAD.encode(&bytes);
    let pepper = pepper.as_ref().map(config::Secret::expose);
    if let Some(time) = expires {
        ensure!(config::is_time(time), "`{time}` is no date and time such as 2027-01-01T00:00:00Z");
    }
    let expires = expires.as_ref().map(|time| format!(", expires = {time}")).unwrap_or_default();
    let (secret, kind, line) = match user {
        Some(user) => {
            ensure!(!user.contains(':'), "a user name cannot have a colon in it (RFC 7617 section 2)");
            let hash = hash(&format!("{user}:{random}"), pepper);
            let needed =
                "a password is kept under a pepper: `--config FILE` of a gateway with `[credentials]`";
            ensure!(hash.starts_with("hmac-"), "{needed}");
            (random, "password", format!("passwords = [{{ user = {user:?}, hash = \"{hash}\"{expires} }}]"))
        }
        None => {
            let key = format!("sluice_{random}");
            let hash = hash(&key, pepper);
            let id = id.as_ref().map(|id| format!("id = {id:?}, ")).unwrap_or_default();
            (key, "key", format!("keys = [{{ {id}hash = \"{hash}\"{expires} }}]"))
        }
    };
    say!("{secret}");
    say!("");
    say!("This is the only time the {kind} is shown. Its consumer's {kind}s in the configuration:");
    say!("");
    say!("[consumers.{}]", toml_key(consumer));
    say!("{line}");
    Ok(())
}

fn hash(key: &str, pepper: Option<&str>) -> String {
    match pepper {
        Some(pepper) => {
            let pepper = hmac::Key::new(hmac::HMAC_SHA256, pepper.as_bytes());
            format!("hmac-sha256:{}", sha256_hex(hmac::sign(&pepper, key.as_bytes()).as_ref()))
        }
        None => format!("sha256:{}", sha256_hex(digest::digest(&digest::SHA256, key.as_bytes()).as_ref())),
    }
}

/// A name as a TOML key: bare where that is allowed.
fn toml_key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { format!("{name:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_key_s_own() {
        // `printf demo-key | sha256sum`
        let plain = hash("demo-key", None);
        assert!(plain.starts_with("sha256:") && plain.len() == 7 + 64);
        assert_ne!(hash("demo-key", Some("pepper")), hash("demo-key", Some("salt")));
    }

    #[test]
    fn odd_names_are_quoted() {
        assert_eq!(toml_key("acme-1"), "acme-1");
        assert_eq!(toml_key("acme corp"), "\"acme corp\"");
        assert_eq!(toml_key(""), "\"\"");
    }
}
