//! `store`: counters and values that outlive an exchange, each plugin's under its own name.
//!
//! In memory nothing waits, and a call is done at once. On a server every call may wait: then the same functions are linked so that
//! their callers have a stack of their own.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use sluice_abi::{Code, Take, Taken, import};
use wasmtime::{Caller, Linker};

use super::guest::{Guest, code, open, slice, waiting};
use crate::config::Capability;
use crate::store::remote::Budget;
use crate::store::{Lead, MAX_KEY, MemoryStore, NewValue, StoreError, StoreFailure, Stores};
use crate::wasm::fault::Refusal;
use crate::wasm::state::{Activity, HostState};

type Call<'a> = Caller<'a, HostState>;

/// Pointer and length.
type Range = (u32, u32);

/// The most limits of one take.
const MAX_TAKES: usize = 64;

/// Bytes of a take at most: its key, its holder, and the rest.
const TAKE: usize = 2 * MAX_KEY + 64;

/// What a plugin wants of the store.
enum Wanted<'a> {
    Get { key: Cow<'a, [u8]> },
    Set { key: Cow<'a, [u8]>, value: Cow<'a, [u8]>, ttl: Option<Duration>, evictable: bool },
    Delete { key: Cow<'a, [u8]> },
    Add { key: Cow<'a, [u8]>, delta: i64, ttl: Option<Duration> },
    Take { takes: Vec<Take> },
    Lead { key: Cow<'a, [u8]>, lease: Duration, wait: Duration },
}

/// What it gets.
enum Answer {
    Done,
    Sum(i64),
    Value(Arc<[u8]>),
    Taken(Vec<Taken>),
    Code(Code),
}

/// How a call says what it wants: with ranges of its memory and numbers.
#[derive(Clone, Copy)]
enum Asked {
    Get(Range),
    Set(Range, Range, i64),
    Cache(Range, Range, i64),
    Delete(Range),
    Add(Range, i64, i64),
    Take(Range),
    Lead(Range, i64, i64),
}

/// Links the functions; `remote` where the store is on a server.
pub(super) fn link(linker: &mut Linker<HostState>, remote: bool) -> wasmtime::Result<()> {
    linker.func_wrap(import::STORE, "release", release)?.func_wrap_async(
        import::STORE,
        "lead",
        |caller, (key, length, lease_ms, wait_ms, pointer, capacity)| {
            let asked = Asked::Lead((key, length), lease_ms, wait_ms);
            Box::new(async move { bytes_later(caller, "store.lead", asked, (pointer, capacity)).await })
        },
    )?;
    if remote { link_remote(linker) } else { link_local(linker) }
}

fn link_local(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker
        .func_wrap(
            import::STORE,
            "get",
            |caller: Call<'_>, key: u32, length: u32, pointer: u32, capacity: u32| {
                bytes_now(caller, "store.get", Asked::Get((key, length)), (pointer, capacity))
            },
        )?
        .func_wrap(
            import::STORE,
            "set",
            |caller: Call<'_>, key: u32, length: u32, value: u32, value_length: u32, ttl_ms: i64| {
                let asked = Asked::Set((key, length), (value, value_length), ttl_ms);
                number_now(caller, "store.set", asked, None)
            },
        )?
        .func_wrap(
            import::STORE,
            "cache",
            |caller: Call<'_>, key: u32, length: u32, value: u32, value_length: u32, ttl_ms: i64| {
                let asked = Asked::Cache((key, length), (value, value_length), ttl_ms);
                number_now(caller, "store.cache", asked, None)
            },
        )?
        .func_wrap(import::STORE, "delete", |caller: Call<'_>, key: u32, length: u32| {
            number_now(caller, "store.delete", Asked::Delete((key, length)), None)
        })?
        .func_wrap(
            import::STORE,
            "add",
            |caller: Call<'_>, key: u32, length: u32, delta: i64, ttl_ms: i64, sum: u32| {
                number_now(caller, "store.add", Asked::Add((key, length), delta, ttl_ms), Some(sum))
            },
        )?
        .func_wrap(
            import::STORE,
            "take",
            |caller: Call<'_>, message: u32, length: u32, pointer: u32, capacity: u32| {
                bytes_now(caller, "store.take", Asked::Take((message, length)), (pointer, capacity))
            },
        )?;
    Ok(())
}

