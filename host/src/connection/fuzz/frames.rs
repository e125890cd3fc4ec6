//! Frames of HTTP/2: wherever they are cut, a client gets as far as a count of all that it sent says, and no further.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

use super::super::frames::{Budget, Frames, Offence};
use super::cut;

/// What a connection begins with and can save up.
const FIRST: i64 = 2_000;
const MOST: i64 = 20_000;

const CALM: Offence = Offence::Flood("flood-ping");

/// How often short inputs are sent, to use that up.
const TURNS: usize = 40;

/// A frame, by where its head ends among all bytes and by where it ends itself.
struct Frame {
    head: usize,
    end: usize,
    kind: u8,
    flags: u8,
    stream: u32,
    length: usize,
}

/// Any bytes as what a client sends, or a server.
pub(crate) fn frames(bytes: &[u8]) {
    let preface = bytes.first().map_or(0, |first| usize::from(first % 32));
    let turns = if bytes.len() > 256 { 1 } else { TURNS };
    let all = bytes.repeat(turns);
    let frames = read(&all, preface);
    // Without time to fill the budget, and with a little.
    for brought in [0, 300] {
        let flood = flood(&frames, brought);
        let ends: Vec<Option<&str>> = cut(bytes)
            .iter()
            .map(|pieces| {
                let pieces = pieces.iter().copied().cycle().take(pieces.len() * turns);
                look(pieces, preface, &frames, brought, flood)
            })
            .collect();
        assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{ends:?}");
    }
    for pieces in cut(bytes) {
        sent(&pieces);
    }
}

/// All heads of frames, one after the other.
fn read(bytes: &[u8], preface: usize) -> Vec<Frame> {
    let (mut frames, mut at) = (Vec::new(), preface);
    while let Some(head) = bytes.get(at..at + 9) {
        let length = head[..3].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let stream = head[5..].iter().fold(0, |stream, byte| stream << 8 | u32::from(*byte)) & 0x7fff_ffff;
        let end = at + 9 + length;
        frames.push(Frame { head: at + 9, end, kind: head[3], flags: head[4], stream, length });
        at = end;
    }
    frames
}

/// Where the head of the frame ends that is one too many. `brought`: what time gives, once, to who has nothing left.
fn flood(frames: &[Frame], brought: i64) -> Option<usize> {
    let (mut left, mut brought) = (FIRST, brought);
    for frame in frames {
        left -= cost(frame);
        if left < 0 {
            left += std::mem::take(&mut brought);
        }
        if left < 0 {
            return Some(frame.head);
        }
    }
    None
}

fn cost(frame: &Frame) -> i64 {
    let (acknowledges, is_padded) = (frame.flags & 1 == 1, frame.flags & 8 == 8);
    match frame.kind {
        0 => i64::from(is_padded || (frame.length == 0 && !acknowledges)),
        1 => 0,
        3 => 8,
        4 if !acknowledges => 4 + i64::try_from(frame.length / 6).expect("24 bits"),
        6 if !acknowledges => 2,
        _ => 1,
    }
}

/// Follows what a client sends, up to a flood, and holds each step against the whole. What is malformed before that, if anything is.
fn look<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    preface: usize,
    whole: &[Frame],
    brought: i64,
    flood: Option<usize>,
) -> Option<&'static str> {
    let start = Instant::now();
    let later = start + Duration::from_millis(2 * brought.unsigned_abs());
    let (budget, mut frames, mut at) = (Budget::new(start), Frames::new(preface), 0);
    let asked = Cell::new(0);
    for piece in pieces {
        at += piece.len();
        let now = || {
            asked.set(asked.get() + 1);
            later
        };
        let is_flood = match frames.look(piece, &budget, now) {
            Ok(()) => false,
            Err(Offence::Flood(_)) => true,
            Err(Offence::Malformed(what)) => return Some(what),
        };
        assert_eq!(is_flood, flood.is_some_and(|flood| flood <= at), "{at}");
        assert_eq!(is_flood, budget.left() < 0);
        assert!(!is_flood || asked.get() > 0, "nobody is turned away who was not given what time brings");
        if is_flood {
            return None;
        }
    }
    let newest = whole.iter().filter(|frame| frame.kind == 1).map(|frame| frame.stream).max();
    let words = frames.goaway(CALM).expect("nothing was sent");
    assert_eq!(words[words.len() - 8..][..4], newest.unwrap_or(0).to_be_bytes());
    None
}

/// Last words stand between the frames that were sent, and nothing that is sent earns more than can be saved up.
fn sent(pieces: &[&[u8]]) {
    let (budget, mut frames) = (Budget::new(Instant::now()), Frames::new(0));
    let whole = read(&pieces.concat(), 0);
    let mut at = 0;
    for piece in pieces {
        at += piece.len();
        frames.sent(piece, &budget);
        let is_between = at == 0 || whole.iter().any(|frame| frame.end == at);
        assert_eq!(frames.goaway(CALM).is_some(), is_between, "{at}");
        assert!(budget.left() <= MOST);
    }
}
