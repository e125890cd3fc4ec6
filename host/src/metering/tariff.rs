//! What a snapshot says of metering: the meters, and for each consumer what its plan limits and charges.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use sluice_metering::ledger::{Pool, Subscription};
use sluice_metering::meter::Meter;
use sluice_metering::period::Every;
use sluice_metering::plan::{Charge, Plan};
use sluice_metering::rating;

use super::allowance::Allowance;
use super::report::Catalog;
use crate::config::Config;

/// How often a soft quota is looked at after it was used.
const LOOKS: u8 = 2;

/// What a snapshot says of metering.
#[derive(Debug, Default)]
pub(crate) struct Tariff {
    /// In the order of their names: plugins know meters by their places here.
    pub(super) meters: Arc<[Arc<Meter>]>,
    /// Of consumers that have a plan.
    accounts: HashMap<Arc<str>, Arc<Account>>,
    pub(super) subscriptions: Vec<Subscription>,
    /// Those that events are kept for until they have had them.
    pub(super) sinks: Vec<Arc<str>>,
    /// Those with soft quotas.
    watched: Vec<Arc<Account>>,
    /// For whoever asks what was used.
    catalog: Arc<Catalog>,
}

/// A consumer on a plan.
#[derive(Debug)]
pub(crate) struct Account {
    pub(super) consumer: Arc<str>,
    pub(super) plan: Arc<Plan>,
    /// Those that deny.
    pub(super) quotas: Box<[Quota]>,
    /// Those that only tell.
    pub(super) soft: Box<[SoftQuota]>,
    /// The charges that draw from credit, by the meters' places.
    pub(super) charges: Box<[(usize, Arc<Charge>)]>,
    pub(super) credit: ArcSwapOption<Allowance>,
    /// When its trial ends, once the ledger has said when the subscription began.
    pub(super) free_until: OnceLock<Option<Timestamp>>,
}

/// A quota of a consumer, and what this gateway may hand out of it at the moment.
#[derive(Debug)]
pub(super) struct Quota {
    pub(super) meter: usize,
    pub(super) limit: i64,
    pub(super) per: Every,
    pub(super) current: ArcSwapOption<Allowance>,
}

/// A quota beyond which a consumer is told so, and served.
#[derive(Debug)]
pub(super) struct SoftQuota {
    pub(super) meter: usize,
    pub(super) name: Arc<str>,
    pub(super) limit: i64,
    pub(super) per: Every,
    /// How often it is still to be looked at. Twice after each use: what was used may be in the ledger only a moment later.
    looks: AtomicU8,
    /// The end, in microseconds since 1970, of the period in which it was found to be passed.
    pub(super) passed_until: AtomicI64,
}

impl SoftQuota {
    /// It is used.
    pub(super) fn touch(&self) {
        self.looks.store(LOOKS, Ordering::Relaxed);
    }

    /// Whether it was used since it was last looked at, or just before.
    pub(super) fn is_due(&self) -> bool {
        self.looks.load(Ordering::Relaxed) > 0
    }

    /// It was looked at.
    pub(super) fn looked(&self) {
        let _ = self.looks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |looks| looks.checked_sub(1));
    }

    /// Whether it is known to be passed at this moment. Known a second late at most.
    pub(super) fn is_passed(&self, at: Timestamp) -> bool {
        at.as_microsecond() < self.passed_until.load(Ordering::Relaxed)
    }
}

impl Tariff {
    /// Of a configuration.
    pub(crate) fn new(config: &Config) -> Self {
        let meters: Arc<[Arc<Meter>]> = config.meters.values().cloned().collect();
        let place = |name: &str| meters.iter().position(|meter| *meter.name == *name);
        let plans: HashMap<&str, Terms<'_>> =
            config.plans.iter().map(|(name, plan)| (&**name, Terms::new(plan, place))).collect();
        let mut accounts = HashMap::new();
        let mut subscriptions = Vec::with_capacity(config.consumers.len());
        for consumer in &config.consumers {
            let terms = consumer.plan.as_ref().and_then(|plan| plans.get(&**plan));
            let prepaid = terms.and_then(|terms| terms.plan.prepaid.as_ref());
            subscriptions.push(Subscription {
                consumer: Arc::clone(&consumer.name),
                plan: terms.map_or_else(|| Arc::from(""), |terms| Arc::clone(&terms.plan.name)),
                since: consumer.plan_since,
                grant: prepaid.and_then(|prepaid| Some((nanos(prepaid.grant?)?, prepaid.expires))),
            });
            if let Some(terms) = terms {
                accounts.insert(Arc::clone(&consumer.name), Arc::new(terms.account(&consumer.name, &meters)));
            }
        }
        let sinks = config.sinks.iter().map(|sink| Arc::clone(&sink.name)).collect();
        let watched = accounts.values().filter(|account: &&Arc<Account>| !account.soft.is_empty());
        let watched = watched.cloned().collect();
        let catalog = Arc::new(Catalog::new(config));
        Self { meters, accounts, subscriptions, sinks, watched, catalog }
    }

