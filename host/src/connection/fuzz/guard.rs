//! The byte guard of HTTP/1: what it lets through is whole heads and their bodies, wherever the network cuts them.

use super::super::head::Framing;
use super::super::wire::{Passage, Then, Wire};
use super::chunks::{End, decode};
use super::cut;
use super::head::{LIMITS, is_same, read};
use super::server::{Content, Message, serve};

/// What the guard made of a connection.
#[derive(Debug)]
struct Seen {
    passed: Vec<u8>,
    then: Then,
    heads: u64,
}

/// Any bytes as what a client sends.
pub(crate) fn guard(bytes: &[u8]) {
    // Whether what a request offers to speak is taken up: then nothing behind it is HTTP.
    for declined in [false, true] {
        let whole = feed(&[bytes], declined);
        assert_eq!(whole.passed, bytes[..whole.passed.len()]);
        follow(&whole, declined);
        for pieces in cut(bytes) {
            let seen = feed(&pieces, declined);
            let same = match (&seen.then, &whole.then) {
                (Then::Refused(one), Then::Refused(other)) => is_same::<()>(Err(*one), Err(*other)),
                (one, other) => one == other,
            };
            assert!(
                same && seen.heads == whole.heads && seen.passed == whole.passed,
                "{seen:?} and {whole:?}"
            );
        }
    }
}

/// Feeds a guard as a connection does, which holds back what is partial.
fn feed(pieces: &[&[u8]], declined: bool) -> Seen {
    let mut wire = Wire::new(LIMITS);
    let (mut passed, mut held) = (Vec::new(), Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        loop {
            let Passage { pass, then } = wire.look(&held);
            passed.extend(held.drain(..pass));
            match then {
                Then::Nothing | Then::Partial => break,
                Then::Waiting if declined => wire.go_on(),
                then => return Seen { passed, then, heads: wire.heads() },
            }
        }
    }
    let then = if held.is_empty() { Then::Nothing } else { Then::Partial };
    Seen { passed, then, heads: wire.heads() }
}

/// Reads what passed as servers behind the guard do: one that has all the time in the world, and hyper.
fn follow(seen: &Seen, declined: bool) {
    let (mut rest, mut messages) = (&seen.passed[..], Vec::new());
    loop {
        while let Some(after) = rest.strip_prefix(b"\r\n") {
            rest = after;
        }
        if rest.is_empty() {
            break;
        }
        let (framing, length) = read(rest);
        let (head, after) = rest.split_at(length);
        let mut message = Message::read(head);
        (message.body, rest) = body(framing, after);
        messages.push(message);
        assert!(framing != Framing::Offer || declined || rest.is_empty());
    }
    assert_eq!(messages.len() as u64, seen.heads);

    let (found, answers) = serve(&seen.passed);
    for (found, expected) in found.iter().zip(&messages) {
        // Trailers are not the guard's business.
        let is_same = found == expected || found.body == Content::Broken;
        assert!(is_same, "hyper reads {found:?}, and it is {expected:?}");
    }
    let is_cut_short = found.last().is_some_and(Message::may_be_last);
    assert!(
        found.len() == messages.len() || (found.len() < messages.len() && is_cut_short),
        "{found:?}, {messages:?}"
    );
    let answers = String::from_utf8_lossy(&answers);
    let refusals = answers.lines().filter(|line| line.starts_with("HTTP/1."));
    let mut refusals = refusals.filter(|line| !["100", "200", "405"].contains(&&line[9..12]));
    assert_eq!(refusals.next(), None, "hyper refuses what passed");
}

/// What there is of a body, and what follows it.
fn body(framing: Framing, bytes: &[u8]) -> (Content, &[u8]) {
    match framing {
        Framing::None | Framing::Offer => (Content::Whole(Vec::new()), bytes),
        Framing::Length(length) => {
            match usize::try_from(length).ok().and_then(|at| bytes.split_at_checked(at)) {
                Some((body, rest)) => (Content::Whole(body.to_vec()), rest),
                None => (Content::Open, &[]),
            }
        }
        Framing::Chunked => {
            let decoded = decode(bytes, LIMITS.bytes);
            match decoded.end {
                End::Whole(length) => (Content::Whole(decoded.data), &bytes[length..]),
                End::Open => (Content::Open, &[]),
                End::Broken(at) => panic!("a broken body passed: {at} of {bytes:?}"),
            }
        }
    }
}
