//! The configuration, understood: what is read when, and what it means.

use std::ops::Range;

use sluice_sdk::prelude::*;

use crate::config::{Config, DimensionConfig, ExpectConfig, MeterConfig, Missing, SaidConfig, ValueConfig};
use crate::found::{Targets, Want};
use crate::statuses::Statuses;

/// Each is work for every exchange.
const MAX_METERS: usize = 16;
const MAX_DIMENSIONS: usize = 8;

/// All that is counted.
#[derive(Default)]
pub(crate) struct Rules {
    pub(crate) entries: Vec<Entry>,
    /// What is looked for in requests.
    pub(crate) request: Targets,
    /// What is looked for in responses.
    pub(crate) response: Targets,
}

/// What is counted on a meter.
pub(crate) struct Entry {
    pub(crate) meter: Meter,
    pub(crate) source: Source,
    pub(crate) expect: Option<Expect>,
    /// Whether what was expected counts if there is no value.
    pub(crate) counts_expected: bool,
    pub(crate) dimensions: Vec<(String, Dimension)>,
    pub(crate) statuses: Statuses,
}

/// Where a value comes from.
#[derive(PartialEq)]
pub(crate) enum Source {
    One,
    Measure(Measure),
    RequestMessages,
    ResponseMessages,
    ClientAddress,
    RequestHeader(HeaderName),
    ResponseHeader(HeaderName),
    PathParam(String),
    RequestJson(Range<usize>),
    ResponseJson(Range<usize>),
}

/// What is reserved: the first of these that there is.
pub(crate) struct Expect {
    pub(crate) json: Option<Range<usize>>,
    pub(crate) header: Option<HeaderName>,
    /// In smallest units.
    pub(crate) default: Option<i64>,
}

/// Where a dimension's value comes from.
pub(crate) enum Dimension {
    Method,
    Route,
    Host,
    Status,
    RequestHeader(HeaderName),
    ResponseHeader(HeaderName),
    PathParam(String),
    RequestJson(Range<usize>),
    ResponseJson(Range<usize>),
    Constant(String),
}

impl Rules {
    pub(crate) fn new(config: Config) -> Result<Self> {
        ensure!((1..=MAX_METERS).contains(&config.meters.len()), "`meters` has 1 to {MAX_METERS} entries");
        let statuses = statuses(config.statuses.as_deref())?.unwrap_or_default();
        let mut rules = Self::default();
        for (place, config) in config.meters.iter().enumerate() {
            let at = || format!("`meters[{place}]` (`{}`)", config.meter);
            let entry = rules.entry(config, &statuses).map_err(|error| error.context(at()))?;
            rules.entries.push(entry);
        }
        rules.check_shared()?;
        let reads_requests = !rules.request.is_empty();
        ensure!(
            !(reads_requests && rules.has(&Source::RequestMessages)),
            "`request_json` and `grpc_request_messages` are two ways of taking a request's body: give each a step of its own"
        );
        Ok(rules)
    }

    pub(crate) fn has(&self, source: &Source) -> bool {
        self.entries.iter().any(|entry| entry.source == *source)
    }

    fn entry(&mut self, config: &MeterConfig, statuses: &Statuses) -> Result<Entry> {
        let meter = Meter::named(&config.meter)?;
        let source = self.source(config, &meter)?;
        let expect = config.expect.as_ref().map(|expect| self.expect(expect, &meter)).transpose()?;
        let counts_expected = config.missing.unwrap_or_default() == Missing::Expected;
        check_missing(config, &source, expect.as_ref())?;
        ensure!(
            config.dimensions.len() <= MAX_DIMENSIONS,
            "there are more than {MAX_DIMENSIONS} `dimensions`"
        );
        let mut dimensions = Vec::new();
        for (name, config) in &config.dimensions {
            ensure!(
                meter.has_dimension(name)?,
                "the meter has no dimension `{name}`: declare it in `[meters]`"
            );
            let dimension = self.dimension(config).context(format_args!("`dimensions.{name}`"))?;
            dimensions.push((name.clone(), dimension));
        }
        let own = self::statuses(config.statuses.as_deref())?;
        let statuses = own.unwrap_or_else(|| statuses.clone());
        Ok(Entry { meter, source, expect, counts_expected, dimensions, statuses })
    }

    fn source(&mut self, config: &MeterConfig, meter: &Meter) -> Result<Source> {
        let aggregation = meter.aggregation();
        let is_unique = aggregation == Aggregation::Unique;
        let value = match &config.value {
            Some(value) => value,
            None if aggregation == Aggregation::Count => &ValueConfig::One,
            None => bail!("this meter counts no exchanges: say what it gets, with `value`"),
        };
        check_value(value, aggregation)?;
        let is_response_json = matches!(value, ValueConfig::ResponseJson(_));
        ensure!(
            config.pick.is_none() || (is_response_json && !is_unique),
            "`pick` is for numbers of `response_json`"
        );
        let want =
            if is_unique { Want::Text } else { Want::Amount(meter.clone(), config.pick.unwrap_or_default()) };
        Ok(match value {
            ValueConfig::One => Source::One,
            ValueConfig::RequestBytes => Source::Measure(Measure::RequestBytes),
            ValueConfig::ResponseBytes => Source::Measure(Measure::ResponseBytes),
            ValueConfig::Duration => Source::Measure(Measure::Duration),
            ValueConfig::GrpcRequestMessages => Source::RequestMessages,
            ValueConfig::GrpcResponseMessages => Source::ResponseMessages,
            ValueConfig::ClientAddress => Source::ClientAddress,
            ValueConfig::RequestHeader(name) => Source::RequestHeader(name.clone()),
            ValueConfig::ResponseHeader(name) => Source::ResponseHeader(name.clone()),
            ValueConfig::PathParam(name) => Source::PathParam(name.clone()),
            ValueConfig::RequestJson(paths) => {
                Source::RequestJson(self.request.add(paths, &want).context("`value.request_json`")?)
            }
            ValueConfig::ResponseJson(paths) => {
                Source::ResponseJson(self.response.add(paths, &want).context("`value.response_json`")?)
            }
        })
    }