fn link_remote(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker
        .func_wrap_async(import::STORE, "get", |caller, (key, length, pointer, capacity)| {
            let asked = Asked::Get((key, length));
            Box::new(async move { bytes_later(caller, "store.get", asked, (pointer, capacity)).await })
        })?
        .func_wrap_async(import::STORE, "set", |caller, (key, length, value, value_length, ttl_ms)| {
            let asked = Asked::Set((key, length), (value, value_length), ttl_ms);
            Box::new(async move { number_later(caller, "store.set", asked, None).await })
        })?
        .func_wrap_async(import::STORE, "cache", |caller, (key, length, value, value_length, ttl_ms)| {
            let asked = Asked::Cache((key, length), (value, value_length), ttl_ms);
            Box::new(async move { number_later(caller, "store.cache", asked, None).await })
        })?
        .func_wrap_async(import::STORE, "delete", |caller, (key, length)| {
            let asked = Asked::Delete((key, length));
            Box::new(async move { number_later(caller, "store.delete", asked, None).await })
        })?
        .func_wrap_async(import::STORE, "add", |caller, (key, length, delta, ttl_ms, sum)| {
            let asked = Asked::Add((key, length), delta, ttl_ms);
            Box::new(async move { number_later(caller, "store.add", asked, Some(sum)).await })
        })?
        .func_wrap_async(import::STORE, "take", |caller, (message, length, pointer, capacity)| {
            let asked = Asked::Take((message, length));
            Box::new(async move { bytes_later(caller, "store.take", asked, (pointer, capacity)).await })
        })?;
    Ok(())
}

fn namespace(state: &HostState) -> &str {
    state.bound.as_ref().map_or("", |bound| &bound.plugin)
}

fn refusal(error: &StoreError) -> Code {
    match error {
        StoreError::KeyTooLong | StoreError::ValueTooLarge | StoreError::Full => Code::TooLarge,
        StoreError::NotANumber => Code::Invalid,
    }
}

/// Milliseconds as a time to live; 0 is for good.
fn time_to_live(ms: i64) -> Result<Option<Duration>, Code> {
    let ms = u64::try_from(ms).map_err(|_| Code::Invalid)?;
    Ok((ms > 0).then(|| Duration::from_millis(ms)))
}

fn milliseconds(ms: i64) -> Result<Duration, Code> {
    u64::try_from(ms).map(Duration::from_millis).map_err(|_| Code::Invalid)
}

/// Reads what is wanted out of the plugin's memory; a code if it cannot be had.
fn read<'a>(guest: &'a Guest<'_>, asked: Asked) -> Result<Result<Wanted<'a>, Code>, Refusal> {
    if guest.state.denies(&Capability::Store) {
        return Ok(Err(Code::Denied));
    }
    let bytes =
        |(pointer, length): Range| slice(guest.memory, guest.call, pointer, length).map(Cow::Borrowed);
    Ok(match asked {
        Asked::Get(key) => Ok(Wanted::Get { key: bytes(key)? }),
        Asked::Set(key, value, ttl_ms) | Asked::Cache(key, value, ttl_ms) => {
            let evictable = matches!(asked, Asked::Cache(..));
            let (key, value) = (bytes(key)?, bytes(value)?);
            time_to_live(ttl_ms).map(|ttl| Wanted::Set { key, value, ttl, evictable })
        }
        Asked::Delete(key) => Ok(Wanted::Delete { key: bytes(key)? }),
        Asked::Add(key, delta, ttl_ms) => {
            let key = bytes(key)?;
            time_to_live(ttl_ms).map(|ttl| Wanted::Add { key, delta, ttl })
        }
        Asked::Take((_, length)) if length as usize > MAX_TAKES * TAKE => Err(Code::TooLarge),
        Asked::Take(message) => {
            let takes = Take::decode_all(&bytes(message)?).map_err(|_| guest.malformed())?;
            if takes.len() > MAX_TAKES { Err(Code::TooLarge) } else { Ok(Wanted::Take { takes }) }
        }
        Asked::Lead(key, lease_ms, wait_ms) => {
            let key = bytes(key)?;
            if matches!(guest.state.activity, Activity::Load) {
                return Ok(Err(Code::WrongPhase));
            }
            if key.len() > MAX_KEY {
                return Ok(Err(Code::TooLarge));
            }
            let times = milliseconds(lease_ms).and_then(|lease| Ok((lease, milliseconds(wait_ms)?)));
            times.map(|(lease, wait)| Wanted::Lead { key, lease, wait })
        }
    })
}

