//! What `fuzz/` reaches of the crate's inside: for each thing that clients, balancers and operators can feed the gateway a function that
//! takes any bytes and panics where a property does not hold. Compiled for tests and with the feature `fuzz` alone: no part of a gateway,
//! and no interface for anyone else.

mod config;

#[cfg(test)]
mod tests;

use crate::connection::fuzz;
pub use config::config;

/// Defines the targets, one function each, and the list of them.
macro_rules! targets {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $($(#[$doc])* pub fn $name(bytes: &[u8]) {
            fuzz::$name(bytes);
        })*

        /// Every target with its name.
        #[cfg(test)]
        const TARGETS: &[(&str, fn(&[u8]))] = &[("config", config), $((stringify!($name), $name)),*];
    };
}

targets! {
    /// The chunked coding.
    chunks
    /// Frames of HTTP/2 from a client.
    frames
    /// The bytes of a connection of HTTP/1.
    guard
    /// The head of a request of HTTP/1.
    head
    /// The path of a request.
    path
    /// The header of the PROXY protocol.
    proxy
}
