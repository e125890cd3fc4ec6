//! What requests are told, by a document of OpenAPI 3.0 and of 3.1.

mod bodies;
#[path = "../common/mod.rs"]
mod common;
mod config;
mod documents;
mod operations;
mod parameters;
mod report;
mod schemas;
