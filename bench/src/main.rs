//! `cargo xtask bench`: measures a gateway as it is shipped, beside its peers or alone, prints tables and keeps them in
//! `bench/RESULTS.md`.
#![allow(clippy::print_stdout, reason = "a table is its purpose")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on has nothing to say")]

mod attacks;
mod compare;
mod damage;
mod grpc;
#[path = "../../tests/harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use all of it")]
mod harness;
mod load;
mod metering;
mod origin;
mod outage;
mod policies;
mod reload;
mod report;
mod sections;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

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
    let number = || rest.first().map(|text| text.parse::<u64>()).transpose();
    match name {
        "attacks" => attacks::run(number()?.unwrap_or(10)),
        "reload" => reload::run(number()?.unwrap_or(60)),
        "policies" => policies::run(rest),
        "outage" => outage::run(number()?.unwrap_or(2)),
        "metering" => metering::run(number()?.unwrap_or(20_000)),
        "million" => metering::million(number()?.unwrap_or(1_000_000)),
        "damage" => damage::run(number()?.unwrap_or(2_000)),
        // What the comparison starts as a process of its own.
        "origin" => origin::run(u16::try_from(number()?.context("a port")?)?),
        _ if name.is_empty() || name.starts_with("--") => compare::run(arguments),
        _ => bail!(
            "there is no `{name}`; there are `policies`, `metering [REQUESTS]`, `million [REQUESTS]`, `reload [SECONDS]`, `outage [SECONDS]`, `attacks [SECONDS]` and `damage [FLIPS]`, and without a name:\n\n{}",
            compare::USAGE
        ),
    }
}
