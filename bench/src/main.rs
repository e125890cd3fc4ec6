//! `cargo xtask bench NAME`: measures a gateway as it is shipped, prints a table and appends it to `bench/RESULTS.md`.
#![allow(clippy::print_stdout, reason = "a table is its purpose")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on has nothing to say")]

mod damage;
#[path = "../../tests/harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use all of it")]
mod harness;
mod load;
mod reload;
mod report;
mod routes;

use std::process::ExitCode;

use anyhow::{Result, bail};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let (name, rest) = arguments.split_first().map_or(("", &[][..]), |(name, rest)| (name.as_str(), rest));
    let number = match rest.first() {
        Some(text) => Some(text.parse::<u64>()?),
        None => None,
    };
    match name {
        "reload" => reload::run(number.unwrap_or(60)),
        "routes" => routes::run(number.unwrap_or(60_000)),
        "damage" => damage::run(number.unwrap_or(2_000)),
        _ => bail!("usage: sluice-bench reload [SECONDS] | routes [REQUESTS] | damage [FLIPS]"),
    }
}
