//! Cells that one thread writes and a scrape reads.
//!
//! An addition is a load and a store, both relaxed: no read-modify-write, and no cache line that two workers
//! write. That is right for one writer only, so each worker has cells of its own and the scrape sums them.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub(super) struct Gauge(AtomicI64);

impl Gauge {
    pub(super) fn add(&self, more: i64) {
        self.set(self.get().wrapping_add(more));
    }

    pub(super) fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

const fn us(microseconds: u64) -> u64 {
    microseconds * 1000
}

const fn ms(milliseconds: u64) -> u64 {
    milliseconds * 1_000_000
}

/// Upper bounds of buckets in nanoseconds.
pub(super) type Scale = [u64; BOUNDS];

pub(super) const BOUNDS: usize = 16;

/// For what passes a network: 0.5 ms to 60 s.
pub(super) static EXCHANGE_SCALE: Scale = [
    us(500),
    ms(1),
    us(2500),
    ms(5),
    ms(10),
    ms(25),
    ms(50),
    ms(100),
    ms(250),
    ms(500),
    ms(1000),
    ms(2500),
    ms(5000),
    ms(10_000),
    ms(30_000),
    ms(60_000),
];

/// For a call into a plugin: 1 µs to 1 s.
pub(super) static CALL_SCALE: Scale = [
    us(1),
    us(2),
    us(5),
    us(10),
    us(25),
    us(50),
    us(100),
    us(250),
    us(500),
    ms(1),
    us(2500),
    ms(5),
    ms(10),
    ms(50),
    ms(250),
    ms(1000),
];

/// Durations by bucket.
#[derive(Debug)]
pub(super) struct Histogram {
    scale: &'static Scale,
    /// Each bucket's own count; the last one is beyond every bound.
    buckets: [Counter; BOUNDS + 1],
    sum_ns: Counter,
}

impl Histogram {
    pub(super) fn new(scale: &'static Scale) -> Self {
        Self { scale, buckets: Default::default(), sum_ns: Counter::default() }
    }

    pub(super) fn observe(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[self.scale.partition_point(|&bound| bound < ns)].add(1);
        self.sum_ns.add(ns);
    }

    pub(super) fn add_to(&self, total: &mut HistogramTotal) {
        total.scale = self.scale;
        for (sum, bucket) in total.buckets.iter_mut().zip(&self.buckets) {
            *sum += bucket.get();
        }
        total.sum_ns = total.sum_ns.wrapping_add(self.sum_ns.get());
    }
}

/// The sum of the same histogram of several workers.
#[derive(Debug)]
pub(super) struct HistogramTotal {
    pub(super) scale: &'static Scale,
    pub(super) buckets: [u64; BOUNDS + 1],
    pub(super) sum_ns: u64,
}

impl<'a> FromIterator<&'a Histogram> for HistogramTotal {
    fn from_iter<I: IntoIterator<Item = &'a Histogram>>(histograms: I) -> Self {
        let mut total = Self { scale: &EXCHANGE_SCALE, buckets: [0; BOUNDS + 1], sum_ns: 0 };
        histograms.into_iter().for_each(|histogram| histogram.add_to(&mut total));
        total
    }
}

/// A counter for each kind that was met. Kinds are `&'static str`, so there are only as many as the code
/// names.
#[derive(Debug, Default)]
pub(super) struct Kinds(OnceLock<Box<Kind>>);

#[derive(Debug)]
struct Kind {
    name: &'static str,
    count: Counter,
    next: Kinds,
}

impl Kinds {
    pub(super) fn add(&self, name: &'static str) {
        let mut place = &self.0;
        loop {
            let kind = place
                .get_or_init(|| Box::new(Kind { name, count: Counter::default(), next: Self::default() }));
            if kind.name == name {
                return kind.count.add(1);
            }
            place = &kind.next.0;
        }
    }

    fn add_to(&self, total: &mut BTreeMap<&'static str, u64>) {
        let mut place = &self.0;
        while let Some(kind) = place.get() {
            *total.entry(kind.name).or_default() += kind.count.get();
            place = &kind.next.0;
        }
    }

    /// The sum of the same kinds of several workers.
    pub(super) fn total<'a>(all: impl Iterator<Item = &'a Self>) -> BTreeMap<&'static str, u64> {
        let mut total = BTreeMap::new();
        all.for_each(|kinds| kinds.add_to(&mut total));
        total
    }
}

