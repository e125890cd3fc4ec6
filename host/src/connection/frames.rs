//! What a client of HTTP/2 makes the gateway do besides answering: followed in the heads of its frames (RFC 9113 section 4.1) as they
//! arrive. Frames that carry nothing are paid for out of a budget, which answers, bytes and time fill. hyper limits some of them and
//! answers all. No sockets in here, and the time is an argument.

mod fields;

use std::cell::Cell;

use tokio::time::Instant;

use fields::{Fields, Wrong};

/// Bytes of a frame's head.
const HEAD: usize = 9;

/// What a connection begins with, what it can save up, and what it is given each second. An ordinary client needs none of it; a browser that
/// leaves a page cancels a hundred streams at once, and one that sets up priorities sends a dozen frames.
const FIRST: i64 = 2_000;
const MOST: i64 = 20_000;
const EACH_SECOND: i64 = 500;

/// What an answer is worth: two requests may be cancelled before their answers for one that is answered.
const ANSWER: i64 = 16;
const CANCELLED: i64 = 8;

/// A client makes up to two frames of each that it gets, to open the windows again.
const WRITTEN: i64 = 2;
const WRITTEN_BYTES: usize = 256;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const PADDED: u8 = 0x8;
const PRIORITIZED: u8 = 0x20;

/// Bytes of the priority in a frame of HEADERS.
const PRIORITY_BYTES: usize = 5;

/// Codes of RFC 9113 section 7.
const PROTOCOL_ERROR: u8 = 1;
const ENHANCE_YOUR_CALM: u8 = 11;

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    length: u32,
    kind: u8,
    flags: u8,
    stream: u32,
}

/// Where frames begin in bytes that come in any pieces.
#[derive(Debug, Default)]
struct Cutter {
    head: [u8; HEAD],
    have: usize,
    /// Bytes to come of something that is passed over.
    pass: usize,
}

impl Cutter {
    /// What `bytes` begin with that is no head, taken from them.
    fn passed<'a>(&mut self, bytes: &mut &'a [u8]) -> &'a [u8] {
        let (here, rest) = bytes.split_at(self.pass.min(bytes.len()));
        self.pass -= here.len();
        *bytes = rest;
        here
    }

    /// The next head in `bytes`, of which what was looked at is taken.
    fn next(&mut self, bytes: &mut &[u8]) -> Option<Head> {
        self.passed(bytes);
        let (part, rest) = bytes.split_at((HEAD - self.have).min(bytes.len()));
        self.head[self.have..self.have + part.len()].copy_from_slice(part);
        self.have += part.len();
        *bytes = rest;
        if self.have < HEAD {
            return None;
        }
        self.have = 0;
        let [a, b, c, kind, flags, stream @ ..] = self.head;
        let length = u32::from_be_bytes([0, a, b, c]);
        self.pass = length as usize;
        Some(Head { length, kind, flags, stream: u32::from_be_bytes(stream) & (u32::MAX >> 1) })
    }

    /// Whether whole frames have passed.
    fn is_between(&self) -> bool {
        self.have == 0 && self.pass == 0
    }
}

/// What a connection may still ask for that is of no use.
#[derive(Debug)]
pub(super) struct Budget {
    left: Cell<i64>,
    filled: Cell<Instant>,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: Cell::new(FIRST), filled: Cell::new(now) }
    }

    /// A request was answered.
    pub(super) fn answered(&self) {
        self.earn(ANSWER);
    }

    /// Below zero after a flood.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn left(&self) -> i64 {
        self.left.get()
    }

    fn earn(&self, amount: i64) {
        self.left.set((self.left.get() + amount).min(MOST));
    }

    /// Whether there was enough. What the time has brought is looked at only where there would not be.
    fn spend(&self, amount: i64, now: impl FnOnce() -> Instant) -> bool {
        let left = self.left.get() - amount;
        self.left.set(left);
        if left >= 0 {
            return true;
        }
        let now = now();
        let gone = now.saturating_duration_since(self.filled.replace(now));
        let brought = i64::try_from(gone.as_millis()).unwrap_or(MOST).min(MOST) * EACH_SECOND / 1_000;
        self.earn(brought);
        self.left.get() >= 0
    }
}

