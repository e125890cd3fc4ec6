//! What becomes of requests and responses.

mod bodies;
mod bounds;
mod common;
mod config;
mod operations;
mod responses;
mod tags;
mod variables;
