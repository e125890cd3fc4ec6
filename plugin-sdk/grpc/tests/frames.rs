//! However a body is cut, its frames are the same.

use proptest::prelude::*;
use sluice_sdk_grpc::{FrameError, Framing, Next, Passage, frame, push_frame};

type Frames = Vec<(u8, Vec<u8>)>;

fn frames() -> impl Strategy<Value = Frames> {
    // Content that looks like heads is as likely as any.
    let message = prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..40);
    prop::collection::vec((0_u8..=1, message), 0..6)
}

fn body(frames: &Frames) -> Vec<u8> {
    let mut body = Vec::new();
    frames.iter().for_each(|(flags, message)| push_frame(&mut body, *flags, message));
    body
}

/// Pieces of the body, cut at these places.
fn pieces<'b>(body: &'b [u8], cuts: &[usize]) -> Vec<&'b [u8]> {
    let mut cuts: Vec<usize> =
        cuts.iter().map(|cut| *cut % (body.len() + 1)).chain([0, body.len()]).collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &body[cut[0]..cut[1]]).collect()
}

/// As a step reads them that holds back what is not whole, and is called when there is as much as it wants.
fn held(framing: &Framing, pieces: &[&[u8]]) -> Result<(Frames, usize), FrameError> {
    let (mut found, mut held, mut want) = (Frames::new(), Vec::new(), 0);
    for piece in pieces {
        held.extend_from_slice(piece);
        if held.len() < want {
            continue;
        }
        let mut rest = &held[..];
        want = loop {
            match framing.next(rest)? {
                Next::Frame(frame, after) => {
                    found.push((frame.flags, frame.message.to_vec()));
                    rest = after;
                }
                Next::Wants(want) => break want,
            }
        };
        assert!(want > rest.len(), "there is always more to want");
        held = rest.to_vec();
    }
    Ok((found, held.len()))
}

#[test]
fn what_ends_a_body_is_no_message() {
    let body = [frame(1, b"one"), frame(0, b"")].concat();
    let feed = |framing: Framing, last: &[u8]| {
        let mut passage = Passage::default();
        let ended = passage.feed(&framing, &[&body, last].concat())?;
        passage.end().map(|()| ended)
    };
    for (framing, last) in [
        (Framing::grpc_web(9), frame(0x80, b"trailers")),
        (Framing::grpc_web(9), frame(0x81, b"")),
        (Framing::connect(9), frame(2, b"{}")),
        (Framing::lenient(), frame(0x80, b"trailers")),
    ] {
        assert_eq!(feed(framing, &last), Ok(2), "{last:?}");
    }
    assert_eq!(feed(Framing::lenient(), &frame(0x7f, b"?")), Ok(3));
    assert_eq!(feed(Framing::lenient(), &[0, 255, 255, 255, 255]), Err(FrameError::CutOff));
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_frames(frames in frames(), cuts in prop::collection::vec(any::<usize>(), 0..12)) {
        let (framing, body) = (Framing::grpc(64), body(&frames));
        let pieces = pieces(&body, &cuts);
        let count = u64::try_from(frames.len()).unwrap();
        prop_assert_eq!(held(&framing, &pieces), Ok((frames, 0)));

        let (mut kept, mut ended) = (Passage::default().number(), 0);
        for piece in pieces {
            let mut passage = Passage::from_number(kept);
            ended += passage.feed(&framing, piece).unwrap();
            prop_assert_eq!(Passage::from_number(passage.number()), passage);
            prop_assert!(passage.number() < 1 << 48);
            kept = passage.number();
        }
        prop_assert_eq!((ended, Passage::from_number(kept).end()), (count, Ok(())));
    }

    #[test]
    fn a_body_that_ends_early_is_seen(frames in frames(), at in any::<usize>()) {
        let (framing, body) = (Framing::grpc(64), body(&frames));
        let cut = &body[..at % (body.len() + 1)];
        let (found, left) = held(&framing, &[cut]).unwrap();
        let mut passage = Passage::default();
        let ended = passage.feed(&framing, cut).unwrap();
        prop_assert_eq!(ended, u64::try_from(found.len()).unwrap());
        prop_assert_eq!(passage.end(), if left == 0 { Ok(()) } else { Err(FrameError::CutOff) });
    }

    #[test]
    fn both_readers_refuse_the_same(input in prop::collection::vec(prop_oneof![3 => Just(0_u8), 1 => any::<u8>()], 0..60)) {
        let framing = Framing::grpc(64);
        let mut passage = Passage::default();
        let fed = passage.feed(&framing, &input);
        match held(&framing, &[&input]) {
            Ok((found, left)) => {
                prop_assert_eq!(fed, Ok(u64::try_from(found.len()).unwrap()));
                prop_assert_eq!(passage.end().is_ok(), left == 0);
            }
            Err(error) => prop_assert_eq!(fed, Err(error)),
        }
    }
}
