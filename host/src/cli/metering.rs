//! `sluice usage | invoice | credit | ledger`: the ledger from a shell, whether or not a gateway runs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use sluice_metering::ledger::{Error, Ledger, Reader, Settings};

use super::usage_table;
use crate::config::{self, Config, LedgerLocation, Problems, Serve};
use crate::gateway::{GatewayError, ledger_location};
use crate::metering::report::{
    Catalog, Format, Parameters, Question, Refused, Usage, WrittenTopUp, top_up, usage_query,
};

#[derive(Args)]
pub(super) struct UsageCommand {
    /// Only of this consumer.
    consumer: Option<String>,
    /// Only on this meter.
    #[arg(long)]
    meter: Option<String>,
    /// Only under this plan.
    #[arg(long)]
    plan: Option<String>,
    /// Since then: a day as 2026-11-01, or a full hour as 2026-11-01T13:00:00Z. Default: the first of this month.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until before then. Default: now.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Split by total, hour, day, month or year.
    #[arg(long, value_name = "PERIOD")]
    by: Option<String>,
    /// Also split by the values of this dimension.
    #[arg(long, value_name = "DIMENSION")]
    group: Option<String>,
    /// Only where a dimension has a value.
    #[arg(long, value_name = "NAME=VALUE")]
    dimension: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: UsageFormat,
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "gateway.toml")]
    config: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum UsageFormat {
    Table,
    Json,
    Csv,
}

#[derive(Args)]
pub(super) struct InvoiceCommand {
    /// Whose.
    consumer: String,
    /// Of which month, as 2026-11. Default: this one.
    #[arg(long, value_name = "MONTH")]
    period: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: InvoiceFormat,
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "gateway.toml")]
    config: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum InvoiceFormat {
    Table,
    Json,
    Csv,
    Html,
}

#[derive(Args)]
pub(super) struct CreditCommand {
    /// Whose.
    consumer: String,
    /// As 50.00, in the currency of the consumer's plan.
    amount: String,
    /// What identifies the payment: the same one twice adds nothing.
    #[arg(long)]
    id: String,
    /// From then on what is left of it is lost, as 2027-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "gateway.toml")]
    config: PathBuf,
}

#[derive(Subcommand)]
pub(super) enum LedgerCommand {
    /// Add up the ledger's events and compare them with its totals.
    Check {
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = "gateway.toml")]
        config: PathBuf,
    },
}

/// What a configuration says of the ledger.
struct Books {
    config: Config,
    catalog: Catalog,
    settings: Settings,
}

impl Books {
    fn of(path: &Path) -> Result<Self> {
        let config = config::load(path, &config::ProcessEnvironment).map_err(in_problems)?;
        let ledger = config.ledger.as_ref().with_context(|| {
            format!(
                "`{}` has no ledger\n\nhint: add `[store]` with `ledger = \"sqlite:data/ledger.db\"`, or name another file with --config",
                path.display()
            )
        })?;
        let settings = ledger_location(&config, ledger).map_err(|problem| in_problems(problem.into()))?;
        Ok(Self { catalog: Catalog::new(&config), settings, config })
    }

    /// Reads the ledger.
    fn read<T, E: Into<anyhow::Error>>(
        &self,
        question: impl AsyncFnOnce(&mut Reader, &Catalog) -> Result<T, E>,
    ) -> Result<T> {
        run(async {
            let mut reader = Reader::open(&self.settings).await.map_err(|error| match error {
                Error::Version { found: 0, .. } => {
                    anyhow!("there is no ledger yet: nothing was ever metered")
                }
                error => error.into(),
            })?;
            question(&mut reader, &self.catalog).await.map_err(Into::into)
        })
    }
}

fn in_problems(problems: Problems) -> GatewayError {
    GatewayError::Problems(problems.to_string())
}

fn run<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work)
}

