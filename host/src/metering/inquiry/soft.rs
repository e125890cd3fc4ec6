//! Soft quotas: whether those that were used lately are passed, so that clients and the operator are told.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use sluice_metering::ledger::{Error, Reader};
use sluice_metering::period::Every;

use crate::metering::status::Status;
use crate::metering::tariff::{Account, SoftQuota, Tariff};

/// How many are looked at in one round; the others come next.
const MOST: usize = 500;

/// Consumer, meter and kind of period.
type Key = (Arc<str>, Arc<str>, Every);

/// What is known of soft quotas from round to round.
#[derive(Default)]
pub(super) struct SoftQuotas {
    /// The start of the period of which it was last told that it was passed.
    told: HashMap<Key, Timestamp>,
    /// The account at which the next round begins.
    place: usize,
}

impl SoftQuotas {
    /// Whether there is anything to look at.
    pub(super) fn due(&self, tariff: &Tariff) -> bool {
        tariff.watched().iter().any(|account| account.soft.iter().any(SoftQuota::is_due))
    }

    /// Looks at those that were used since they were last looked at.
    pub(super) async fn look(
        &mut self,
        reader: &mut Reader,
        tariff: &Tariff,
        now: Timestamp,
        status: &Status,
    ) -> Result<(), Error> {
        let accounts = tariff.watched();
        let mut looked = 0;
        for step in 0..accounts.len() {
            let place = (self.place + step) % accounts.len();
            let account = &accounts[place];
            for soft in account.soft.iter().filter(|soft| soft.is_due()) {
                if looked == MOST {
                    self.place = place;
                    return Ok(());
                }
                looked += 1;
                self.look_at(reader, account, soft, now, status).await?;
            }
        }
        Ok(())
    }

    async fn look_at(
        &mut self,
        reader: &mut Reader,
        account: &Account,
        soft: &SoftQuota,
        now: Timestamp,
        status: &Status,
    ) -> Result<(), Error> {
        // What is passed stays passed until its period is over.
        if !soft.is_passed(now) {
            let period = soft.per.containing(now);
            let used = reader.spent(&account.consumer, &soft.name, period).await?;
            if used > soft.limit {
                soft.passed_until.store(period.end().as_microsecond(), Ordering::Relaxed);
                self.tell(account, soft, period.start, status);
            }
        }
        soft.looked();
        Ok(())
    }

    /// Once for each period, also if a reload has made a new quota of it.
    fn tell(&mut self, account: &Account, soft: &SoftQuota, start: Timestamp, status: &Status) {
        let key = (Arc::clone(&account.consumer), Arc::clone(&soft.name), soft.per);
        if self.told.insert(key, start) == Some(start) {
            return;
        }
        status.passed.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(
            consumer = &*account.consumer,
            plan = &*account.plan.name,
            meter = &*soft.name,
            per = soft.per.name(),
            "a soft quota is passed"
        );
    }
}
