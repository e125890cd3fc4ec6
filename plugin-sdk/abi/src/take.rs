//! Taking from a limit: the one operation of the store that has to be atomic.

mod counter;

use alloc::vec::Vec;

pub use counter::Counter;

use crate::{Reader, WireError, Writer};

/// How a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Generic cell rate algorithm: `quota` at once, refilled evenly over `window`.
    Gcra,
    /// The running window and its weighted predecessor: at most `quota` in any `window`, nearly.
    SlidingWindow,
    /// At most `quota` in each window, which begin at whole multiples of their length since 1970.
    FixedWindow,
    /// At most `quota` held at once. What is not given back counts for one window.
    Concurrency,
}

/// What to do with the units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Take them if every limit of the call allows, else none.
    #[default]
    Try,
    /// Take them also beyond the quota: what was used is only known afterwards. Always allowed.
    Force,
    /// Give back what was taken before, as far as it still counts. Always allowed.
    GiveBack,
}

/// Take `cost` from the limit `key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    /// The counter's name; the host keeps plugins apart.
    pub key: Vec<u8>,
    /// How to count.
    pub algorithm: Algorithm,
    /// Units in a window, at least 1.
    pub quota: u64,
    /// Length of the window in milliseconds, at least 1.
    pub window_ms: u64,
    /// Units to take; 0 looks without taking.
    pub cost: u64,
    /// What to do with them.
    pub mode: Mode,
    /// Whose they are, for [`Algorithm::Concurrency`]: what is given back names the same holder. Else empty.
    pub holder: Vec<u8>,
}

/// What came of a [`Take`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether this limit allows it. Nothing is charged anywhere unless every limit of a call allows.
    pub allowed: bool,
    /// Units left now.
    pub remaining: u64,
    /// Milliseconds until the limit is whole again; 0 also if that is not known, because the store's server was away and the gateway
    /// counted in its place, or allowed. What was taken then is not to be given back.
    pub reset_ms: u64,
    /// Milliseconds until the same take could pass; 0 if it did; [`Taken::NEVER`] if `cost` is over `quota`.
    pub retry_ms: u64,
}

impl Taken {
    /// `retry_ms` of a take that no wait makes possible.
    pub const NEVER: u64 = u64::MAX;

    /// Appends several results to a message.
    pub fn encode_all(all: &[Self]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u32(u32::try_from(all.len()).expect("fewer than 2^32 limits"));
        for taken in all {
            writer.u8(u8::from(taken.allowed)).u64(taken.remaining).u64(taken.reset_ms).u64(taken.retry_ms);
        }
        writer.finish()
    }

    /// The reverse of [`encode_all`](Self::encode_all).
    pub fn decode_all(message: &[u8]) -> Result<Vec<Self>, WireError> {
        let mut reader = Reader::new(message);
        let count = reader.count(25)?;
        let all = (0..count)
            .map(|_| {
                Ok(Self {
                    allowed: reader.u8()? != 0,
                    remaining: reader.u64()?,
                    reset_ms: reader.u64()?,
                    retry_ms: reader.u64()?,
                })
            })
            .collect::<Result<_, WireError>>()?;
        reader.end()?;
        Ok(all)
    }
}

impl Take {
    /// Says whose the units are, for [`Algorithm::Concurrency`]: a name that nobody else has at the same time. One that holds
    /// already takes nothing more. What nobody holds cannot be given back.
    #[must_use]
    pub fn held_by(mut self, holder: impl Into<Vec<u8>>) -> Self {
        self.holder = holder.into();
        self
    }

    /// Several takes as one message.
    pub fn encode_all(all: &[Self]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u32(u32::try_from(all.len()).expect("fewer than 2^32 limits"));
        for take in all {
            writer
                .bytes(&take.key)
                .u8(match take.algorithm {
                    Algorithm::Gcra => 0,
                    Algorithm::SlidingWindow => 1,
                    Algorithm::FixedWindow => 2,
                    Algorithm::Concurrency => 3,
                })
                .u64(take.quota)
                .u64(take.window_ms)
                .u64(take.cost)
                .u8(match take.mode {
                    Mode::Try => 0,
                    Mode::Force => 1,
                    Mode::GiveBack => 2,
                })
                .bytes(&take.holder);
        }
        writer.finish()
    }

    /// The reverse of [`encode_all`](Self::encode_all); refuses a zero quota or window.
    pub fn decode_all(message: &[u8]) -> Result<Vec<Self>, WireError> {
        let mut reader = Reader::new(message);
        let count = reader.count(34)?;
        let all = (0..count)
            .map(|_| {
                let take = Self {
                    key: reader.bytes()?.to_vec(),
                    algorithm: match reader.u8()? {
                        0 => Algorithm::Gcra,
                        1 => Algorithm::SlidingWindow,
                        2 => Algorithm::FixedWindow,
                        3 => Algorithm::Concurrency,
                        _ => return Err(WireError),
                    },
                    quota: reader.u64()?,
                    window_ms: reader.u64()?,
                    cost: reader.u64()?,
                    mode: match reader.u8()? {
                        0 => Mode::Try,
                        1 => Mode::Force,
                        2 => Mode::GiveBack,
                        _ => return Err(WireError),
                    },
                    holder: reader.bytes()?.to_vec(),
                };
                if take.quota == 0 || take.window_ms == 0 { Err(WireError) } else { Ok(take) }
            })
            .collect::<Result<_, WireError>>()?;
        reader.end()?;
        Ok(all)
    }
}