pub(super) fn usage(command: UsageCommand) -> Result<()> {
    let books = Books::of(&command.config)?;
    let pairs = [
        ("consumer", command.consumer),
        ("meter", command.meter),
        ("plan", command.plan),
        ("from", command.from),
        ("to", command.to),
        ("by", command.by),
        ("group", command.group),
        ("dimension", command.dimension),
    ];
    let query = usage_query(&given(pairs)?, Timestamp::now())?;
    let usage = books.read(async |reader, catalog| Usage::ask_all(reader, catalog, query).await)?;
    match command.format {
        UsageFormat::Table => print(&usage_table::table(&usage)),
        UsageFormat::Json => print(&usage.to_json()),
        UsageFormat::Csv => print(&usage_table::csv(&usage)),
    }
    Ok(())
}

pub(super) fn invoice(command: InvoiceCommand) -> Result<()> {
    let books = Books::of(&command.config)?;
    let now = Timestamp::now();
    let pairs = [("consumer", Some(command.consumer)), ("period", command.period)];
    let mut question = Question::invoice(&given(pairs)?, now)?;
    if let Question::Invoice { format, .. } = &mut question {
        *format = match command.format {
            InvoiceFormat::Table => Format::Table,
            InvoiceFormat::Json => Format::Json,
            InvoiceFormat::Csv => Format::Csv,
            InvoiceFormat::Html => Format::Html,
        };
    }
    let document = books.read(async |reader, catalog| question.answer(reader, catalog, now).await)?;
    print(&document.text);
    Ok(())
}

pub(super) fn credit(command: CreditCommand) -> Result<()> {
    let books = Books::of(&command.config)?;
    let CreditCommand { consumer, amount, id, expires, .. } = command;
    let written = WrittenTopUp { id, consumer, amount, expires };
    let top_up = top_up(&written, &books.catalog, Timestamp::now())?;
    // Beside a gateway on the same server, under a name of its own.
    let gateway = format!("{}.credit", books.settings.gateway).into();
    let settings = Settings { gateway, ..books.settings.clone() };
    let is_new = run(async {
        let mut ledger = Ledger::open(settings).await.map_err(|error| taken(error, &books.config))?;
        Ok(ledger.top_up(&top_up).await?)
    })?;
    let WrittenTopUp { id, consumer, amount, .. } = written;
    let currency = books.catalog.currency_of(&consumer).map(|code| format!(" {code}")).unwrap_or_default();
    if is_new {
        say!("{amount}{currency} are booked for `{consumer}` as `{id}`");
    } else {
        say!("`{id}` was booked before: nothing has changed");
    }
    Ok(())
}

/// A ledger in a file is its gateway's while that runs.
fn taken(error: Error, config: &Config) -> anyhow::Error {
    let is_file = config.ledger.as_ref().is_some_and(|it| matches!(it.location, LedgerLocation::Sqlite(_)));
    if !matches!(error, Error::Taken(_)) || !is_file {
        return error.into();
    }
    let is_admin = |serve: &Serve| matches!(serve, Serve::Admin { admin: true, .. });
    let admin = config.listeners.iter().find(|listener| is_admin(&listener.serve));
    let hint = match admin {
        Some(listener) => format!("send it to the gateway: `POST /credit` at http://{}", listener.bind),
        None => {
            "stop the gateway, or give it a listener with `serve = [\"admin\"]` and send it `POST /credit`"
                .to_owned()
        }
    };
    anyhow!("{error}\n\nhint: {hint}")
}

pub(super) fn ledger(command: &LedgerCommand) -> Result<()> {
    let LedgerCommand::Check { config } = command;
    let books = Books::of(config)?;
    let checked = books.read(async |reader, _| reader.check().await)?;
    if checked.problems.is_empty() {
        say!("the ledger is in order: {} events are kept", checked.events);
        return Ok(());
    }
    for problem in &checked.problems {
        say!("{problem}");
    }
    bail!("the ledger is not in order: {} problems", checked.problems.len())
}

fn given<const N: usize>(pairs: [(&str, Option<String>); N]) -> Result<Parameters, Refused> {
    let given = pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Parameters::new(given.collect(), Parameters::COMMANDS)
}

/// Prints a text that has its own line feeds.
fn print(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
}
