//! What is sent and what comes back: keys, arguments of the scripts, and their answers.

use std::time::Duration;

use redis::{Cmd, Value};
use sluice_abi::{Algorithm, Mode, Take, Taken};

use super::RemoteError;
use crate::store::{MAX_KEY, StoreError};

/// 2.2 · 10¹⁵, and 71 years: below this the scripts' arithmetic is exact.
pub(super) const MOST: u64 = (1 << 51) - 1;
const MAX_WINDOW_MS: u64 = MOST / 1000;

/// How long a value lives that has no end of its own. Nothing stays for ever on a server that others use.
const FOR_GOOD: Duration = Duration::from_hours(366 * 24);

/// A script as the server knows it.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) code: &'static str,
    /// What the server calls it.
    pub(super) digest: String,
}

pub(super) const TAKE: &str = include_str!("take.lua");
pub(super) const ADD: &str = include_str!("add.lua");

/// Which script, before it is known what the server calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Take,
    Add,
}

/// A call of a script.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) which: Which,
    keys: Vec<Vec<u8>>,
    arguments: Vec<Vec<u8>>,
}

impl Call {
    /// By the digest, or with the whole script if the server has forgotten it.
    pub(super) fn command(&self, script: &Script, whole: bool) -> Cmd {
        let mut command = redis::cmd(if whole { "EVAL" } else { "EVALSHA" });
        command.arg(if whole { script.code } else { &script.digest }).arg(self.keys.len());
        for part in self.keys.iter().chain(&self.arguments) {
            command.arg(&part[..]);
        }
        command
    }
}

/// A limit's rule as the server counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) algorithm: Algorithm,
    pub(super) quota: u64,
    pub(super) window_ms: u64,
}

impl Rule {
    pub(super) fn of(take: &Take) -> Self {
        Self {
            algorithm: take.algorithm,
            quota: take.quota.clamp(1, MOST),
            window_ms: take.window_ms.clamp(1, MAX_WINDOW_MS),
        }
    }

    const fn letter(self) -> &'static str {
        match self.algorithm {
            Algorithm::Gcra => "g",
            Algorithm::SlidingWindow => "s",
            Algorithm::FixedWindow => "f",
            Algorithm::Concurrency => "c",
        }
    }
}

/// Names of keys: `prefix`, kind, namespace, for a limit its rule, and the key itself.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) prefix: Vec<u8>,
}

impl Names {
    fn name(&self, kind: &str, namespace: &str, rule: &str, key: &[u8]) -> Vec<u8> {
        let mut name = Vec::with_capacity(self.prefix.len() + namespace.len() + rule.len() + key.len() + 8);
        name.extend_from_slice(&self.prefix);
        name.extend_from_slice(kind.as_bytes());
        name.push(b':');
        // Without a colon of its own, so that a namespace and a key meet in one place only.
        for &byte in namespace.as_bytes() {
            match byte {
                b':' => name.extend_from_slice(b"%3A"),
                b'%' => name.extend_from_slice(b"%25"),
                byte => name.push(byte),
            }
        }
        name.push(b':');
        if !rule.is_empty() {
            name.extend_from_slice(rule.as_bytes());
            name.push(b':');
        }
        name.extend_from_slice(key);
        name
    }

    /// The key of a value.
    pub(super) fn value(&self, namespace: &str, key: &[u8]) -> Result<Vec<u8>, StoreError> {
        if key.len() > MAX_KEY {
            return Err(StoreError::KeyTooLong);
        }
        Ok(self.name("v", namespace, "", key))
    }

    /// A take with the key of its limit: one that is configured anew starts afresh.
    pub(super) fn limit<'a>(&self, namespace: &str, take: &'a Take) -> Result<Named<'a>, StoreError> {
        if take.key.len() > MAX_KEY || take.holder.len() > MAX_KEY {
            return Err(StoreError::KeyTooLong);
        }
        let rule = Rule::of(take);
        let text = format!("{}{}-{}", rule.letter(), rule.quota, rule.window_ms);
        let key = self.name("l", namespace, &text, &take.key);
        let units =
            (rule.algorithm == Algorithm::Concurrency).then(|| self.name("u", namespace, &text, &take.key));
        Ok(Named { key, units, take, extra: 0 })
    }
}

