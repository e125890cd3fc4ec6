//! `sluice keys`: a credential is shown once; what is kept is its digest.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::{hmac, rand};
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
        /// The configuration under whose `credentials.pepper` the digest is made.
        #[arg(long, value_name = "FILE", default_value = "gateway.toml")]
        config: PathBuf,
    },
}

/// Bytes of a key: 256 bits, so that its digest cannot be searched for.
const KEY_BYTES: usize = 32;

pub(super) fn run(command: &Command) -> Result<()> {
    let Command::New { consumer, user, id, expires, config } = command;
    // What the gateway would refuse is refused before a secret is shown that nobody could use.
    ensure!(config::is_name(consumer), "`{}` cannot be the name of a consumer", consumer.escape_debug());
    for text in user.iter().chain(id) {
        let shown = text.escape_debug();
        ensure!(config::can_be_sent(text), "`{shown}` is not 1 to 256 bytes without control characters");
    }
    if let Some(time) = expires {
        ensure!(config::is_time(time), "`{time}` is no date and time such as 2027-01-01T00:00:00Z");
    }
    ensure!(
        !user.as_ref().is_some_and(|user| user.contains(':')),
        "a user name cannot have a colon in it (RFC 7617 section 2)"
    );
    let loaded = config::load(config, &config::ProcessEnvironment)
        .map_err(|problems| crate::gateway::GatewayError::Problems(problems.to_string()))?;
    let file = config.display();
    let pepper = loaded.pepper.with_context(|| {
        format!("`{file}` has no pepper\n\nhint: add `[credentials]` with `pepper = \"${{env:NAME}}\"`, or name another file with --config")
    })?;
    let mut bytes = [0; KEY_BYTES];
    rand::fill(&mut bytes).ok().context("the system gives no random bytes")?;
    let random = data_encoding::BASE64URL_NOPAD.encode(&bytes);
    let expires = expires.as_ref().map(|time| format!(", expires = {time}")).unwrap_or_default();
    let (secret, kind, line) = match user {
        Some(user) => {
            let hash = hash(&format!("{user}:{random}"), pepper.expose());
            let user = quoted(user);
            (random, "password", format!("passwords = [{{ user = {user}, hash = \"{hash}\"{expires} }}]"))
        }
        None => {
            let key = format!("sluice_{random}");
            let hash = hash(&key, pepper.expose());
            let id = id.as_ref().map(|id| format!("id = {}, ", quoted(id))).unwrap_or_default();
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

fn hash(secret: &str, pepper: &str) -> String {
    let pepper = hmac::Key::new(hmac::HMAC_SHA256, pepper.as_bytes());
    format!("hmac-sha256:{}", sha256_hex(hmac::sign(&pepper, secret.as_bytes()).as_ref()))
}

/// A name as a TOML key: bare where that is allowed.
fn toml_key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { quoted(name) }
}

/// A text without control characters as a basic string of TOML.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_key_s_own() {
        // `printf demo-key | openssl sha256 -hmac 'a pepper for samples alone'`
        let digest = "hmac-sha256:cf9dbea0ada0383092519bf592f640519fa374e9c2f7d3f84cbfb51c64c3cc78";
        assert_eq!(hash("demo-key", "a pepper for samples alone"), digest);
        assert_ne!(hash("demo-key", "pepper"), hash("demo-key", "salt"));
    }

    #[test]
    fn odd_names_are_quoted() {
        assert_eq!(toml_key("acme-1"), "acme-1");
        assert_eq!(toml_key("a@acme.example"), "\"a@acme.example\"");
        for text in ["a \"b\" \\c", "\u{200b}", "é"] {
            let document: toml::Table = toml::from_str(&format!("key = {}", quoted(text))).unwrap();
            assert_eq!(document["key"].as_str(), Some(text));
        }
    }
}
