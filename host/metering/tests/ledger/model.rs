//! Random batches with repeats, against a plain model in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use sluice_metering::ledger::{
    Credit, Draw, Entry, Error, Ledger, Pool, Reader, Retention, TopUp, UsageQuery, Written,
};
use sluice_metering::period::Every;

use crate::backend::{Place, Which, a_nano, at, entry, on};

const CONSUMERS: [&str; 2] = ["acme", "other"];

const INCLUDED: i64 = 50;

#[derive(Clone, Debug)]
struct Use {
    request: u8,
    consumer: usize,
    value: i64,
    /// Half hours since the beginning.
    time: u16,
    model: Option<u8>,
    subject: Option<u8>,
    reserved: i64,
    is_paid: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<Use>),
    /// As after an answer that was lost.
    Repeat,
    Acquire {
        consumer: usize,
        day: u8,
        limit: i64,
        amount: i64,
    },
    GiveBack {
        consumer: usize,
        day: u8,
        amount: i64,
    },
    TopUp {
        id: u8,
        consumer: usize,
        amount: i64,
        expires: Option<u16>,
    },
    Maintain(u16),
    /// The process dies.
    Reopen,
}

fn uses() -> impl Strategy<Value = Use> {
    let value = prop_oneof![4 => 0..100_i64, 1 => Just(i64::MAX / 4)];
    let rest = (proptest::option::of(0..3_u8), proptest::option::of(0..4_u8), 0..50_i64, any::<bool>());
    (any::<u8>(), 0..2_usize, value, 0..200_u16, rest).prop_map(
        |(request, consumer, value, time, (model, subject, reserved, is_paid))| {
            // A charge of 2^61 nanos would overflow the account, which is not what is tested.
            let is_paid = is_paid && value < 100;
            Use { request, consumer, value, time, model, subject, reserved, is_paid }
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => vec(uses(), 0..12).prop_map(Step::Write),
        2 => Just(Step::Repeat),
        2 => (0..2_usize, 0..4_u8, 0..500_i64, 0..100_i64)
            .prop_map(|(consumer, day, limit, amount)| Step::Acquire { consumer, day, limit, amount }),
        1 => (0..2_usize, 0..4_u8, 0..100_i64)
            .prop_map(|(consumer, day, amount)| Step::GiveBack { consumer, day, amount }),
        2 => (0..20_u8, 0..2_usize, 1..200_i64, proptest::option::of(0..200_u16))
            .prop_map(|(id, consumer, amount, expires)| Step::TopUp { id, consumer, amount, expires }),
        1 => (0..250_u16).prop_map(Step::Maintain),
        1 => Just(Step::Reopen),
    ];
    vec(step, 1..25)
}

/// The last days of a month and the first of the next.
fn time(half_hours: u16) -> Timestamp {
    at("2026-10-30T00:00:00Z") + jiff::SignedDuration::from_mins(i64::from(half_hours) * 30)
}

fn pool(consumer: usize, time: Timestamp) -> Pool {
    Pool::Quota {
        consumer: CONSUMERS[consumer].into(),
        meter: "tokens".into(),
        period: Every::Day.containing(time),
    }
}

fn make(one: &Use) -> Entry {
    let mut entry = entry(&format!("request-{}", one.request), one.value);
    entry.event.consumer = CONSUMERS[one.consumer].into();
    entry.event.at = time(one.time);
    entry.event.dimensions =
        one.model.map(|model| ("model".into(), model.to_string().into())).into_iter().collect();
    entry.event.subject = one.subject.map(|subject| [subject; 16]);
    entry.quotas = vec![(pool(one.consumer, entry.event.at), one.reserved)];
    entry.credit = one.is_paid.then(|| Draw { charge: a_nano(INCLUDED), reserved: 0, free_until: None });
    entry
}

/// Count, sum, max, latest, different subjects.
type Sums = (i64, i128, i64, i64, i64);

/// What there should be.
#[derive(Default)]
struct Model {
    written: HashMap<String, (Entry, i64)>,
    held: BTreeMap<Pool, i64>,
    credits: BTreeMap<String, (String, Credit)>,
    debts: BTreeMap<String, i64>,
}

impl Model {
    fn write(&mut self, batch: &[Entry]) -> Vec<Written> {
        let write = |entry: &Entry| {
            let id = entry.event.id();
            if let Some((_, cost)) = self.written.get(&id) {
                return Written { fresh: false, cost: *cost };
            }
            let month = Every::Month.containing(entry.event.at);
            let others = self.written.values().filter(|(other, _)| {
                other.event.consumer == entry.event.consumer && month.contains(other.event.at)
            });
            let before: i128 = others.map(|(other, _)| i128::from(other.event.value)).sum();
            let price = |quantity: i128| (quantity - i128::from(INCLUDED)).max(0);
            let cost = match entry.credit {
                Some(_) => {
                    i64::try_from(price(before + i128::from(entry.event.value)) - price(before)).unwrap()
                }
                None => 0,
            };
            self.draw(&entry.event.consumer, entry.event.at, cost);
            for (pool, reserved) in &entry.quotas {
                if let Some(held) = self.held.get_mut(pool) {
                    *held = (*held - entry.event.value.min(*reserved)).max(0);
                }
            }
            self.written.insert(id, (entry.clone(), cost));
            Written { fresh: true, cost }
        };
        batch.iter().map(write).collect()
    }

    fn draw(&mut self, consumer: &str, at: Timestamp, mut cost: i64) {
        let mut credits: Vec<_> = self
            .credits
            .values_mut()
            .filter(|(owner, credit)| owner == consumer && credit.expires.is_none_or(|expires| at < expires))
            .map(|(_, credit)| credit)
            .collect();
        credits.sort_by_key(|credit| (credit.expires.unwrap_or(Timestamp::MAX), credit.id.clone()));
        for credit in credits {
            let part = cost.min(credit.amount - credit.drawn);
            credit.drawn += part;
            cost -= part;
        }
        *self.debts.entry(consumer.to_owned()).or_default() += cost;
    }

    fn top_up(&mut self, top_up: &TopUp) -> Result<bool, Error> {
        if let Some((consumer, credit)) = self.credits.get(&top_up.id) {
            let is_same = (&**consumer, credit.amount, credit.expires)
                == (&*top_up.consumer, top_up.amount, top_up.expires);
            return if is_same { Ok(false) } else { Err(Error::Conflict(top_up.id.clone())) };
        }
        let debt = self.debts.entry(top_up.consumer.to_string()).or_default();
        let drawn = top_up.amount.min(*debt);
        *debt -= drawn;
        let TopUp { id, amount, at, expires, .. } = top_up.clone();
        let credit = Credit { id: id.clone(), amount, drawn, at, expires };
        self.credits.insert(id, (top_up.consumer.to_string(), credit));
        Ok(true)
    }

    fn used(&self, pool: &Pool) -> i128 {
        let Pool::Quota { consumer, period, .. } = pool else { return 0 };
        let events = self.written.values().map(|(entry, _)| &entry.event);
        let events = events.filter(|event| event.consumer == *consumer && period.contains(event.at));
        events.map(|event| i128::from(event.value)).sum()
    }

    /// By day, consumer and model.
    fn usage(&self) -> BTreeMap<(Timestamp, String, String), Sums> {
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (entry, _) in self.written.values() {
            let event = &entry.event;
            let model = event.dimensions.first().map_or(String::new(), |(_, value)| value.to_string());
            let day = Every::Day.containing(event.at).start;
            groups.entry((day, event.consumer.to_string(), model)).or_default().push(event);
        }
        let sum_up = |events: Vec<&sluice_metering::event::Event>| {
            let subjects: BTreeSet<_> = events.iter().filter_map(|event| event.subject).collect();
            (
                i64::try_from(events.len()).unwrap(),
                events.iter().map(|event| i128::from(event.value)).sum(),
                events.iter().map(|event| event.value).max().unwrap(),
                events.iter().map(|event| (event.at, event.value)).max().unwrap().1,
                i64::try_from(subjects.len()).unwrap(),
            )
        };
        groups.into_iter().map(|(key, events)| (key, sum_up(events))).collect()
    }
}

async fn compare(reader: &mut Reader, ledger: &mut Ledger, model: &Model) {
    assert_eq!(ledger.check().await.unwrap().problems, Vec::<String>::new());
    let query = UsageQuery {
        by: Some(Every::Day),
        group: Some("model".into()),
        ..UsageQuery::all(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"))
    };
    let rows = reader.usage(&query).await.unwrap().rows.into_iter().map(|row| {
        let usage = row.usage;
        let key = (row.start, row.consumer, row.group.unwrap());
        (key, (usage.count, usage.sum, usage.max, usage.latest, usage.unique))
    });
    assert_eq!(rows.collect::<BTreeMap<_, _>>(), model.usage());
    for consumer in CONSUMERS {
        let balance = reader.balance(consumer, at("2020-01-01T00:00:00Z")).await.unwrap();
        assert_eq!(balance.debt, model.debts.get(consumer).copied().unwrap_or(0));
        let mut credits: Vec<_> = model
            .credits
            .values()
            .filter(|(owner, _)| owner == consumer)
            .map(|(_, credit)| credit.clone())
            .collect();
        credits.sort_by_key(|credit| (credit.expires.unwrap_or(Timestamp::MAX), credit.id.clone()));
        assert_eq!(balance.credits, credits);
    }
    for (pool, held) in &model.held {
        assert_eq!(ledger.held(pool), *held);
    }
}

async fn run(place: &Place, which: Which, steps: &[Step]) {
    let mut ledger = place.ledger().await;
    let mut reader = place.reader().await;
    let mut model = Model::default();
    let mut last = Vec::new();
    for step in steps {
        match step {
            Step::Write(uses) => {
                last = uses.iter().map(make).collect();
                assert_eq!(ledger.write(&last).await.unwrap(), model.write(&last));
            }
            Step::Repeat => assert_eq!(ledger.write(&last).await.unwrap(), model.write(&last)),
            Step::Acquire { consumer, day, limit, amount } => {
                let pool = pool(*consumer, time(u16::from(*day) * 48));
                let want = sluice_metering::ledger::Want {
                    pool: pool.clone(),
                    limit: *limit,
                    amount: *amount,
                    at: time(0),
                };
                let granted = ledger.acquire(&[want]).await.unwrap()[0];
                let held = model.held.get(&pool).copied().unwrap_or(0);
                let left = i128::from(*limit) - model.used(&pool) - i128::from(held);
                assert_eq!(i128::from(granted.left), left.max(i64::MIN.into()));
                let share =
                    if which == Which::Sqlite { granted.left } else { (granted.left / 3).max(*amount) };
                assert_eq!(granted.amount, if left <= 0 || i128::from(*amount) > left { 0 } else { share });
                *model.held.entry(pool).or_default() += granted.amount;
            }
            Step::GiveBack { consumer, day, amount } => {
                let pool = pool(*consumer, time(u16::from(*day) * 48));
                let held = model.held.entry(pool.clone()).or_default();
                let back = (*amount).min(*held);
                *held -= back;
                ledger.give_back(&[(pool, back)]).await.unwrap();
            }
            Step::TopUp { id, consumer, amount, expires } => {
                let top_up = TopUp {
                    id: format!("top-up {id}"),
                    consumer: CONSUMERS[*consumer].into(),
                    amount: *amount,
                    at: time(0),
                    expires: expires.map(time),
                };
                assert_eq!(ledger.top_up(&top_up).await, model.top_up(&top_up));
            }
            Step::Maintain(now) => {
                // Events stay: the model knows what was written by them.
                let (year, day) =
                    (std::time::Duration::from_secs(366 * 86_400), std::time::Duration::from_secs(86_400));
                let retention = Retention { events: year, hours: day, piece: 7 };
                ledger.maintain(&retention, &[], time(*now)).await.unwrap();
                let yesterday = time(*now) - jiff::SignedDuration::from_hours(24);
                model.held.retain(
                    |pool, _| matches!(pool, Pool::Quota { period, .. } if period.end() >= yesterday),
                );
            }
            Step::Reopen => {
                drop(ledger);
                ledger = place.ledger().await;
                model.held.clear();
            }
        }
    }
    compare(&mut reader, &mut ledger, &model).await;
}

fn property(which: Which, cases: u32) {
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(cases) });
    let outcome = runner.run(&steps(), |steps| {
        let attempt = || on(which, async |place| run(&place, which, &steps).await);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(attempt));
        outcome.map_err(|_| TestCaseError::fail("the ledger and the model differ"))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn sqlite_does_as_the_model() {
    property(Which::Sqlite, 60);
}

#[test]
fn postgres_does_as_the_model() {
    property(Which::Postgres, 12);
}
