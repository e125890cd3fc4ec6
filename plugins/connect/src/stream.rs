//! Streams of messages that change: frame by frame, so that a call of the plugin does a bounded piece of work.

use sluice_sdk::prelude::*;
use sluice_sdk_grpc::{Frame, FrameError, Framing, Next, push_frame};

/// What is read or written in one call, of several messages.
const PER_CALL: usize = 64 << 10;

/// What a message counts for beside its bytes.
const PER_MESSAGE: usize = 256;

/// What a call makes of the frames that are there.
pub(crate) struct Changed<E> {
    /// The messages before what is wrong, or all, in frames.
    pub(crate) frames: Vec<u8>,
    pub(crate) then: Then<E>,
}

/// What follows.
pub(crate) enum Then<E> {
    /// Everything was read, up to the end if it was the last chunk.
    Done,
    /// The bytes from here on are wanted again, with so many together.
    Hold(usize, usize),
    /// A message that cannot be read.
    Malformed(FrameError),
    /// A message that cannot be changed.
    Refused(E),
}

/// Changes the messages of a chunk. `message` adds what it has read of one beyond the bytes of its frame, as one that was compressed.
pub(crate) fn change<E>(
    input: &[u8],
    is_last: bool,
    framing: &Framing,
    mut message: impl FnMut(Frame<'_>, &mut usize) -> Result<Vec<u8>, E>,
) -> Changed<E> {
    let mut frames = Vec::new();
    let mut rest = input;
    let mut done = 0;
    let then = loop {
        let at = input.len() - rest.len();
        match framing.next(rest) {
            Ok(Next::Frame(frame, after)) => {
                done += PER_MESSAGE + frame.message.len();
                let message = match message(frame, &mut done) {
                    Ok(message) => message,
                    Err(error) => break Then::Refused(error),
                };
                done += message.len();
                if !frames.is_empty() && frames.len() + message.len() > 2 * PER_CALL {
                    // It is long: it gets a call of its own.
                    break Then::Hold(at, 0);
                }
                push_frame(&mut frames, 0, &message);
                rest = after;
                if done >= PER_CALL && !rest.is_empty() {
                    break Then::Hold(input.len() - rest.len(), 0);
                }
            }
            Ok(Next::Wants(_)) if rest.is_empty() => break Then::Done,
            Ok(Next::Wants(_)) if is_last => break Then::Malformed(FrameError::CutOff),
            Ok(Next::Wants(want)) => break Then::Hold(at, want),
            Err(error) => break Then::Malformed(error),
        }
    };
    Changed { frames, then }
}

/// Holds, unless it is more than may be held.
pub(crate) fn hold(chunk: &mut Chunk, from: usize, want: usize) -> Result<Option<String>> {
    match chunk.hold(from, want) {
        Err(error) if error.refuses_value() => {
            Ok(Some(format!("a message of {want} bytes is larger than what can be held to translate it")))
        }
        held => held.map(|()| None),
    }
}
