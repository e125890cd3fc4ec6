//! Lines for the gateway's log. Capability `log`. Use the macros `error!`, `warn!`, `info!` and `debug!`.

use std::fmt;

pub use sluice_abi::LogLevel as Level;

use crate::host::raw;

/// Writes a line. The host adds time, plugin, step and request id, and cuts what is over the plugin's limit.
pub fn write(level: Level, message: fmt::Arguments<'_>) {
    // A line over the limit is the host's to count; the plugin has nothing better to do.
    let _ = match message.as_str() {
        Some(message) => raw::log_write(level, message.as_bytes()),
        None => raw::log_write(level, message.to_string().as_bytes()),
    };
}

/// Logs that something failed.
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Error, ::core::format_args!($($message)+)) };
}

/// Logs that something is odd.
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Warn, ::core::format_args!($($message)+)) };
}

/// Logs that something happened.
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Info, ::core::format_args!($($message)+)) };
}

/// Logs something for the developer.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Debug, ::core::format_args!($($message)+)) };
}
