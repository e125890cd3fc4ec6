//! Which responses are compressed, how, and what is left alone; which requests are decompressed.

mod common;
mod config;
mod heads;
mod negotiation;
mod requests;
mod selection;
mod streams;
