//! What Connect clients get from gRPC services through the plugin.

mod back;
mod common;
mod config;
mod get;
mod refusals;
mod streams;
mod unary;