/// A take with the key of its limit.
#[derive(Clone, Debug)]
pub(super) struct Named<'a> {
    pub(super) key: Vec<u8>,
    /// Of a concurrency: how much each holder has.
    pub(super) units: Option<Vec<u8>>,
    pub(super) take: &'a Take,
    /// Units to buy beside, as far as there are any.
    pub(super) extra: u64,
}

/// The call for all takes. `now_us` is the server's if there is none.
pub(super) fn take(now_us: Option<u64>, takes: &[Named<'_>]) -> Call {
    let mut keys = Vec::with_capacity(takes.len());
    let mut arguments = Vec::with_capacity(1 + 7 * takes.len());
    arguments.push(now_us.map_or_else(Vec::new, decimal));
    for Named { key, units, take, extra } in takes {
        let rule = Rule::of(take);
        let mode: &[u8] = match take.mode {
            Mode::Try => b"0",
            Mode::Force => b"1",
            Mode::GiveBack => b"2",
        };
        keys.push(key.clone());
        keys.extend(units.clone());
        arguments.extend([
            rule.letter().into(),
            decimal(rule.quota),
            decimal(rule.window_ms * 1000),
            // One more than any quota is as good as any more.
            decimal(take.cost.min(MOST + 1)),
            mode.to_vec(),
            take.holder.clone(),
            decimal(*extra),
        ]);
    }
    Call { which: Which::Take, keys, arguments }
}

fn decimal(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// What came of each take, and how many units were bought beside.
pub(super) fn taken(value: &Value, count: usize) -> Result<Vec<(Taken, u64)>, RemoteError> {
    let numbers: Option<Vec<i64>> = match value {
        Value::Array(values) if values.len() == count * 5 => values
            .iter()
            .map(|value| if let Value::Int(number) = value { Some(*number) } else { None })
            .collect(),
        _ => None,
    };
    let numbers =
        numbers.ok_or_else(|| RemoteError::Protocol("a take was answered with something else".into()))?;
    // Only `retry` is ever negative.
    let number = |number: i64| u64::try_from(number).unwrap_or(Taken::NEVER);
    let one = |numbers: &[i64]| {
        let taken = Taken {
            allowed: numbers[0] == 1,
            remaining: number(numbers[1]),
            reset_ms: number(numbers[2]),
            retry_ms: number(numbers[3]),
        };
        (taken, number(numbers[4]))
    };
    Ok(numbers.chunks_exact(5).map(one).collect())
}

pub(super) fn add(key: Vec<u8>, delta: i64, ttl: Option<Duration>) -> Call {
    let arguments = vec![delta.to_string().into_bytes(), decimal(milliseconds(ttl))];
    Call { which: Which::Add, keys: vec![key], arguments }
}

pub(super) fn added(value: &Value) -> Result<i64, RemoteError> {
    match value {
        Value::Nil => Err(RemoteError::Refused(StoreError::NotANumber)),
        Value::BulkString(text) => {
            let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
            number.ok_or_else(|| RemoteError::Protocol("a sum is not a number".into()))
        }
        _ => Err(RemoteError::Protocol("an addition was answered with something else".into())),
    }
}

pub(super) fn get(key: &[u8]) -> Cmd {
    let mut command = redis::cmd("GET");
    command.arg(key);
    command
}

pub(super) fn set(key: &[u8], value: &[u8], ttl: Option<Duration>) -> Cmd {
    let mut command = redis::cmd("SET");
    command.arg(key).arg(value).arg("PX").arg(milliseconds(ttl));
    command
}

pub(super) fn delete(key: &[u8]) -> Cmd {
    let mut command = redis::cmd("DEL");
    command.arg(key);
    command
}

/// At least one, and never so many that the server's clock would overflow.
fn milliseconds(ttl: Option<Duration>) -> u64 {
    let ms = ttl
        .map_or(FOR_GOOD, |ttl| ttl.min(Duration::from_millis(MAX_WINDOW_MS)))
        .as_nanos()
        .div_ceil(1_000_000);
    u64::try_from(ms).unwrap_or(MAX_WINDOW_MS).max(1)
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn namespaces_never_meet() {
        let names = Names { prefix: b"sluice:".to_vec() };
        let name = |namespace: &str, key: &[u8]| names.value(namespace, key).unwrap();
        assert_eq!(name("api-key", b"a:b"), b"sluice:v:api-key:a:b");
        assert_ne!(name("a", b"b:c"), name("a:b", b"c"));
        assert_ne!(name("a%3Ab", b"c"), name("a:b", b"c"));
        assert_ne!(name("", b"a:b"), name(":a", b"b"));
    }
}
