//! What HTTP clients get from gRPC services through the plugin.

#[path = "../common/mod.rs"]
mod common;

mod config;
mod openapi;
mod requests;
mod responses;
mod streams;
