//! When an exchange ends: what it used becomes events, and what was set aside for it goes with them or back.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use sluice_abi::Measured;
use sluice_metering::event::Event;
use sluice_metering::ledger::{Draw, Entry};
use sluice_metering::meter::{Aggregation, Meter, Unanswered};
use tokio::sync::oneshot;

use super::Metering;
use super::allowance::Hold;
use super::clerk::{Held, Message, Slip};
use super::tab::{Admitted, Line, Tab};
use super::tariff::SoftQuota;

/// How an exchange ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending<'a> {
    /// The status that the client got or is about to get; `None` if there was no response.
    pub(crate) status: Option<u16>,
    pub(crate) measured: Measured,
    pub(crate) request_id: &'a str,
    pub(crate) route: &'a Arc<str>,
    /// The meters of steps that faulted and were passed over: what they would have said is not known.
    pub(crate) unknown: &'a [usize],
    /// Nothing of the response has gone out yet, so that none need be paid for if it cannot be recorded.
    pub(crate) withheld: bool,
}

/// Tells when the ledger has the events of an exchange, or that it will not.
#[derive(Debug)]
pub(crate) struct Receipt(oneshot::Receiver<Result<(), Unrecorded>>);

/// The ledger does not have the events of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unrecorded;

impl Receipt {
    /// When the ledger has it.
    pub(crate) fn poll(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Unrecorded>> {
        std::pin::Pin::new(&mut self.0).poll(cx).map(|answer| answer.unwrap_or(Err(Unrecorded)))
    }
}

impl Metering {
    /// Turns what an exchange used into events and hands them to the ledger; `None` if it used nothing. Once for each exchange.
    pub(super) fn settle(&self, tab: &Tab, meters: &[Arc<Meter>], ending: &Ending<'_>) -> Option<Receipt> {
        let (lines, admitted, forwarded) = {
            let page = &mut *tab.open();
            if std::mem::replace(&mut page.closed, true) {
                return None;
            }
            (std::mem::take(&mut page.lines), page.admitted.take(), page.forwarded)
        };
        // A request that no metering step came to has used nothing; so has one that was refused.
        let admitted = admitted?;
        let request: Arc<str> = Arc::from(ending.request_id);
        let mut entries = Vec::with_capacity(lines.len());
        let mut holds = Vec::with_capacity(lines.len());
        for line in lines {
            let Some(meter) = meters.get(line.meter) else { continue };
            let Some(value) = value(&line, meter, ending, forwarded) else { continue };
            let soft = admitted.account.iter().flat_map(|account| &account.soft);
            soft.filter(|soft| soft.meter == line.meter).for_each(SoftQuota::touch);
            let event = self.event(&line, meter, value, &admitted, &request, ending);
            let (entry, held) = entry(event, line, &admitted);
            entries.push(entry);
            holds.push(held);
        }
        if entries.is_empty() {
            return None;
        }
        let (reply, receipt) = oneshot::channel();
        let slip =
            Slip { entries, holds, reply: Some(reply), since: Instant::now(), withheld: ending.withheld };
        self.send(Message::Slip(Box::new(slip)));
        Some(Receipt(receipt))
    }

