//! What the plugin does to requests and responses, and what it answers.

mod bodies;
mod common;
mod config;
mod filters;
mod responses;
mod sets;
mod templates;
