//! What GraphQL requests are let through.

mod common;
mod config;
mod costs;
mod hostile;
mod limits;
mod persisted;
mod requests;