/// Why a connection ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offence {
    /// The client has used up its budget, the last of it for frames of this kind.
    Flood(&'static str),
    Malformed(&'static str),
}

impl Offence {
    fn code(self) -> u8 {
        match self {
            Self::Flood(_) => ENHANCE_YOUR_CALM,
            Self::Malformed(_) => PROTOCOL_ERROR,
        }
    }
}

impl From<Wrong> for Offence {
    fn from(wrong: Wrong) -> Self {
        Self::Malformed(match wrong {
            Wrong::Fragment => "`:path` has a fragment",
            Wrong::PseudoInTrailers => "trailers have a pseudo-header field",
        })
    }
}

/// A field block under way, and where in a frame it lies.
#[derive(Debug, Default)]
struct Block {
    trailers: bool,
    /// The next byte says how many bytes of padding there are.
    unpadded: bool,
    /// Bytes before the fields.
    before: usize,
    /// Bytes of the frame from the next on that are fields or padding, and how many of them are padding.
    left: usize,
    padding: usize,
    /// The frame is one of the block.
    open: bool,
}

impl Block {
    /// A frame begins.
    fn begin(&mut self, head: Head, trailers: bool) {
        let flag = |flag: u8| head.kind == HEADERS && head.flags & flag != 0;
        self.open = matches!(head.kind, HEADERS | CONTINUATION);
        if head.kind == HEADERS {
            self.trailers = trailers;
        }
        self.unpadded = flag(PADDED);
        self.before = if flag(PRIORITIZED) { PRIORITY_BYTES } else { 0 };
        (self.left, self.padding) = (head.length as usize, 0);
    }

    /// A piece of a frame has come.
    fn look(&mut self, mut piece: &[u8], fields: &mut Fields) -> Result<(), Wrong> {
        if self.unpadded
            && let [padding, rest @ ..] = piece
        {
            (self.unpadded, self.padding) = (false, usize::from(*padding));
            self.left -= 1;
            piece = rest;
        }
        let (skipped, rest) = piece.split_at(self.before.min(piece.len()));
        self.before -= skipped.len();
        self.left -= skipped.len();
        let fields_left = self.left.saturating_sub(self.padding).min(rest.len());
        self.left -= rest.len();
        fields.look(&rest[..fields_left], self.trailers)
    }
}

/// Follows both directions of a connection.
#[derive(Debug)]
pub(super) struct Frames {
    incoming: Cutter,
    outgoing: Cutter,
    /// Whether anything was sent.
    begun: bool,
    /// The highest stream that the client has opened.
    newest: u32,
    block: Block,
    fields: Fields,
}

impl Frames {
    /// For a connection that begins with the `preface`.
    pub(super) fn new(preface: usize) -> Self {
        let incoming = Cutter { pass: preface, ..Cutter::default() };
        Self {
            incoming,
            outgoing: Cutter::default(),
            begun: false,
            newest: 0,
            block: Block::default(),
            fields: Fields::default(),
        }
    }

    /// Bytes have come from the client.
    pub(super) fn look(
        &mut self,
        mut bytes: &[u8],
        budget: &Budget,
        now: impl Fn() -> Instant,
    ) -> Result<(), Offence> {
        loop {
            let piece = self.incoming.passed(&mut bytes);
            if self.block.open && !piece.is_empty() {
                self.block.look(piece, &mut self.fields)?;
            }
            let Some(head) = self.incoming.next(&mut bytes) else { return Ok(()) };
            let opens = head.kind == HEADERS && head.stream > self.newest;
            if opens {
                self.newest = head.stream;
            }
            self.block.begin(head, !opens);
            let (cost, kind) = cost(head);
            if cost > 0 && !budget.spend(cost, &now) {
                return Err(Offence::Flood(kind));
            }
        }
    }

    /// Bytes have been sent.
    pub(super) fn sent(&mut self, mut bytes: &[u8], budget: &Budget) {
        let written = i64::try_from(bytes.len() / WRITTEN_BYTES).unwrap_or(MOST);
        budget.earn(WRITTEN + written);
        self.begun |= !bytes.is_empty();
        while self.outgoing.next(&mut bytes).is_some() {}
    }

    /// The last words to a client, where a frame may begin.
    pub(super) fn goaway(&self, offence: Offence) -> Option<Vec<u8>> {
        if !self.outgoing.is_between() {
            return None;
        }
        // Nothing may come before SETTINGS.
        let mut words = if self.begun { Vec::new() } else { vec![0, 0, 0, SETTINGS, 0, 0, 0, 0, 0] };
        words.extend_from_slice(&[0, 0, 8, 7, 0, 0, 0, 0, 0]);
        words.extend_from_slice(&self.newest.to_be_bytes());
        words.extend_from_slice(&[0, 0, 0, offence.code()]);
        Some(words)
    }
}

/// What a frame costs, and what it is called in a metric.
fn cost(head: Head) -> (i64, &'static str) {
    let flag = |flag: u8| head.flags & flag != 0;
    match head.kind {
        // Bytes are paid for with the windows. Padding is none.
        DATA if head.length == 0 && !flag(END_STREAM) => (1, "flood-empty-data"),
        DATA if flag(PADDED) => (1, "flood-empty-data"),
        DATA | HEADERS => (0, ""),
        RST_STREAM => (CANCELLED, "flood-reset"),
        SETTINGS if flag(ACK) => (1, "flood-settings"),
        // Each has to be answered.
        SETTINGS => (4 + i64::from(head.length / 6), "flood-settings"),
        PING if flag(ACK) => (1, "flood-ping"),
        PING => (2, "flood-ping"),
        PRIORITY => (1, "flood-priority"),
        WINDOW_UPDATE => (1, "flood-window-update"),
        CONTINUATION => (1, "flood-continuation"),
        _ => (1, "flood-other"),
    }
}

#[cfg(test)]
mod tests;
