//! The project's own commands: `cargo xtask run | test | fuzz | plugins | guests | bench`.
#![allow(clippy::print_stdout, reason = "talking to whoever typed the command is its purpose")]

mod bench;
mod build;
#[path = "../../tests/harness/echo.rs"]
mod echo;
mod fuzz;
mod instructions;
mod run;
mod seal;
mod servers;
mod test;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask COMMAND

  run [--once]     build everything, start a sample upstream and the gateway of gateway.toml;
                   --once tries the printed requests itself and exits
  test [ARGS]      set up and run every test; ARGS go to the first `cargo test`
  fuzz [TARGET] [SECONDS]
                   run a fuzz target, or all, each for a minute if nothing else is said
  fuzz TARGET FILE run it with one input
  plugins [NAME]   build, seal and install plugins to target/plugins/
  guests           build, seal and install the test guests to target/guests/
  bench [--quick] [--only SCENARIO,..] [--peers PEER,..]
                   measure the gateway beside nginx, HAProxy, Envoy and Pingora, write bench/RESULTS.md
  bench policies   measure what a step of each built-in policy costs, likewise
  bench reload     reload plugins and configuration under load, likewise
  bench outage [SECONDS]
                   freeze, kill and restart the counters' server under load, likewise; SECONDS a phase
  bench metering [REQUESTS]
                   measure what metering adds to a request, likewise; REQUESTS a round
  bench million [REQUESTS]
                   meter a million requests over two gateways that share a PostgreSQL, likewise
  bench instructions [--check]
                   count the instructions of the call path under valgrind, write bench/INSTRUCTIONS.md
  bench damage     offer damaged plugin files under load, likewise
  bench attacks [SECONDS]
                   attack the gateway beside a steady client, likewise; SECONDS an attack
";

fn main() -> ExitCode {
    if let Some(code) = fuzz::as_compiler() {
        return code;
    }
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
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments),
    };
    match command {
        "run" => match rest {
            [] => run::run(),
            [flag] if flag == "--once" => run::once(),
            _ => bail!("`run` takes nothing but --once"),
        },
        "test" => test::test(rest),
        "fuzz" => fuzz::fuzz(rest),
        "plugins" => build::plugins(rest).map(drop),
        "guests" => build::guests().map(drop),
        "bench" => bench::bench(rest),
        "help" | "-h" | "--help" => {
            print!("{HELP}");
            Ok(())
        }
        other => bail!("there is no command `{other}`\n\n{HELP}"),
    }
}
