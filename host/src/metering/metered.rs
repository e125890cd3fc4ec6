//! Before a request goes on: what its meters may need is set aside, or the request is refused.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use jiff::Timestamp;
use rust_decimal::{Decimal, RoundingStrategy};
use sluice_metering::ledger::Pool;
use sluice_metering::meter::Aggregation;
use sluice_metering::plan::Currency;
use sluice_metering::rating;

use super::allowance::{Allowance, Hold};
use super::clerk::Ask;
use super::settle::{Ending, Receipt};
use super::tab::{Admitted, Tab};
use super::tariff::{Account, Tariff};
use super::{Metering, OnFailure};
use arc_swap::ArcSwapOption;

/// What a step meters, and the books that it is entered in.
#[derive(Clone)]
pub(crate) struct Metered {
    pub(super) metering: Arc<Metering>,
    pub(super) tariff: Arc<Tariff>,
    /// The places of its meters.
    pub(super) meters: Arc<[usize]>,
}

/// Why a request may not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A quota or the credit has less left than the request may need.
    Exhausted(Exhausted),
    /// The ledger cannot be written at the moment, and what it does not know of may not happen.
    Unavailable,
}

/// What has less left than a request may need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted {
    /// 429 or 402.
    pub(crate) status: u16,
    pub(crate) meter: Arc<str>,
    pub(crate) what: Spent,
}

/// What is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spent {
    /// A quota, in smallest units.
    Quota { limit: i64, decimals: u8, per: &'static str, resets: u64 },
    /// What is left of it, in the currency.
    Credit { remaining: String, currency: String },
}

/// What a client is told of a pool that its request was reserved from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Whole units; how long the period is and until it is over, in seconds.
    Quota { meter: Arc<str>, per: &'static str, limit: i64, remaining: i64, window: i64, resets: u64 },
    /// A quota that is only told of was passed.
    Passed { meter: Arc<str>, per: &'static str },
    /// In the currency, down to its smallest unit.
    Credit { remaining: String, currency: String },
}

impl Metered {
    /// What a step meters whose plugin has opened the meters at these places.
    pub(crate) fn new(metering: &Arc<Metering>, tariff: &Arc<Tariff>, meters: Arc<[usize]>) -> Self {
        Self { metering: Arc::clone(metering), tariff: Arc::clone(tariff), meters }
    }

    /// The places of its meters.
    pub(crate) fn meters(&self) -> &[usize] {
        &self.meters
    }

    /// Hands what an exchange used to the ledger, once; `None` if it used nothing.
    pub(crate) fn settle(&self, tab: &Tab, ending: &Ending<'_>) -> Option<Receipt> {
        self.metering.settle(tab, &self.tariff.meters, ending)
    }

    /// The books that it is entered in.
    pub(crate) const fn metering(&self) -> &Arc<Metering> {
        &self.metering
    }

    /// Sets aside what the request may need of everything that its consumer's plan limits, all of it or nothing.
    pub(crate) async fn admit(&self, tab: &Tab, consumer: Option<&Arc<str>>) -> Result<(), Refusal> {
        let admitted = match self.metering.accepts() {
            true => self.set_aside(tab, consumer).await,
            false => Err(Refusal::Unavailable),
        };
        match admitted {
            // Who may go on unrecorded may go on unreserved.
            Err(Refusal::Unavailable) if self.metering.settings.on_failure == OnFailure::Allow => {
                self.metering.status.unreserved();
                Ok(())
            }
            Err(refusal) => {
                self.metering.status.refused(&refusal);
                tab.open().closed = true;
                Err(refusal)
            }
            Ok(()) => Ok(()),
        }
    }

    async fn set_aside(&self, tab: &Tab, consumer: Option<&Arc<str>>) -> Result<(), Refusal> {
        let (at, account) = self.open(tab, consumer);
        let Some(account) = account else { return Ok(()) };
        if account.free_until.get().is_none() {
            // Until the ledger has said when the subscription began, nobody knows whether this is free.
            return Err(Refusal::Unavailable);
        }
        let mut held = Vec::new();
        for &place in &*self.meters {
            let meter = &self.tariff.meters[place];
            let amount = {
                let page = &mut *tab.open();
                let line = page.line(place);
                if line.reserved.is_some() {
                    continue;
                }
                match meter.aggregation {
                    Aggregation::Count => 1,
                    // Nobody comes in without anything being left, whatever is expected.
                    _ => line.recorded.expected.unwrap_or(meter.reserve).max(1),
                }
            };
            let mut quotas = Vec::new();
            for quota in account.quotas.iter().filter(|quota| quota.meter == place) {
                let pool = || Pool::Quota {
                    consumer: Arc::clone(&account.consumer),
                    meter: Arc::clone(&meter.name),
                    period: quota.per.containing(at),
                };
                let hold = self.hold(&quota.current, pool, quota.limit, amount, at).await?;
                quotas.push(hold.ok_or_else(|| {
                    let resets = quota.per.containing(at).end().as_second() - at.as_second();
                    let what = Spent::Quota {
                        limit: quota.limit,
                        decimals: meter.decimals,
                        per: quota.per.name(),
                        resets: u64::try_from(resets).unwrap_or(0),
                    };
                    exhausted(&account, &meter.name, what)
                })?);
            }
            let credit = self.hold_credit(&account, place, amount, at).await?;
            held.push((place, amount, quotas, credit));
        }
        let page = &mut *tab.open();
        for (place, amount, quotas, credit) in held {
            let line = page.line(place);
            line.unit = 10_i64.pow(u32::from(self.tariff.meters[place].decimals));
            (line.reserved, line.quotas, line.credit) = (Some(amount), quotas, credit);
        }
        Ok(())
    }

    /// Notes who is admitted and when: of several steps that meter, the first decides.
    fn open(&self, tab: &Tab, consumer: Option<&Arc<str>>) -> (Timestamp, Option<Arc<Account>>) {
        let page = &mut *tab.open();
        let admitted = page.admitted.get_or_insert_with(|| Admitted {
            at: Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH),
            consumer: consumer.cloned().unwrap_or_else(|| Arc::from("")),
            account: consumer.and_then(|name| self.tariff.account(name)).cloned(),
        });
        let (at, account) = (admitted.at, admitted.account.clone());
        for &place in &*self.meters {
            page.line(place);
        }
        (at, account)
    }

    async fn hold_credit(
        &self,
        account: &Arc<Account>,
        place: usize,
        amount: i64,
        at: Timestamp,
    ) -> Result<Option<Hold>, Refusal> {
        let Some((_, charge)) = account.charges.iter().find(|(meter, _)| *meter == place) else {
            return Ok(None);
        };
        let is_free = account.free_until.get().copied().flatten().is_some_and(|until| at < until);
        // What costs nothing is not reserved, but it is priced when it is written.
        let cost = if is_free { 0 } else { rating::ceiling(charge, amount).unwrap_or(i64::MAX) };
        let pool = || Pool::Credit { consumer: Arc::clone(&account.consumer) };
        let hold = self.hold(&account.credit, pool, 0, cost, at).await?;
        let refused = || {
            let left = account.credit.load().as_ref().map_or(0, |allowance| allowance.remaining());
            let (remaining, currency) = shown(left, account.plan.currency);
            exhausted(account, &self.tariff.meters[place].name, Spent::Credit { remaining, currency })
        };
        hold.ok_or_else(refused).map(Some)
    }

    /// Sets an amount of a pool aside; `None` if it has less.
    async fn hold(
        &self,
        current: &ArcSwapOption<Allowance>,
        pool: impl Fn() -> Pool,
        limit: i64,
        amount: i64,
        at: Timestamp,
    ) -> Result<Option<Hold>, Refusal> {
        if self.metering.lease_is_over() {
            return Err(Refusal::Unavailable);
        }
        if let Some(allowance) = &*current.load()
            && allowance.is_current(at)
        {
            if let Some(hold) = allowance.reserve(amount) {
                return Ok(Some(hold));
            }
            if allowance.is_refused(amount) {
                return Ok(None);
            }
        }
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.metering.send(super::clerk::Message::Ask(Ask { pool: pool(), limit, amount, at, reply }));
        let deadline = tokio::time::Instant::from_std(Instant::now() + self.metering.settings.timeout);
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(Ok(Ok((allowance, hold)))) => {
                current.store(Some(allowance));
                Ok(hold)
            }
            _ => Err(Refusal::Unavailable),
        }
    }
}