    fn event(
        &self,
        line: &Line,
        meter: &Meter,
        value: i64,
        admitted: &Admitted,
        request: &Arc<str>,
        ending: &Ending<'_>,
    ) -> Event {
        let named = |(name, value): &(String, String)| {
            let name = meter.dimensions.iter().find(|known| ***known == **name)?;
            Some((Arc::clone(name), value.as_str().into()))
        };
        let mut dimensions: Vec<_> = line.recorded.dimensions.iter().filter_map(named).collect();
        dimensions.sort();
        let plan = admitted.account.as_ref().map(|account| Arc::clone(&account.plan.name));
        Event {
            gateway: Arc::clone(&self.settings.gateway),
            request: Arc::clone(request),
            meter: Arc::clone(&meter.name),
            consumer: Arc::clone(&admitted.consumer),
            plan: plan.unwrap_or_else(|| Arc::from("")),
            route: Arc::clone(ending.route),
            at: admitted.at,
            value,
            subject: line.recorded.subject.as_deref().map(digest),
            dimensions,
        }
    }
}

/// The event with what is to be drawn for it.
fn entry(event: Event, line: Line, admitted: &Admitted) -> (Entry, Held) {
    let quotas = line.quotas.iter().map(|hold| (hold.allowance().pool.clone(), hold.amount())).collect();
    let charge = admitted.account.as_ref().and_then(|account| {
        let (_, charge) = account.charges.iter().find(|(meter, _)| *meter == line.meter)?;
        Some((Arc::clone(charge), account.free_until.get().copied().flatten()))
    });
    let credit = charge.map(|(charge, free_until)| {
        let reserved = line.credit.as_ref().map_or(0, Hold::amount);
        Draw { charge, reserved, free_until }
    });
    (Entry { event, quotas, credit }, Held { quotas: line.quotas, credit: line.credit })
}

/// What an exchange used of a meter, if anything.
fn value(line: &Line, meter: &Meter, ending: &Ending<'_>, forwarded: bool) -> Option<i64> {
    let reserved = || line.reserved.or(line.recorded.expected).unwrap_or(meter.reserve);
    let Some(status) = ending.status else {
        return (forwarded && meter.unanswered == Unanswered::Reserved).then(reserved);
    };
    if meter.aggregation == Aggregation::Unique {
        return line.recorded.subject.as_ref().map(|_| 1);
    }
    let value = line.recorded.total(number(meter.aggregation), meter.decimals, &ending.measured);
    let value = match value {
        None if ending.unknown.contains(&line.meter) && status < 500 => Some(reserved()),
        value => value,
    };
    // Nothing of what adds up is nothing used.
    value.filter(|value| *value > 0 || !meter.aggregation.adds_up())
}

/// An aggregation as plugins know it.
pub(crate) const fn number(aggregation: Aggregation) -> sluice_abi::Aggregation {
    match aggregation {
        Aggregation::Count => sluice_abi::Aggregation::Count,
        Aggregation::Sum => sluice_abi::Aggregation::Sum,
        Aggregation::Max => sluice_abi::Aggregation::Max,
        Aggregation::Unique => sluice_abi::Aggregation::Unique,
        Aggregation::Latest => sluice_abi::Aggregation::Latest,
    }
}

/// What a unique meter keeps of what was seen: half of its SHA-256.
fn digest(subject: &str) -> [u8; 16] {
    let digest = Sha256::digest(subject.as_bytes());
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

/// The moment as events have it.
pub(super) fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_abi::Recorded;

    fn meter(aggregation: Aggregation, decimals: u8, unanswered: Unanswered) -> Meter {
        Meter {
            name: "m".into(),
            aggregation,
            unit: None,
            decimals,
            dimensions: Vec::new(),
            reserve: 7,
            unanswered,
        }
    }

    fn ending(status: Option<u16>, route: &Arc<str>) -> Ending<'_> {
        Ending {
            status,
            measured: Measured { request_bytes: 10, response_bytes: 2_000, duration_us: 1_500 },
            request_id: "r",
            route,
            unknown: &[],
            withheld: false,
        }
    }

    #[test]
    fn who_got_no_answer_pays_nothing_unless_the_meter_says_so() {
        let route: Arc<str> = "r".into();
        let used = || {
            let recorded = Recorded { value: Some(5), ..Recorded::default() };
            Line { recorded, reserved: Some(9), ..Line::default() }
        };
        for (unanswered, forwarded, expected) in [
            (Unanswered::Free, true, None),
            (Unanswered::Reserved, true, Some(9)),
            (Unanswered::Reserved, false, None),
        ] {
            let meter = meter(Aggregation::Sum, 0, unanswered);
            assert_eq!(value(&used(), &meter, &ending(None, &route), forwarded), expected);
        }
        let meter = meter(Aggregation::Sum, 0, Unanswered::Free);
        assert_eq!(value(&used(), &meter, &ending(Some(200), &route), true), Some(5));
    }

    #[test]
    fn what_a_step_that_faulted_would_have_said_is_taken_to_be_what_was_reserved() {
        let route: Arc<str> = "r".into();
        let meter = meter(Aggregation::Sum, 0, Unanswered::Free);
        let line = || Line { reserved: Some(9), ..Line::default() };
        let unknown = |status| Ending { unknown: &[0], ..ending(Some(status), &route) };
        assert_eq!(value(&line(), &meter, &unknown(200), true), Some(9));
        assert_eq!(value(&line(), &meter, &unknown(502), true), None);
        assert_eq!(value(&line(), &meter, &ending(Some(200), &route), true), None);
    }

    #[test]
    fn nothing_of_what_adds_up_is_no_event() {
        let route: Arc<str> = "r".into();
        for (aggregation, expected) in [(Aggregation::Sum, None), (Aggregation::Latest, Some(0))] {
            let recorded = Recorded { value: Some(0), ..Recorded::default() };
            let line = Line { recorded, ..Line::default() };
            let meter = meter(aggregation, 0, Unanswered::Free);
            assert_eq!(value(&line, &meter, &ending(Some(200), &route), true), expected);
        }
    }
}
