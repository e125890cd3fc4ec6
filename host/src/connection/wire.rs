//! The HTTP/1 byte guard: follows the messages of a connection in the bytes as they arrive, and lets hyper see whole heads
//! only, each with exactly one meaning. hyper alone forgets a `Content-Length` beside `Transfer-Encoding` and takes a bare line
//! feed; what it never sees it cannot misread. No sockets and no clocks in here.

use super::head::{self, Framing};
use super::refuse::Refusal;
use crate::net::{ChunkError, Chunks};

/// Where the next byte belongs.
#[derive(Debug)]
enum State {
    Head,
    Length(u64),
    Chunked(Chunks),
    /// What follows belongs to the protocol that the last head offers, or is a head if that is not taken up.
    Waiting,
    /// Nothing that follows is HTTP to us.
    Over,
}

#[derive(Debug)]
pub(super) struct Wire {
    state: State,
    limits: head::Limits,
    /// Heads let through.
    heads: u64,
}

/// What may be done with the bytes looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passage {
    /// That many go on to hyper.
    pub(super) pass: usize,
    pub(super) then: Then,
}

/// What the bytes after those are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// There are none.
    Nothing,
    /// The beginning of a head, to be shown again with what follows it.
    Partial,
    /// A head that is answered here. The connection ends with the answer.
    Refused(Refusal),
    /// Of a protocol that is not known yet.
    Waiting,
    /// The body breaks its own framing.
    Broken,
}

impl Wire {
    pub(super) fn new(limits: head::Limits) -> Self {
        Self { state: State::Head, limits, heads: 0 }
    }

    /// A body has begun and not all of it has arrived.
    pub(super) fn in_body(&self) -> bool {
        matches!(self.state, State::Length(_) | State::Chunked(_))
    }

    /// Nothing more is read as HTTP.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Nobody can say yet what follows.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }

    /// The offer was not taken up: a head follows.
    pub(super) fn go_on(&mut self) {
        if self.is_waiting() {
            self.state = State::Head;
        }
    }

    /// Heads let through so far.
    pub(super) fn heads(&self) -> u64 {
        self.heads
    }

    pub(super) fn end(&mut self) {
        self.state = State::Over;
    }

    pub(super) fn look(&mut self, bytes: &[u8]) -> Passage {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match &mut self.state {
                State::Head => {
                    at += leading_lines(rest);
                    match head::check(&bytes[at..], &self.limits) {
                        Ok(Some((length, framing))) => {
                            at += length;
                            self.heads += 1;
                            self.state = match framing {
                                Framing::None => State::Head,
                                Framing::Offer => State::Waiting,
                                Framing::Length(length) => State::Length(length),
                                Framing::Chunked => State::Chunked(Chunks::new(self.limits.bytes)),
                            };
                        }
                        Ok(None) if at == bytes.len() => {}
                        Ok(None) => return Passage { pass: at, then: Then::Partial },
                        Err(refusal) => {
                            self.state = State::Over;
                            return Passage { pass: at, then: Then::Refused(refusal) };
                        }
                    }
                }
                State::Length(left) => {
                    let here = usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                    at += here;
                    *left -= here as u64;
                    if *left == 0 {
                        self.state = State::Head;
                    }
                }
                State::Chunked(chunks) => match chunks.look(rest) {
                    Ok((here, ended)) => {
                        at += here;
                        if ended {
                            self.state = State::Head;
                        }
                    }
                    Err(ChunkError { valid }) => {
                        self.state = State::Over;
                        return Passage { pass: at + valid, then: Then::Broken };
                    }
                },
                State::Waiting => return Passage { pass: at, then: Then::Waiting },
                State::Over => return Passage { pass: at, then: Then::Nothing },
            }
        }
        Passage { pass: at, then: Then::Nothing }
    }
}

