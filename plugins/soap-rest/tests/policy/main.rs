//! What becomes of requests and responses in both directions.

mod bounds;
mod common;
mod config;
mod faults;
mod mappings;
mod rest;
mod soap;