impl Wanted<'_> {
    fn into_owned(self) -> Wanted<'static> {
        let owned = |bytes: Cow<'_, [u8]>| Cow::Owned(bytes.into_owned());
        match self {
            Self::Get { key } => Wanted::Get { key: owned(key) },
            Self::Set { key, value, ttl, evictable } => {
                Wanted::Set { key: owned(key), value: owned(value), ttl, evictable }
            }
            Self::Delete { key } => Wanted::Delete { key: owned(key) },
            Self::Add { key, delta, ttl } => Wanted::Add { key: owned(key), delta, ttl },
            Self::Take { takes } => Wanted::Take { takes },
            Self::Lead { key, lease, wait } => Wanted::Lead { key: owned(key), lease, wait },
        }
    }

    /// Does it in memory.
    fn now(&self, store: &MemoryStore, now: u64, namespace: &str) -> Answer {
        let answered = match self {
            Self::Get { key } => {
                Ok(store.get(now, namespace, key).map_or(Answer::Code(Code::None), Answer::Value))
            }
            Self::Set { key, value, ttl, evictable } => {
                let value = NewValue { bytes: value, ttl: *ttl, evictable: *evictable };
                let done = store.set(now, namespace, key, value);
                // Whoever waits for the value may have it.
                store.release(namespace, key);
                done.map(|()| Answer::Done)
            }
            Self::Delete { key } => Ok(found(store.delete(now, namespace, key))),
            Self::Add { key, delta, ttl } => store.add(now, namespace, key, *delta, *ttl).map(Answer::Sum),
            Self::Take { takes } => store.take(now, namespace, takes).map(Answer::Taken),
            Self::Lead { .. } => Ok(Answer::Code(Code::WrongPhase)),
        };
        answered.unwrap_or_else(|error| Answer::Code(refusal(&error)))
    }

    /// Does it wherever the store is.
    async fn later(
        &self,
        stores: &Stores,
        clock: impl Fn() -> u64,
        budget: &Budget,
        namespace: &str,
    ) -> Answer {
        let now = clock();
        let answered = match self {
            Self::Get { key } => {
                let got = stores.get(budget, now, namespace, key).await;
                got.map(|value| value.map_or(Answer::Code(Code::None), Answer::Value))
            }
            Self::Set { key, value, ttl, evictable } => {
                let value = NewValue { bytes: value, ttl: *ttl, evictable: *evictable };
                stores.set(budget, now, namespace, key, value).await.map(|()| Answer::Done)
            }
            Self::Delete { key } => stores.delete(budget, now, namespace, key).await.map(found),
            Self::Add { key, delta, ttl } => {
                stores.add(budget, now, namespace, key, *delta, *ttl).await.map(Answer::Sum)
            }
            Self::Take { takes } => stores.take(budget, now, namespace, takes).await.map(Answer::Taken),
            Self::Lead { key, lease, wait } => {
                let led = stores.lead(budget, clock, namespace, key, *lease, *wait).await;
                led.map(|lead| match lead {
                    Lead::Value(value) => Answer::Value(value),
                    Lead::Leader => Answer::Code(Code::None),
                    Lead::Late => Answer::Code(Code::Timeout),
                })
            }
        };
        answered.unwrap_or_else(|failure| match failure {
            StoreFailure::Refused(error) => Answer::Code(refusal(&error)),
            StoreFailure::Unavailable => Answer::Code(Code::Unavailable),
        })
    }
}

fn found(was_there: bool) -> Answer {
    if was_there { Answer::Done } else { Answer::Code(Code::None) }
}