/// Empty lines before a request line are ignored, as RFC 9112 asks (2.2). hyper skips them as well.
fn leading_lines(bytes: &[u8]) -> usize {
    bytes.chunks_exact(2).take_while(|pair| *pair == b"\r\n").count() * 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    fn wire() -> Wire {
        Wire::new(head::Limits { bytes: 1024, uri: 1024, fields: 20 })
    }

    /// Feeds `bytes` in pieces as a connection would, holding back what is partial. Returns what passed and how it ended.
    fn feed(bytes: &[u8], cuts: &[usize]) -> (Vec<u8>, Then, u64) {
        let mut wire = wire();
        let (mut passed, mut held) = (Vec::new(), Vec::new());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        for pair in cuts.windows(2) {
            held.extend_from_slice(&bytes[pair[0]..pair[1]]);
            let Passage { pass, then } = wire.look(&held);
            passed.extend_from_slice(&held[..pass]);
            held.drain(..pass);
            match then {
                Then::Nothing | Then::Partial => {}
                ended => return (passed, ended, wire.heads()),
            }
        }
        let then = if held.is_empty() { Then::Nothing } else { Then::Partial };
        (passed, then, wire.heads())
    }

    const PIPELINE: &[u8] = b"\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloPUT /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked\r\n\r\n5;x=\"1\"\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\nGET /d HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn a_pipeline_passes_whole_and_a_partial_head_waits() {
        assert_eq!(feed(PIPELINE, &[]), (PIPELINE.to_vec(), Then::Nothing, 4));
        let cut = PIPELINE.len() - 3;
        let (passed, then, heads) = feed(&PIPELINE[..cut], &[]);
        assert_eq!((then, heads), (Then::Partial, 3));
        assert!(passed.ends_with(b"X-Sum: 1\r\n\r\n"));
    }

    #[test]
    fn what_comes_before_a_refused_head_is_served() {
        let mut bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
        let good = bytes.len();
        bytes.extend_from_slice(
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        let (passed, then, heads) = feed(&bytes, &[]);
        assert_eq!((passed.len(), heads), (good, 1));
        assert!(matches!(then, Then::Refused(Refusal::Malformed(_))));
    }

    #[test]
    fn a_broken_chunk_stops_the_body_where_it_breaks() {
        let bytes = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX";
        let (passed, then, _) = feed(bytes, &[]);
        assert_eq!(then, Then::Broken);
        assert!(passed.ends_with(b"hello"));
    }

    #[test]
    fn nobody_says_what_follows_an_offer_before_it_is_answered() {
        let offer = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: b\r\n\r\n";
        let bytes = [&offer[..], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        let mut wire = wire();
        assert_eq!(wire.look(&bytes), Passage { pass: offer.len(), then: Then::Waiting });
        assert_eq!(wire.look(&bytes[offer.len()..]), Passage { pass: 0, then: Then::Waiting });
        wire.go_on();
        let rest = bytes.len() - offer.len();
        assert_eq!(wire.look(&bytes[offer.len()..]), Passage { pass: rest, then: Then::Nothing });
        assert_eq!(wire.heads(), 2);
        // One with a body, and one of HTTP/1.0, is none.
        for head in [
            "POST / HTTP/1.1\r\nHost: a\r\nUpgrade: b\r\nContent-Length: 1\r\n\r\n.",
            "GET / HTTP/1.0\r\nUpgrade: b\r\n\r\n",
        ] {
            assert_eq!(feed(head.as_bytes(), &[]).1, Then::Nothing, "{head}");
        }
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_cut_makes_no_difference(cuts in prop::collection::vec(any::<usize>(), 0..40)) {
            assert_eq!(feed(PIPELINE, &cuts), (PIPELINE.to_vec(), Then::Nothing, 4));
        }

        #[test]
        fn nothing_passes_that_was_not_sent(bytes in "(GET|POST) /[a-z]{0,3} HTTP/1\\.[01]\r\n(Host: a\r\n|Content-Length: [0-9]{1,2}\r\n|Transfer-Encoding: chunked\r\n| x\r\n|x:y\n){0,3}\r\n[0-9a-z\r\n]{0,20}", cuts in prop::collection::vec(any::<usize>(), 0..6)) {
            let whole = feed(bytes.as_bytes(), &[]);
            let pieces = feed(bytes.as_bytes(), &cuts);
            assert!(bytes.as_bytes().starts_with(&whole.0));
            assert_eq!(whole, pieces);
        }
    }
}