    fn expect(&mut self, config: &ExpectConfig, meter: &Meter) -> Result<Expect> {
        let adds_up = matches!(meter.aggregation(), Aggregation::Count | Aggregation::Sum);
        ensure!(adds_up, "`expect`: of a meter whose values do not add up nothing can be reserved");
        let SaidConfig { request_json, request_header, default } = match config {
            ExpectConfig::Said(said) => said.clone(),
            ExpectConfig::Always(amount) => {
                SaidConfig { request_json: None, request_header: None, default: Some(amount.clone()) }
            }
        };
        let is_something = request_json.is_some() || request_header.is_some() || default.is_some();
        ensure!(is_something, "`expect` is empty: give `request_json`, `request_header` or `default`");
        let want = Want::Amount(meter.clone(), crate::config::Pick::Last);
        let json = request_json.map(|paths| self.request.add(&paths, &want)).transpose();
        let json = json.context("`expect.request_json`")?;
        let default = default.map(|amount| amount.units(meter)).transpose().context("`expect`")?;
        Ok(Expect { json, header: request_header, default })
    }

    fn dimension(&mut self, config: &DimensionConfig) -> Result<Dimension> {
        Ok(match config {
            DimensionConfig::Method => Dimension::Method,
            DimensionConfig::Route => Dimension::Route,
            DimensionConfig::Host => Dimension::Host,
            DimensionConfig::Status => Dimension::Status,
            DimensionConfig::RequestHeader(name) => Dimension::RequestHeader(name.clone()),
            DimensionConfig::ResponseHeader(name) => Dimension::ResponseHeader(name.clone()),
            DimensionConfig::PathParam(name) => Dimension::PathParam(name.clone()),
            DimensionConfig::RequestJson(paths) => {
                Dimension::RequestJson(self.request.add(paths, &Want::Text)?)
            }
            DimensionConfig::ResponseJson(paths) => {
                Dimension::ResponseJson(self.response.add(paths, &Want::Text)?)
            }
            DimensionConfig::Constant(text) => {
                let fits = text.len() <= 256 && !text.contains(char::is_control);
                ensure!(fits && !text.is_empty(), "a constant has 1 to 256 bytes and no control characters");
                Dimension::Constant(text.clone())
            }
        })
    }

    /// Entries of one meter must not undo each other: what a stream has told is corrected as it goes on.
    fn check_shared(&self) -> Result<()> {
        for (place, entry) in self.entries.iter().enumerate() {
            let others = self.entries[..place].iter().filter(|other| other.meter == entry.meter);
            for other in others {
                let is_json = |entry: &Entry| matches!(entry.source, Source::ResponseJson(_));
                ensure!(
                    is_json(other) == is_json(entry),
                    "`meters`: `{}` gets values of `response_json` and others; they cannot be mixed on one meter",
                    entry.meter.name()
                );
                ensure!(
                    other.expect.is_none() || entry.expect.is_none(),
                    "`meters`: `{}` has two `expect`",
                    entry.meter.name()
                );
            }
        }
        Ok(())
    }
}

fn statuses(texts: Option<&[String]>) -> Result<Option<Statuses>> {
    texts.map(Statuses::new).transpose().context("`statuses`")
}

/// Whether the meter can take such a value.
fn check_value(value: &ValueConfig, aggregation: Aggregation) -> Result<()> {
    let is_messages = matches!(value, ValueConfig::GrpcRequestMessages | ValueConfig::GrpcResponseMessages);
    let is_one = matches!(value, ValueConfig::One);
    let is_measured =
        matches!(value, ValueConfig::RequestBytes | ValueConfig::ResponseBytes | ValueConfig::Duration);
    let is_address = matches!(value, ValueConfig::ClientAddress);
    match aggregation {
        Aggregation::Count => {
            ensure!(
                is_one || is_messages,
                "`value`: a meter that counts takes none but `one` and gRPC messages"
            );
        }
        Aggregation::Sum => ensure!(!is_address, "`value`: an address is no number"),
        Aggregation::Max | Aggregation::Latest => {
            ensure!(!is_address, "`value`: an address is no number");
            ensure!(!is_one && !is_messages, "`value`: what is counted wants a meter that counts or sums");
        }
        Aggregation::Unique => {
            let is_text = !is_one && !is_messages && !is_measured;
            ensure!(is_text, "`value`: a meter of unique values takes a text");
        }
    }
    Ok(())
}

fn check_missing(config: &MeterConfig, source: &Source, expect: Option<&Expect>) -> Result<()> {
    let Some(missing) = config.missing else { return Ok(()) };
    let may_be_missing = !matches!(
        source,
        Source::One
            | Source::Measure(_)
            | Source::RequestMessages
            | Source::ResponseMessages
            | Source::ClientAddress
    );
    ensure!(may_be_missing, "`missing` has no meaning: this value is always there");
    if missing == Missing::Expected {
        let has_default = expect.is_some_and(|expect| expect.default.is_some());
        ensure!(
            has_default,
            "`missing` is `expected`, but `expect` may say nothing: give it a number or a `default`"
        );
    }
    Ok(())
}
