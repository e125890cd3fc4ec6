//! The store: values, numbers and limits in memory.

use std::collections::HashMap;

use sluice_abi::{Algorithm, Code, Counter, Mode, Take, Taken};

/// The longest key, in bytes.
const MAX_KEY: usize = 1024;
/// The longest value, in bytes.
const MAX_VALUE: usize = 64 << 10;
/// The most limits of one take.
const MAX_TAKES: usize = 64;

/// A limit is named by its key and its rule.
type Name = (Vec<u8>, Algorithm, u64, u64);

#[derive(Default)]
pub(super) struct Store {
    values: HashMap<Vec<u8>, Value>,
    limits: HashMap<Name, Counter>,
    /// Who leads in making a value, until when.
    leads: HashMap<Vec<u8>, u64>,
}

struct Value {
    /// A number is kept as its digits.
    bytes: Vec<u8>,
    expires_ns: Option<u64>,
}

fn end(now_ns: u64, ttl_ms: i64) -> Result<Option<u64>, Code> {
    let ttl = u64::try_from(ttl_ms).map_err(|_| Code::Invalid)?;
    Ok((ttl > 0).then(|| now_ns.saturating_add(ttl.saturating_mul(1_000_000))))
}

impl Store {
    pub(super) fn get(&self, now_ns: u64, key: &[u8]) -> Result<Vec<u8>, Code> {
        let value = self.values.get(key).filter(|value| value.expires_ns.is_none_or(|end| end > now_ns));
        value.map(|value| value.bytes.clone()).ok_or(Code::None)
    }

    /// Nobody waits here: whoever would have to is late at once.
    pub(super) fn lead(&mut self, now_ns: u64, key: &[u8], lease_ms: i64) -> Result<Vec<u8>, Code> {
        if let Ok(value) = self.get(now_ns, key) {
            return Ok(value);
        }
        if self.leads.get(key).is_some_and(|end| *end > now_ns) {
            return Err(Code::Timeout);
        }
        let end = end(now_ns, lease_ms)?.unwrap_or(now_ns);
        self.leads.insert(key.to_vec(), end);
        Err(Code::None)
    }

    pub(super) fn release(&mut self, now_ns: u64, key: &[u8]) -> Result<(), Code> {
        self.leads.remove(key).filter(|end| *end > now_ns).map(drop).ok_or(Code::None)
    }

    pub(super) fn set(&mut self, now_ns: u64, key: &[u8], bytes: &[u8], ttl_ms: i64) -> Result<(), Code> {
        let expires_ns = end(now_ns, ttl_ms)?;
        if key.len() > MAX_KEY || bytes.len() > MAX_VALUE {
            return Err(Code::TooLarge);
        }
        self.values.insert(key.to_vec(), Value { bytes: bytes.to_vec(), expires_ns });
        self.leads.remove(key);
        Ok(())
    }

    pub(super) fn delete(&mut self, now_ns: u64, key: &[u8]) -> Result<(), Code> {
        self.get(now_ns, key)?;
        self.values.remove(key);
        Ok(())
    }

    pub(super) fn add(&mut self, now_ns: u64, key: &[u8], delta: i64, ttl_ms: i64) -> Result<i64, Code> {
        let expires_ns = end(now_ns, ttl_ms)?;
        if key.len() > MAX_KEY {
            return Err(Code::TooLarge);
        }
        if self.get(now_ns, key).is_err() {
            self.values.remove(key);
        }
        let value =
            self.values.entry(key.to_vec()).or_insert_with(|| Value { bytes: b"0".to_vec(), expires_ns });
        let text = std::str::from_utf8(&value.bytes).map_err(|_| Code::Invalid)?;
        let sum = text.parse::<i64>().map_err(|_| Code::Invalid)?.saturating_add(delta);
        value.bytes = sum.to_string().into_bytes();
        Ok(sum)
    }

    /// From every limit, or from none. What is given back comes last.
    pub(super) fn take(&mut self, now_ns: u64, takes: &[Take]) -> Result<Vec<Taken>, Code> {
        let is_long = |take: &Take| take.key.len() > MAX_KEY || take.holder.len() > MAX_KEY;
        if takes.len() > MAX_TAKES || takes.iter().any(is_long) {
            return Err(Code::TooLarge);
        }
        let mut after = self.limits.clone();
        let mut charged: Vec<Option<Taken>> = vec![None; takes.len()];
        for last in [false, true] {
            let turn = |take: &Take| (take.mode == Mode::GiveBack) == last;
            for (take, charged) in takes.iter().zip(&mut charged).filter(|(take, _)| turn(take)) {
                *charged = Some(charge(&mut after, take, now_ns));
            }
        }
        let charged: Vec<Taken> = charged.into_iter().flatten().collect();
        if charged.iter().all(|taken| taken.allowed) {
            self.limits = after;
            return Ok(charged);
        }
        let mut looks: Vec<Taken> = takes.iter().map(|take| look(&self.limits, take, now_ns)).collect();
        // Two takes from one limit may each fit alone: then the first that did not fit says so.
        if looks.iter().all(|taken| taken.allowed)
            && let Some(index) = charged.iter().position(|taken| !taken.allowed)
        {
            looks[index] = charged[index];
        }
        Ok(looks)
    }
}

fn name(take: &Take) -> Name {
    (take.key.clone(), take.algorithm, take.quota, take.window_ms)
}

fn look(limits: &HashMap<Name, Counter>, take: &Take, now_ns: u64) -> Taken {
    match limits.get(&name(take)) {
        Some(counter) => counter.look(take, now_ns),
        None => Counter::new(take.algorithm, now_ns).look(take, now_ns),
    }
}

fn charge(limits: &mut HashMap<Name, Counter>, take: &Take, now_ns: u64) -> Taken {
    match limits.get_mut(&name(take)) {
        Some(counter) => counter.charge(take, now_ns),
        // To look leaves no trace, and neither does giving back what nobody has taken.
        None if take.cost == 0 || take.mode == Mode::GiveBack => look(limits, take, now_ns),
        None => {
            let mut counter = Counter::new(take.algorithm, now_ns);
            let taken = counter.charge(take, now_ns);
            limits.insert(name(take), counter);
            taken
        }
    }
}
