//! What becomes of REST requests, and of the upstream's answers.

mod answers;
mod bounds;
mod common;
mod config;
mod errors;
mod routes;
mod variables;
