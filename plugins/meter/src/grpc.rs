//! Messages of gRPC: each is a flag, four bytes of length and so many bytes.

use serde::{Deserialize, Serialize};
use sluice_sdk::prelude::*;

/// Of the flag byte: gRPC-Web's trailers, which are no message.
const TRAILERS: u8 = 0x80;

/// How far a body has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frames {
    /// Bytes of the prefix that are there, up to 4.
    #[serde(rename = "p")]
    prefix: u8,
    #[serde(rename = "t")]
    is_trailers: bool,
    /// The length as far as it is known, then what is left of the message.
    #[serde(rename = "l")]
    left: u32,
    #[serde(rename = "m")]
    in_message: bool,
}

impl Frames {
    /// Reads on: how many messages have ended.
    pub(crate) fn feed(&mut self, mut piece: &[u8]) -> u64 {
        let mut ended = 0;
        while !piece.is_empty() {
            if self.in_message {
                let used = piece.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= u32::try_from(used).unwrap_or(self.left);
                piece = &piece[used..];
            } else {
                let byte = piece[0];
                piece = &piece[1..];
                match self.prefix {
                    0 => (self.is_trailers, self.left) = (byte & TRAILERS != 0, 0),
                    _ => self.left = self.left << 8 | u32::from(byte),
                }
                self.in_message = self.prefix == 4;
                self.prefix = (self.prefix + 1) % 5;
            }
            if self.in_message && self.left == 0 {
                ended += u64::from(!self.is_trailers);
                self.in_message = false;
            }
        }
        ended
    }
}

/// Whether a body is of such messages. That of `application/grpc-web-text` is not: it is written in Base64.
pub(crate) fn is_grpc(headers: &Headers<'_>) -> bool {
    let Some(content_type) = headers.get("content-type") else { return false };
    let content_type = content_type.to_string().to_ascii_lowercase();
    let essence = content_type.split(';').next().unwrap_or_default().trim_ascii();
    ["application/grpc", "application/grpc-web"]
        .iter()
        .any(|known| essence.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('+')))
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
        assert_eq!(frames.feed(&[message(0, 0), message(1, 3)].concat()), 2);
        let cut = message(0, 300);
        assert_eq!((frames.feed(&cut[..304]), frames.feed(&cut[304..])), (0, 1));
        assert_eq!(frames.feed(&message(TRAILERS, 20)), 0);
        assert_eq!(frames, Frames { is_trailers: true, ..Frames::default() });
        // The largest length is only a number.
        assert_eq!(frames.feed(&[0, 255, 255, 255, 255]), 0);
        assert_eq!((frames.feed(&[0; 1000]), frames.left), (0, u32::MAX - 1000));
    }

    proptest! {
        #[test]
        fn however_it_is_cut(messages in prop::collection::vec((0_u8..=1, 0_usize..70), 0..6), cuts in prop::collection::vec(0_usize..400, 0..8)) {
            let body: Vec<u8> = messages.iter().flat_map(|(flag, length)| message(*flag, *length)).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).chain([0, body.len()]).collect();
            cuts.sort_unstable();
            let mut frames = Frames::default();
            let ended: u64 = cuts.windows(2).map(|cut| frames.feed(&body[cut[0]..cut[1]])).sum();
            prop_assert_eq!(ended, u64::try_from(messages.len()).unwrap());
        }
    }
}
