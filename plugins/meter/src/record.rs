//! What goes to the meters.

use sluice_sdk::Code;
use sluice_sdk::prelude::*;

use crate::Metering;
use crate::found::{Findings, Found};
use crate::noted::Reading;
use crate::rules::{Dimension, Entry, Source};
use crate::text::MAX_TEXT;

impl Entry {
    /// Says what is to be reserved, as far as the head tells it.
    pub(crate) fn expect_by_head(&self, headers: &Headers<'_>) -> Result<Option<i64>> {
        let Some(expect) = &self.expect else { return Ok(None) };
        let said = expect.header.as_ref().and_then(|name| headers.get(name));
        let said = said.and_then(|value| self.meter.units(value.as_str()?.trim()).ok());
        let expected = said.or(expect.default);
        expected.map_or(Ok(()), |amount| self.meter.expect(amount))?;
        Ok(expected)
    }

    /// The same by the body, which is more to the point.
    pub(crate) fn expect_by_body(&self, findings: &Findings) -> Result<Option<i64>> {
        let range = self.expect.as_ref().and_then(|expect| expect.json.as_ref());
        let said = range.and_then(|range| findings.first(range)).and_then(Found::amount);
        said.map_or(Ok(()), |amount| self.meter.expect(amount))?;
        Ok(said)
    }

    /// A value that is written as a text; `None` if it cannot be used.
    pub(crate) fn read(&self, text: &str) -> Option<Found> {
        if self.meter.aggregation() == Aggregation::Unique {
            // A longer one no meter takes.
            return (text.len() <= MAX_TEXT).then(|| Found::Text(text.to_owned()));
        }
        match self.meter.units(text.trim()) {
            Ok(amount) => Some(Found::Amount(amount)),
            Err(error) => {
                debug!("{error}");
                None
            }
        }
    }

    /// Counts what is known with the response's head.
    pub(crate) fn count_head(
        &self,
        headers: &Headers<'_>,
        ctx: &Context,
        noted: Option<Found>,
        expected: Option<i64>,
    ) -> Result<()> {
        let value = match &self.source {
            Source::One => return self.count_units(1),
            Source::Measure(what) => return self.meter.measure(*what),
            Source::RequestMessages | Source::ResponseMessages | Source::ResponseJson(_) => return Ok(()),
            Source::ClientAddress => Some(Found::Text(ctx.client_address())),
            Source::RequestHeader(_) | Source::RequestJson(_) => noted,
            Source::ResponseHeader(name) => headers.get(name).and_then(|value| self.read(value.as_str()?)),
            Source::PathParam(name) => ctx.path_param(name).and_then(|value| self.read(&value)),
        };
        let expected = expected.filter(|_| self.counts_expected).map(Found::Amount);
        match value.or(expected) {
            Some(value) => self.tell(&value),
            None => {
                debug!("an exchange has no value for the meter `{}`", self.meter.name());
                Ok(())
            }
        }
    }

    /// Adds so many whole units.
    pub(crate) fn count_units(&self, count: u64) -> Result<()> {
        let units = self.meter.units(&count.to_string());
        bearable(units.and_then(|units| self.meter.add(units)))
    }

    pub(crate) fn tell(&self, value: &Found) -> Result<()> {
        bearable(match value {
            Found::Amount(amount) => self.meter.add(*amount),
            Found::Text(text) => self.meter.seen(text),
        })
    }

    /// Dimensions that are known with the request.
    pub(crate) fn describe_request(&self, headers: &Headers<'_>, ctx: &Context) -> Result<()> {
        for (name, dimension) in &self.dimensions {
            let text = match dimension {
                Dimension::Method => Some(ctx.method().to_string()),
                Dimension::Route => Some(ctx.route()),
                Dimension::Host => Some(ctx.host().to_ascii_lowercase()),
                Dimension::RequestHeader(header) => header_text(headers, header),
                Dimension::PathParam(param) => ctx.path_param(param),
                Dimension::Constant(text) => Some(text.clone()),
                Dimension::RequestJson(_)
                | Dimension::ResponseJson(_)
                | Dimension::ResponseHeader(_)
                | Dimension::Status => None,
            };
            self.set_dimension(name, text.as_deref())?;
        }
        Ok(())
    }

