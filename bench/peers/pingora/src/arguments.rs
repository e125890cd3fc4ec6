//! What was written on the command line, checked.

use std::path::Path;

use crate::keys::Keys;

const USAGE: &str = "usage: pingora-peer plain|policy LISTEN_PORT ORIGIN_PORT [KEYS_FILE]";

/// Which proxy to be.
pub(crate) enum Mode {
    /// Forwards, nothing else.
    Plain,
    /// API key, token bucket per key, one header each way.
    Policy(Keys),
}

/// The checked command line.
pub(crate) struct Arguments {
    pub(crate) mode: Mode,
    pub(crate) listen: u16,
    pub(crate) origin: u16,
}

impl Arguments {
    pub(crate) fn read() -> Result<Self, String> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (mode, listen, origin) = match words[..] {
            ["plain", listen, origin] => (Mode::Plain, listen, origin),
            ["policy", listen, origin, keys] => (Mode::Policy(read_keys(Path::new(keys))?), listen, origin),
            _ => return Err(USAGE.to_owned()),
        };
        Ok(Self { mode, listen: port(listen)?, origin: port(origin)? })
    }
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|error| format!("`{text}` is not a port: {error}"))
}

fn read_keys(path: &Path) -> Result<Keys, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let keys: Keys = text.lines().filter(|line| !line.is_empty()).collect();
    if keys.is_empty() {
        return Err(format!("{}: no keys, one a line is expected", path.display()));
    }
    Ok(keys)
}