/// Status codes that are counted one by one; the others are counted by class.
#[rustfmt::skip]
const CODES: [(u16, &str); 68] = [
    (100, "100"), (101, "101"), (103, "103"),
    (200, "200"), (201, "201"), (202, "202"), (203, "203"), (204, "204"), (205, "205"), (206, "206"), (207, "207"),
    (208, "208"), (226, "226"),
    (300, "300"), (301, "301"), (302, "302"), (303, "303"), (304, "304"), (305, "305"), (307, "307"), (308, "308"),
    (400, "400"), (401, "401"), (402, "402"), (403, "403"), (404, "404"), (405, "405"), (406, "406"), (407, "407"),
    (408, "408"), (409, "409"), (410, "410"), (411, "411"), (412, "412"), (413, "413"), (414, "414"), (415, "415"),
    (416, "416"), (417, "417"), (418, "418"), (421, "421"), (422, "422"), (423, "423"), (424, "424"), (425, "425"),
    (426, "426"), (428, "428"), (429, "429"), (431, "431"), (451, "451"), (499, "499"),
    (500, "500"), (501, "501"), (502, "502"), (503, "503"), (504, "504"), (505, "505"), (506, "506"), (507, "507"),
    (508, "508"), (510, "510"), (511, "511"),
    // Not codes: the others of each class, and anything else.
    (1, "1xx"), (2, "2xx"), (3, "3xx"), (4, "4xx"), (5, "5xx"), (0, "none"),
];

const LABELS: usize = CODES.len();

/// From a status code to its place in `CODES`.
static PLACES: [u8; 600] = {
    let mut places = [(LABELS - 1) as u8; 600];
    let mut code = 100;
    while code < 600 {
        places[code] = (LABELS - 7 + code / 100) as u8;
        code += 1;
    }
    let mut place = 0;
    while place < LABELS - 6 {
        places[CODES[place].0 as usize] = place as u8;
        place += 1;
    }
    places
};

/// A counter for each status code.
#[derive(Debug)]
pub(super) struct Statuses([Counter; LABELS]);

impl Default for Statuses {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

impl Statuses {
    /// Counts one; 0 stands for no answer at all.
    pub(super) fn add(&self, status: u16) {
        let place = PLACES.get(usize::from(status)).copied().unwrap_or(PLACES[0]);
        self.0[usize::from(place)].add(1);
    }

    /// The sums over several workers of those that were met.
    pub(super) fn total<'a>(
        all: impl Iterator<Item = &'a Self> + Clone,
    ) -> impl Iterator<Item = (&'static str, u64)> {
        CODES.iter().enumerate().filter_map(move |(place, (_, label))| {
            let sum: u64 = all.clone().map(|statuses| statuses.0[place].get()).sum();
            (sum > 0).then_some((*label, sum))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{CALL_SCALE, CODES, EXCHANGE_SCALE, Histogram, HistogramTotal, Kinds, Statuses};

    #[test]
    fn every_status_has_its_label() {
        for status in 0..=u16::MAX {
            let statuses = Statuses::default();
            statuses.add(status);
            let exact = CODES.iter().find(|(code, _)| status >= 100 && *code == status);
            let expected = match (exact, status / 100) {
                (Some((_, label)), _) => (*label).to_owned(),
                (None, class @ 1..=5) => format!("{class}xx"),
                (None, _) => "none".to_owned(),
            };
            let total: Vec<_> = Statuses::total([&statuses].into_iter()).collect();
            assert_eq!(total, [(&*expected, 1)]);
        }
    }

    #[test]
    fn bounds_belong_to_their_buckets() {
        for scale in [&EXCHANGE_SCALE, &CALL_SCALE] {
            assert!(scale.is_sorted());
            let histograms = [Histogram::new(scale), Histogram::new(scale)];
            for &bound in scale {
                histograms[0].observe(Duration::from_nanos(bound));
                histograms[1].observe(Duration::from_nanos(bound + 1));
            }
            histograms[0].observe(Duration::ZERO);
            let total: HistogramTotal = histograms.iter().collect();
            let (last, others) = total.buckets.split_last().unwrap();
            assert_eq!((others, last), (&[2; 16][..], &1));
            assert_eq!(total.sum_ns, scale.iter().map(|bound| 2 * bound + 1).sum::<u64>());
        }
    }

    #[test]
    fn kinds_are_told_apart_and_summed() {
        let workers = [Kinds::default(), Kinds::default()];
        for name in ["trap", "deadline", "trap", "memory"] {
            workers[0].add(name);
        }
        workers[1].add("trap");
        let total = Kinds::total(workers.iter());
        assert_eq!(total.into_iter().collect::<Vec<_>>(), [("deadline", 1), ("memory", 1), ("trap", 3)]);
        assert!(Kinds::total([].into_iter()).is_empty());
    }
}