/// Gives the plugin bytes, or a code.
fn give(guest: &mut Guest<'_>, answer: &Answer, (pointer, capacity): Range) -> wasmtime::Result<i64> {
    Ok(match answer {
        Answer::Value(value) => guest.give(pointer, capacity, value)?,
        Answer::Taken(taken) => guest.give(pointer, capacity, &Taken::encode_all(taken))?,
        Answer::Code(refused) => code(*refused),
        Answer::Done | Answer::Sum(_) => 0,
    })
}

/// Gives the plugin a sum where it wants one, and a code.
fn tell(guest: &mut Guest<'_>, answer: &Answer, sum: Option<u32>) -> wasmtime::Result<i32> {
    if let (Answer::Sum(total), Some(pointer)) = (answer, sum) {
        guest.room(pointer, 8)?.copy_from_slice(&total.to_le_bytes());
    }
    Ok(if let Answer::Code(refused) = answer { refused.number() } else { 0 })
}

/// Does a call in memory.
fn now(guest: &Guest<'_>, asked: Asked) -> wasmtime::Result<Answer> {
    let wanted = match read(guest, asked)? {
        Ok(wanted) => wanted,
        Err(code) => return Ok(Answer::Code(code)),
    };
    let services = guest.state.services(guest.call)?;
    Ok(wanted.now(services.store.memory(), services.clock.now_ns(), namespace(guest.state)))
}

fn bytes_now(mut caller: Call<'_>, call: &'static str, asked: Asked, out: Range) -> wasmtime::Result<i64> {
    let mut guest = open(&mut caller, call)?;
    let answer = now(&guest, asked)?;
    give(&mut guest, &answer, out)
}

fn number_now(
    mut caller: Call<'_>,
    call: &'static str,
    asked: Asked,
    sum: Option<u32>,
) -> wasmtime::Result<i32> {
    let mut guest = open(&mut caller, call)?;
    if let Some(pointer) = sum {
        // Before anything is added.
        guest.bytes(pointer, 8)?;
    }
    let answer = now(&guest, asked)?;
    tell(&mut guest, &answer, sum)
}

/// Does a call that may wait.
async fn later(caller: &mut Call<'_>, call: &'static str, asked: Asked) -> wasmtime::Result<Answer> {
    let (wanted, services, namespace, budget) = {
        let guest = open(caller, call)?;
        let wanted = match read(&guest, asked)? {
            Ok(wanted) => wanted.into_owned(),
            Err(code) => return Ok(Answer::Code(code)),
        };
        let services = guest.state.services(guest.call)?.clone();
        let namespace = namespace(guest.state).to_owned();
        let fresh = || Arc::new(services.store.budget());
        let budget = match guest.state.view.as_deref_mut() {
            Some(view) => Arc::clone(view.store_budget.get_or_insert_with(fresh)),
            None => fresh(),
        };
        (wanted, services, namespace, budget)
    };
    let wait = waiting(caller);
    let answer = wanted.later(&services.store, || services.clock.now_ns(), &budget, &namespace).await;
    wait.ended(caller);
    Ok(answer)
}

async fn bytes_later(
    mut caller: Call<'_>,
    call: &'static str,
    asked: Asked,
    out: Range,
) -> wasmtime::Result<i64> {
    let answer = later(&mut caller, call, asked).await?;
    give(&mut open(&mut caller, call)?, &answer, out)
}

async fn number_later(
    mut caller: Call<'_>,
    call: &'static str,
    asked: Asked,
    sum: Option<u32>,
) -> wasmtime::Result<i32> {
    if let Some(pointer) = sum {
        open(&mut caller, call)?.bytes(pointer, 8)?;
    }
    let answer = later(&mut caller, call, asked).await?;
    tell(&mut open(&mut caller, call)?, &answer, sum)
}

fn release(mut caller: Call<'_>, key: u32, length: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "store.release")?;
    if guest.state.denies(&Capability::Store) {
        return Ok(Code::Denied.number());
    }
    let key = slice(guest.memory, guest.call, key, length)?;
    let services = guest.state.services(guest.call)?;
    let led = services.store.release(namespace(guest.state), key);
    Ok(if led { 0 } else { Code::None.number() })
}
