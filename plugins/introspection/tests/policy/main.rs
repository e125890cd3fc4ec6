//! What the policy asks, lets through and answers.

mod answers;
mod cache;
mod common;
mod config;
mod consumers;
mod question;
mod tokens;
