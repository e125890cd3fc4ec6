//! Balances: what a consumer may still use of its quotas and its credit.

use jiff::Timestamp;
use serde::Serialize;
use sluice_metering::ledger::{self, Reader};
use sluice_metering::plan::{Plan, Quota};

use super::catalog::{amount, moment, second, units};
use super::usage::require_consumer;
use super::{Catalog, Refused};

/// What a consumer may still use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Balance {
    consumer: String,
    at: String,
    /// `null` if it is on none.
    plan: Option<String>,
    #[serde(flatten)]
    left: Left,
}

/// What is left of quotas and credit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Left {
    quotas: Vec<QuotaLeft>,
    /// `null` if the plan is not prepaid and nothing was ever paid ahead.
    credit: Option<CreditLeft>,
}

/// What is left of a quota in its current period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct QuotaLeft {
    meter: String,
    unit: Option<String>,
    /// `hard`: requests beyond it are refused; `soft`: they are told of.
    kind: &'static str,
    per: &'static str,
    limit: String,
    used: String,
    /// Never below 0.
    remaining: String,
    since: String,
    resets: String,
}

/// What is left of credit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct CreditLeft {
    /// The plan's; `null` if the consumer is on none.
    currency: Option<String>,
    /// What is left of all credits, less the debt.
    balance: String,
    debt: String,
    /// What gateways that share a PostgreSQL ledger hold of it for requests.
    reserved: String,
    /// In the order in which they are drawn.
    credits: Vec<OneCredit>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct OneCredit {
    id: String,
    amount: String,
    left: String,
    since: String,
    expires: Option<String>,
}

impl Balance {
    /// Of a consumer.
    pub(crate) async fn ask(
        reader: &mut Reader,
        catalog: &Catalog,
        consumer: &str,
        now: Timestamp,
    ) -> Result<Self, Refused> {
        let left = Left::ask(reader, catalog, consumer, now).await?;
        if left.credit.is_none() {
            require_consumer(reader, catalog, consumer).await?;
        }
        Ok(Self { consumer: consumer.to_owned(), at: second(now), plan: catalog.plan_name(consumer), left })
    }
}

impl Left {
    pub(super) async fn ask(
        reader: &mut Reader,
        catalog: &Catalog,
        consumer: &str,
        now: Timestamp,
    ) -> Result<Self, Refused> {
        let plan = catalog.plan_of(consumer);
        let mut quotas = Vec::new();
        for quota in plan.iter().flat_map(|plan| &plan.quotas) {
            let period = quota.per.containing(now);
            let used = reader.spent(consumer, &quota.meter, period).await?;
            quotas.push(quota_left(catalog, quota, used, period));
        }
        let balance = reader.balance(consumer, now).await?;
        Ok(Self { quotas, credit: credit_left(plan.map(|plan| &**plan), &balance) })
    }
}

fn quota_left(
    catalog: &Catalog,
    quota: &Quota,
    used: i64,
    period: sluice_metering::period::Period,
) -> QuotaLeft {
    let meter = catalog.meters.get(&quota.meter);
    let units = |smallest: i64| units(smallest.into(), meter.map_or(0, |meter| meter.decimals));
    QuotaLeft {
        meter: quota.meter.to_string(),
        unit: meter.and_then(|meter| meter.unit.clone()),
        kind: if quota.hard { "hard" } else { "soft" },
        per: quota.per.name(),
        limit: units(quota.limit),
        used: units(used),
        remaining: units(quota.limit.saturating_sub(used).max(0)),
        since: moment(period.start),
        resets: moment(period.end()),
    }
}

fn credit_left(plan: Option<&Plan>, balance: &ledger::Balance) -> Option<CreditLeft> {
    let is_prepaid = plan.is_some_and(|plan| plan.prepaid.is_some());
    if !is_prepaid && balance.credits.is_empty() && balance.debt == 0 {
        return None;
    }
    let places = plan.map_or(0, |plan| plan.currency.places());
    let one = |credit: &ledger::Credit| OneCredit {
        id: credit.id.clone(),
        amount: amount(credit.amount, places),
        left: amount(credit.amount.saturating_sub(credit.drawn), places),
        since: moment(credit.at),
        expires: credit.expires.map(moment),
    };
    Some(CreditLeft {
        currency: plan.map(|plan| plan.currency.code().to_owned()),
        balance: amount(balance.total, places),
        debt: amount(balance.debt, places),
        reserved: amount(balance.reserved, places),
        credits: balance.credits.iter().map(one).collect(),
    })
}
