//! Messages of gRPC.

use serde::{Deserialize, Serialize};
use sluice_sdk::prelude::*;
use sluice_sdk_grpc::{Framing, Media, Passage, Protocol};

/// How far a body has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub(crate) struct Frames(Passage);

impl Frames {
    /// Reads on: how many messages have ended.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> Result<u64> {
        Ok(self.0.feed(&Framing::lenient(), piece)?)
    }
}

impl From<u64> for Frames {
    fn from(number: u64) -> Self {
        Self(Passage::from_number(number))
    }
}

impl From<Frames> for u64 {
    fn from(frames: Frames) -> Self {
        frames.0.number()
    }
}

/// Whether a body is of such messages. That of `application/grpc-web-text` is not: it is written in Base64.
pub(crate) fn is_grpc(headers: &Headers<'_>) -> bool {
    let content_type = headers.get("content-type");
    let media = content_type.and_then(|value| Media::from_content_type(value.as_str()?));
    media.is_some_and(|media| matches!(media.protocol, Protocol::Grpc | Protocol::GrpcWeb))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(flag: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![flag];
        bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
        // Content that looks like prefixes.
        bytes.extend((0..length).map(|at| u8::try_from(at % 2).unwrap()));
        bytes
    }

    #[test]
    fn messages_are_counted_when_they_have_ended() {
        let mut frames = Frames::default();
        assert_eq!(frames.feed(&[message(0, 0), message(1, 3)].concat()).unwrap(), 2);
        let cut = message(0, 300);
        assert_eq!((frames.feed(&cut[..304]).unwrap(), frames.feed(&cut[304..]).unwrap()), (0, 1));
        assert_eq!(frames.feed(&message(0x80, 20)).unwrap(), 0);
        assert_eq!(frames, Frames::default());
        // The largest length is only a number.
        assert_eq!(frames.feed(&[0, 255, 255, 255, 255]).unwrap(), 0);
        assert_eq!(frames.feed(&[0; 1000]).unwrap(), 0);
    }

    proptest! {
        #[test]
        fn however_it_is_cut(messages in prop::collection::vec((0_u8..=1, 0_usize..70), 0..6), cuts in prop::collection::vec(0_usize..400, 0..8)) {
            let body: Vec<u8> = messages.iter().flat_map(|(flag, length)| message(*flag, *length)).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).chain([0, body.len()]).collect();
            cuts.sort_unstable();
            let mut frames = Frames::default();
            let ended: u64 = cuts.windows(2).map(|cut| {
                // As it is kept from chunk to chunk.
                frames = serde_json::from_str(&serde_json::to_string(&frames).unwrap()).unwrap();
                frames.feed(&body[cut[0]..cut[1]]).unwrap()
            }).sum();
            prop_assert_eq!(ended, u64::try_from(messages.len()).unwrap());
        }
    }
}