/// Nanos of a currency, down to its smallest unit and never more than there is, and the currency's code.
fn shown(nanos: i64, currency: Currency) -> (String, String) {
    let places = u32::from(currency.places());
    let amount = Decimal::new(nanos, 9).round_dp_with_strategy(places, RoundingStrategy::ToZero);
    (format!("{amount:.width$}", width = usize::from(currency.places())), currency.code().to_owned())
}

fn exhausted(account: &Account, meter: &Arc<str>, what: Spent) -> Refusal {
    Refusal::Exhausted(Exhausted { status: account.plan.exhausted, meter: Arc::clone(meter), what })
}

impl Tab {
    /// What the client is told of what its request was reserved from.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        let page = self.open();
        let Some(admitted) = &page.admitted else { return Vec::new() };
        let Some(account) = &admitted.account else { return Vec::new() };
        let mut notices = Vec::new();
        for line in &page.lines {
            for hold in &line.quotas {
                let allowance = hold.allowance();
                if let Pool::Quota { meter, period, .. } = &allowance.pool {
                    let unit = line.unit.max(1);
                    notices.push(Notice::Quota {
                        meter: Arc::clone(meter),
                        per: period.every.name(),
                        limit: allowance.limit / unit,
                        remaining: allowance.remaining() / unit,
                        window: period.end().as_second() - period.start.as_second(),
                        resets: allowance.resets(admitted.at).unwrap_or(0),
                    });
                }
            }
            for soft in account.soft.iter().filter(|soft| soft.meter == line.meter) {
                if soft.is_passed(admitted.at) {
                    notices.push(Notice::Passed { meter: Arc::clone(&soft.name), per: soft.per.name() });
                }
            }
        }
        if let Some(hold) = page.lines.iter().find_map(|line| line.credit.as_ref()) {
            let (remaining, currency) = shown(hold.allowance().remaining(), account.plan.currency);
            notices.push(Notice::Credit { remaining, currency });
        }
        notices
    }
}
