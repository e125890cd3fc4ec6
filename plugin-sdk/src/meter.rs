//! Meters: what an exchange is to be billed or held to a quota for. Capability `meter`.
//!
//! An exchange has one value on each meter; what is added to it during its phases becomes that value as the meter aggregates. The
//! gateway writes it to its ledger when the exchange ends. An exchange for which nothing is added does not count.

mod decimal;

use std::sync::Arc;

pub use sluice_abi::{Aggregation, Measure};

use crate::host::{self, raw};
use crate::{Code, Error, Result};

/// A meter of the gateway's `[meters]`.
///
/// ```
/// # use sluice_sdk::prelude::*;
/// # use sluice_sdk::meter::Meter;
/// struct Tokens {
///     meter: Meter,
/// }
///
/// impl Tokens {
///     // In `Plugin::new`.
///     fn new() -> Result<Self> {
///         Ok(Self { meter: Meter::named("tokens")? })
///     }
///
///     // In a phase.
///     fn count(&self, tokens: i64, model: &str) -> Result<()> {
///         self.meter.add(tokens)?;
///         self.meter.dimension("model", model)
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    name: Arc<str>,
    number: i32,
    aggregation: Aggregation,
    decimals: u8,
}

impl Meter {
    /// The meter of this name. Call it in [`Plugin::new`](crate::Plugin::new) and nowhere else: the gateway notes there which
    /// meters a step feeds, and admits an exchange to those only.
    pub fn named(name: &str) -> Result<Self> {
        let number = match host::number("open a meter", raw::meter_open(name.as_bytes())) {
            Ok(number) => i32::try_from(number)?,
            Err(error) if error.code() == Some(Code::None) => {
                let message = format!("there is no meter `{name}`: declare it in `[meters]`");
                return Err(Error::with_code(message, Some(Code::None)));
            }
            Err(error) => return Err(error.context(format_args!("meter `{name}`"))),
        };
        let described = i32::try_from(host::number("describe a meter", raw::meter_describe(number))?)?;
        let (aggregation, decimals) = sluice_abi::MeterKind::read(described).ok_or_else(|| {
            Error::new(format!("meter `{name}` is of a kind that this plugin does not know"))
        })?;
        Ok(Self { name: Arc::from(name), number, aggregation, decimals })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How values become one.
    #[must_use]
    pub const fn aggregation(&self) -> Aggregation {
        self.aggregation
    }

    /// Decimal places: values are in 10^-`decimals` of the meter's unit.
    #[must_use]
    pub const fn decimals(&self) -> u8 {
        self.decimals
    }

    /// So many smallest units for a decimal number of units, such as `"0.25"` or `"1.5e3"`: an integer with 6 digits for `"0.25"`
    /// on a meter of 6 decimal places. What has more places than the meter is rounded, half up. [`Code::Invalid`] if it is no
    /// number or a negative one, [`Code::TooLarge`] if it does not fit.
    pub fn units(&self, decimal: &str) -> Result<i64> {
        decimal::units(decimal, self.decimals).map_err(|code| {
            let why = if code == Code::TooLarge { "too large" } else { "no number, or a negative one" };
            Error::with_code(format!("meter `{}`: `{}` is {why}", self.name, shortened(decimal)), Some(code))
        })
    }

    /// Adds a value in smallest units, not negative. On a meter that counts or sums it comes on top of what the exchange has, of
    /// the greatest the greater one stays, and the latest replaces. In the request and response phases.
    pub fn add(&self, value: i64) -> Result<()> {
        self.done("add", raw::meter_add(self.number, value))
    }

    /// As [`add`](Self::add), with a decimal number of units, as [`units`](Self::units) reads it.
    pub fn add_decimal(&self, decimal: &str) -> Result<()> {
        self.add(self.units(decimal)?)
    }

    /// Says what was seen, on a meter of unique texts; the last one counts. 1 byte to 1 KiB without control characters.
    pub fn seen(&self, text: &str) -> Result<()> {
        self.done("seen", raw::meter_seen(self.number, text.as_bytes()))
    }

    /// Has the gateway measure when the exchange ends, and add that.
    pub fn measure(&self, what: Measure) -> Result<()> {
        self.done("measure", raw::meter_measure(self.number, what))
    }

    /// Says what this exchange is expected to add, in smallest units: so much of the consumer's quota or credit is reserved, and the
    /// exchange is refused if there is not as much. In [`on_request`](crate::Plugin::on_request) and
    /// [`on_request_body`](crate::Plugin::on_request_body), on a meter that counts or sums.
    pub fn expect(&self, value: i64) -> Result<()> {
        self.done("expect", raw::meter_expect(self.number, value))
    }

    /// Sets a dimension that the meter has: at most 256 bytes without control characters. The last value counts.
    pub fn dimension(&self, name: &str, value: &str) -> Result<()> {
        let set = raw::meter_dimension(self.number, name.as_bytes(), value.as_bytes());
        self.done("dimension", set).map_err(|error| error.context(format_args!("`{name}`")))
    }

    /// In [`Plugin::new`](crate::Plugin::new): whether the meter has a dimension of this name.
    pub fn has_dimension(&self, name: &str) -> Result<bool> {
        // Nothing can be set there yet, but the name is looked at first.
        match self.done("dimension", raw::meter_dimension(self.number, name.as_bytes(), &[])) {
            Ok(()) => Ok(true),
            Err(error) => match error.code() {
                Some(Code::WrongPhase) => Ok(true),
                Some(Code::None) => Ok(false),
                _ => Err(error),
            },
        }
    }

    /// Nothing of this exchange counts on this meter, whatever was added; what is added later counts again. What was reserved
    /// stays reserved until the exchange ends.
    pub fn cancel(&self) -> Result<()> {
        self.done("cancel", raw::meter_cancel(self.number))
    }

    fn done(&self, call: &str, returned: i32) -> Result<()> {
        host::done(call, returned).map_err(|error| error.context(format_args!("meter `{}`", self.name)))
    }
}

/// Enough of it to be recognised.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(40)]
}
