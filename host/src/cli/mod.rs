//! Arguments -> what to do -> exit code. 0: done. 1: what was asked for is not in order. 2: wrong arguments.

/// Prints a line of a command's result. Whoever reads may have had enough, as in `sluice schema | head`.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($text)*)));
    }};
}

mod harness;
mod keys;
mod metering;
mod plugin;
mod scaffold;
mod usage_table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{config, gateway};

/// A programmable API gateway whose policies are WebAssembly plugins.
#[derive(Parser)]
#[command(name = "sluice", version, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway until SIGTERM or SIGINT; SIGHUP reloads.
    Run {
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = "gateway.toml")]
        config: PathBuf,
        /// Take over from the gateway that runs with this configuration: it drains and ends once this one serves.
        #[arg(long)]
        upgrade: bool,
    },
    /// Check a configuration with everything it names, and report every problem.
    Check {
        /// The configuration.
        #[arg(value_name = "FILE", default_value = "gateway.toml")]
        file: PathBuf,
    },
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
    /// Make credentials.
    Keys {
        #[command(subcommand)]
        command: keys::Command,
    },
    /// Print what was used.
    Usage(metering::UsageCommand),
    /// Print what a consumer owes for a month.
    Invoice(metering::InvoiceCommand),
    /// Add credit that a consumer has paid for.
    Credit(metering::CreditCommand),
    /// Look after the ledger.
    Ledger {
        #[command(subcommand)]
        command: metering::LedgerCommand,
    },
    /// Make, build, test and look at plugins.
    Plugin {
        #[command(subcommand)]
        command: plugin::Command,
    },
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Run { config, upgrade } => gateway::run(&config, upgrade).map_err(anyhow::Error::from),
        Command::Check { file } => check(&file),
        Command::Schema => {
            say!("{:#}", config::schema());
            Ok(())
        }
        Command::Keys { command } => keys::run(&command),
        Command::Usage(command) => metering::usage(command),
        Command::Invoice(command) => metering::invoice(command),
        Command::Credit(command) => metering::credit(command),
        Command::Ledger { command } => metering::ledger(&command),
        Command::Plugin { command } => plugin::run(command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn check(file: &std::path::Path) -> anyhow::Result<()> {
    for warning in gateway::check(file)? {
        eprintln!("warning: {}", warning.to_line());
    }
    say!("{} is in order", file.display());
    Ok(())
}

/// Problems are whole reports already; anything else is one line.
fn complain(error: &anyhow::Error) {
    match error.downcast_ref::<gateway::GatewayError>() {
        Some(gateway::GatewayError::Problems(report)) => eprintln!("{}", report.trim_end()),
        _ => eprintln!("error: {error:#}"),
    }
}
