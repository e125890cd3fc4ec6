//! What frames cost, where they are found, and what is said last.

use std::time::Duration;

use proptest::prelude::{any, prop, proptest};

use super::*;

const CALM: Offence = Offence::Flood("flood-ping");

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// How many of these frames pass at once, up to a million.
fn passed(frame: &[u8]) -> usize {
    let now = Instant::now();
    let (budget, mut frames) = (Budget::new(now), Frames::new(0));
    (0..1_000_000).find(|_| frames.look(frame, &budget, || now).is_err()).unwrap_or(1_000_000)
}

#[test]
fn frames_that_carry_nothing_end_within_thousands() {
    for (kind, flags, payload, most) in [
        (DATA, 0, &[][..], 2_000),
        (DATA, PADDED, &[3, 0, 0, 0], 2_000),
        (PRIORITY, 0, &[0; 5], 2_000),
        (RST_STREAM, 0, &[0; 4], 250),
        (SETTINGS, 0, &[], 500),
        (SETTINGS, 0, &[0; 60], 142),
        (SETTINGS, ACK, &[], 2_000),
        (PING, 0, &[0; 8], 1_000),
        (PING, ACK, &[0; 8], 2_000),
        (WINDOW_UPDATE, 0, &[0, 0, 0, 1], 2_000),
        (CONTINUATION, 0, &[], 2_000),
        (0x7a, 0, &[], 2_000),
    ] {
        assert_eq!(passed(&frame(kind, flags, 1, payload)), most, "{kind} {flags}");
    }
    assert_eq!(passed(&frame(DATA, 0, 1, &[1])), 1_000_000, "bytes are bounded by windows");
    assert_eq!(passed(&frame(HEADERS, END_STREAM, 1, &[0x90])), 1_000_000, "requests by streams");
}

#[test]
fn who_makes_use_of_the_gateway_may_go_on() {
    let start = Instant::now();
    let (budget, mut frames) = (Budget::new(start), Frames::new(0));
    let ping = frame(PING, 0, 0, &[0; 8]);
    // A few hundred of them a second, for an hour.
    for second in 0..3_600 {
        let now = start + Duration::from_secs(second);
        for _ in 0..200 {
            frames.look(&ping, &budget, || now).unwrap();
        }
    }
    // Two windows opened for each message of a stream, however fast.
    let update = [frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 9]), frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 9])];
    let message = frame(DATA, 0, 1, b"data: a\n\n");
    for _ in 0..100_000 {
        frames.sent(&message, &budget);
        frames.look(&update.concat(), &budget, || start).unwrap();
    }
    // Every second request is cancelled.
    let cancel = frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    for _ in 0..100_000 {
        budget.answered();
        frames.look(&cancel, &budget, || start).unwrap();
    }
    // What was saved up is bounded.
    let more = (0..1_000_000).find(|_| frames.look(&ping, &budget, || start).is_err());
    assert!(more.is_some_and(|more| more <= 10_001), "{more:?}");
}

#[test]
fn last_words_come_between_frames_and_after_settings() {
    let now = Instant::now();
    let (budget, mut frames) = (Budget::new(now), Frames::new(0));
    frames.look(&frame(HEADERS, 0, 5, &[1]), &budget, || now).unwrap();
    let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 11];
    let settings = frame(SETTINGS, 0, 0, &[]);
    assert_eq!(frames.goaway(CALM).unwrap(), [&settings[..], &goaway].concat());
    frames.sent(&settings, &budget);
    assert_eq!(frames.goaway(CALM).unwrap(), goaway);
    frames.sent(&frame(DATA, 0, 5, &[1; 9])[..12], &budget);
    assert_eq!(frames.goaway(CALM), None);
    frames.sent(&[1; 6], &budget);
    assert_eq!(frames.goaway(CALM).unwrap(), goaway);
}

#[test]
fn fields_are_found_between_padding_and_priority_and_over_several_frames() {
    let path = b"\x04\x04/a#b";
    let padded = [&[2][..], path, &[0, 0]].concat();
    let both = [&[3, 0, 0, 0, 0, 0][..], path, &[0x82, 0x82, 0x82]].concat();
    let first = frame(HEADERS, 0, 1, &path[..3]);
    let blocks = [
        frame(HEADERS, 4, 1, path),
        frame(HEADERS, 4 | PADDED, 1, &padded),
        frame(HEADERS, 4 | PADDED | PRIORITIZED, 1, &both),
        [first, frame(CONTINUATION, 0, 1, &path[3..4]), frame(CONTINUATION, 4, 1, &path[4..])].concat(),
    ];
    let now = Instant::now();
    for bytes in blocks {
        let (budget, mut whole) = (Budget::new(now), Frames::new(0));
        let wrong = whole.look(&bytes, &budget, || now);
        assert_eq!(wrong, Err(Offence::Malformed("`:path` has a fragment")));
        assert!(whole.goaway(wrong.unwrap_err()).unwrap().ends_with(&[0, 0, 0, 1]));
        let mut cut = Frames::new(0);
        let found = bytes.chunks(1).try_for_each(|byte| cut.look(byte, &budget, || now));
        assert_eq!(found, wrong);
    }
    // What looks like fields and is padding or data is none.
    let (budget, mut frames) = (Budget::new(now), Frames::new(0));
    let harmless = [
        frame(HEADERS, 4 | PADDED, 1, &[&[6][..], path].concat()),
        frame(DATA, 0, 1, path),
        frame(HEADERS, 4, 3, &[0x82]),
    ];
    frames.look(&harmless.concat(), &budget, || now).unwrap();
    // The second block of a stream is its trailers.
    let trailers = frame(HEADERS, 5, 3, &[0x82]);
    assert!(matches!(frames.look(&trailers, &budget, || now), Err(Offence::Malformed(_))));
}

proptest! {
    #[test]
    fn frames_are_found_wherever_bytes_are_cut(
        sent in prop::collection::vec((any::<u8>(), any::<u8>(), 0..=u32::MAX >> 1, 0usize..40), 0..20),
        preface in 0usize..30,
        cuts in prop::collection::vec(any::<usize>(), 0..30),
    ) {
        let mut bytes = vec![7; preface];
        for (kind, flags, stream, length) in &sent {
            bytes.extend(frame(*kind, *flags, *stream, &vec![9; *length]));
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let (mut cutter, mut found) = (Cutter { pass: preface, ..Cutter::default() }, Vec::new());
        for pair in cuts.windows(2) {
            let mut piece = &bytes[pair[0]..pair[1]];
            while let Some(head) = cutter.next(&mut piece) {
                found.push((head.kind, head.flags, head.stream, head.length as usize));
            }
            assert!(piece.is_empty());
        }
        assert_eq!(found, sent);
        assert!(cutter.is_between());
    }
}