    /// Dimensions that are known with the response's head.
    pub(crate) fn describe_response(&self, response: &Response) -> Result<()> {
        for (name, dimension) in &self.dimensions {
            let text = match dimension {
                Dimension::Status => Some(format!("{}xx", response.status() / 100)),
                Dimension::ResponseHeader(header) => header_text(&response.headers(), header),
                _ => None,
            };
            self.set_dimension(name, text.as_deref())?;
        }
        Ok(())
    }

    /// One that is missing, or no value of a dimension, is left out.
    pub(crate) fn set_dimension(&self, name: &str, text: Option<&str>) -> Result<()> {
        match text {
            Some(text) if !text.is_empty() => bearable(self.meter.dimension(name, text)),
            _ => Ok(()),
        }
    }

    /// Whether something of a response's body is wanted.
    pub(crate) fn reads_response(&self) -> bool {
        let is_read = |(_, dimension): &(String, Dimension)| matches!(dimension, Dimension::ResponseJson(_));
        matches!(self.source, Source::ResponseJson(_)) || self.dimensions.iter().any(is_read)
    }

    /// What a response counts as it stands.
    fn value(&self, place: usize, reading: &Reading) -> Option<Found> {
        let Source::ResponseJson(range) = &self.source else { return None };
        let found = reading.findings.first(range).cloned();
        let expected = reading.expected[place].filter(|_| self.counts_expected);
        match (found, expected) {
            // What is still to come may be more.
            (Some(Found::Amount(found)), Some(expected)) if reading.stream.is_some() => {
                Some(Found::Amount(found.max(expected)))
            }
            (found, expected) => found.or(expected.map(Found::Amount)),
        }
    }

    /// Tells the meter what is new; whether that was possible without taking back what it was told.
    fn tell_more(&self, told: Option<&Found>, value: &Found) -> Result<bool> {
        let more = match (self.meter.aggregation(), told, value) {
            (Aggregation::Count | Aggregation::Sum, Some(Found::Amount(told)), Found::Amount(value)) => {
                value.checked_sub(*told).filter(|more| *more > 0).map(Found::Amount)
            }
            (Aggregation::Max, Some(Found::Amount(told)), Found::Amount(now)) => {
                (now > told).then(|| value.clone())
            }
            _ => Some(value.clone()),
        };
        more.map_or(Ok(false), |more| self.tell(&more).map(|()| true))
    }
}

impl Metering {
    /// Brings the meters to what the response says so far.
    pub(crate) fn settle(&self, reading: &mut Reading) -> Result<()> {
        for (place, entry) in self.entries(reading.counted) {
            let Some(value) = entry.value(place, reading) else {
                if reading.stream.is_none() && matches!(entry.source, Source::ResponseJson(_)) {
                    debug!("a response has no value for the meter `{}`", entry.meter.name());
                }
                continue;
            };
            if reading.told[place].as_ref() == Some(&value) {
                continue;
            }
            let is_more = entry.tell_more(reading.told[place].as_ref(), &value)?;
            reading.told[place] = Some(value);
            if is_more {
                continue;
            }
            // It is less: everything anew.
            entry.meter.cancel()?;
            for (other_place, other) in self.entries(reading.counted) {
                if other.meter == entry.meter
                    && let Some(told) = &reading.told[other_place]
                {
                    other.tell(told)?;
                }
            }
        }
        Ok(())
    }

    /// Dimensions that were found since.
    pub(crate) fn describe_body(&self, reading: &Reading, before: &Findings) -> Result<()> {
        for (_, entry) in self.entries(reading.counted) {
            for (name, dimension) in &entry.dimensions {
                let Dimension::ResponseJson(range) = dimension else { continue };
                let found = reading.findings.first(range);
                if found != before.first(range) {
                    entry.set_dimension(name, found.and_then(Found::text))?;
                }
            }
        }
        Ok(())
    }
}

impl Dimension {
    /// Whether the request's head tells it.
    pub(crate) fn is_of_request(&self) -> bool {
        !matches!(self, Self::Status | Self::ResponseHeader(_) | Self::RequestJson(_) | Self::ResponseJson(_))
    }
}

fn header_text(headers: &Headers<'_>, name: &HeaderName) -> Option<String> {
    headers.get(name)?.as_str().map(str::to_owned)
}

/// What a client or an upstream has said may be no value. That is nothing to fail for.
fn bearable(done: Result<()>) -> Result<()> {
    match done {
        Err(error) if matches!(error.code(), Some(Code::Invalid | Code::TooLarge)) => {
            warn!("{error}");
            Ok(())
        }
        done => done,
    }
}