    /// What is configured, for whoever asks what was used.
    pub(crate) const fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The accounts with soft quotas.
    pub(super) fn watched(&self) -> &[Arc<Account>] {
        &self.watched
    }

    pub(super) fn account(&self, consumer: &str) -> Option<&Arc<Account>> {
        self.accounts.get(consumer)
    }

    /// Notes when the subscriptions began, from which trials follow.
    pub(super) fn began(&self, since: &[(Arc<str>, Timestamp)]) {
        for (consumer, since) in since {
            let Some(account) = self.accounts.get(consumer) else { continue };
            let _ = account.free_until.set(rating::free_until(&account.plan, *since));
        }
    }

    /// The quota that a pool is reserved from now; `None` if there is none any more.
    pub(super) fn limit_of(&self, pool: &Pool) -> Option<i64> {
        match pool {
            Pool::Quota { consumer, meter, period } => {
                let account = self.accounts.get(consumer)?;
                let is =
                    |quota: &&Quota| quota.per == period.every && self.meters[quota.meter].name == *meter;
                account.quotas.iter().find(is).map(|quota| quota.limit)
            }
            Pool::Credit { consumer } => {
                self.accounts.get(consumer).filter(|account| account.plan.prepaid.is_some()).map(|_| 0)
            }
        }
    }
}

/// A plan with the places of its meters.
struct Terms<'a> {
    plan: &'a Arc<Plan>,
    /// Meter, limit, period, and whether it is hard.
    quotas: Vec<(usize, i64, Every, bool)>,
    charges: Vec<(usize, Arc<Charge>)>,
}

impl<'a> Terms<'a> {
    fn new(plan: &'a Arc<Plan>, place: impl Fn(&str) -> Option<usize>) -> Self {
        let quota = |quota: &sluice_metering::plan::Quota| {
            Some((place(&quota.meter)?, quota.limit, quota.per, quota.hard))
        };
        let drawn = plan.charges.iter().filter(|_| plan.prepaid.is_some());
        Self {
            plan,
            quotas: plan.quotas.iter().filter_map(quota).collect(),
            charges: drawn
                .filter_map(|charge| Some((place(&charge.meter)?, Arc::new(charge.clone()))))
                .collect(),
        }
    }

    fn account(&self, consumer: &Arc<str>, meters: &[Arc<Meter>]) -> Account {
        let hard = |&(meter, limit, per, hard): &(usize, i64, Every, bool)| {
            hard.then(|| Quota { meter, limit, per, current: ArcSwapOption::empty() })
        };
        let soft = |&(meter, limit, per, hard): &(usize, i64, Every, bool)| {
            // What was used before this process is looked at once.
            let (looks, passed_until) = (AtomicU8::new(1), AtomicI64::new(i64::MIN));
            let name = Arc::clone(&meters[meter].name);
            (!hard).then_some(SoftQuota { meter, name, limit, per, looks, passed_until })
        };
        let free_until = OnceLock::new();
        if self.plan.trial.is_none() {
            let _ = free_until.set(None);
        }
        Account {
            consumer: Arc::clone(consumer),
            plan: Arc::clone(self.plan),
            quotas: self.quotas.iter().filter_map(hard).collect(),
            soft: self.quotas.iter().filter_map(soft).collect(),
            charges: self.charges.iter().cloned().collect(),
            credit: ArcSwapOption::empty(),
            free_until,
        }
    }
}

/// An amount in nanos, if it fits.
fn nanos(amount: rust_decimal::Decimal) -> Option<i64> {
    use rust_decimal::prelude::ToPrimitive as _;
    amount.checked_mul(rust_decimal::Decimal::from(1_000_000_000))?.to_i64()
}
