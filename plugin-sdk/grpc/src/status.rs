//! How a call went: `grpc-status`, `grpc-message` and `grpc-status-details-bin`, which is a `google.rpc.Status`.

use crate::wire::{Field, push_bytes, push_field, push_varint, take_field};
use crate::{Code, metadata, percent};

/// How a call went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The code.
    pub code: Code,
    /// What went wrong, for people. Often empty.
    pub message: String,
    /// What went wrong, for programs.
    pub details: Vec<Detail>,
}

/// A `google.protobuf.Any`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// What it is, as `type.googleapis.com/google.rpc.RetryInfo`.
    pub type_url: String,
    /// The message, as Protobuf writes it.
    pub value: Vec<u8>,
}

/// Details beyond are left out: a header is not that long.
const MAX_DETAILS: usize = 256;

impl Detail {
    /// The full name of the message's type: what follows the last `/`.
    #[must_use]
    pub fn type_name(&self) -> &str {
        self.type_url.rsplit('/').next().unwrap_or_default()
    }
}

impl Status {
    /// A status without details.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new() }
    }

    /// What trailers, or the headers of an answer without messages, say. None if there is no `grpc-status`. Details that cannot be read are
    /// none.
    #[must_use]
    pub fn from_headers<V: AsRef<[u8]>>(get: impl Fn(&str) -> Option<V>) -> Option<Self> {
        let code = Code::from_header(get("grpc-status")?.as_ref());
        let message = get("grpc-message").map(|value| percent::decode(value.as_ref()));
        let details = get("grpc-status-details-bin").filter(|_| code != Code::Ok);
        let told = details.and_then(|value| Self::decode(&metadata::decode_binary(value.as_ref())?));
        let told = told.unwrap_or_else(|| Self::new(code, ""));
        // What is there in full counts more than its copy in a header, as grpc-go and Envoy have it.
        let message = if told.message.is_empty() { message.unwrap_or_default() } else { told.message };
        Some(Self { code, message, details: told.details })
    }

    /// The trailers that say it, in their order.
    #[must_use]
    pub fn trailers(&self) -> Vec<(&'static str, String)> {
        let mut trailers = vec![("grpc-status", self.code.number().to_string())];
        if !self.message.is_empty() {
            trailers.push(("grpc-message", percent::encode(&self.message)));
        }
        if !self.details.is_empty() {
            trailers.push(("grpc-status-details-bin", metadata::encode_binary(&self.encode())));
        }
        trailers
    }

    /// Reads a `google.rpc.Status`. None if it is none. A code that no specification knows is [`Code::Unknown`].
    #[must_use]
    pub fn decode(mut input: &[u8]) -> Option<Self> {
        let mut status = Self::new(Code::Ok, "");
        while !input.is_empty() {
            match take_field(&mut input)? {
                // An int32: of more than that the lower half counts.
                (1, Field::Varint(code)) => {
                    let number = i64::try_from(code & 0xffff_ffff).unwrap_or(-1);
                    status.code = Code::from_number(number).unwrap_or(Code::Unknown);
                }
                (2, Field::Bytes(message)) => status.message = String::from_utf8_lossy(message).into_owned(),
                (3, Field::Bytes(detail)) => {
                    let detail = Detail::decode(detail)?;
                    if status.details.len() < MAX_DETAILS {
                        status.details.push(detail);
                    }
                }
                _ => {}
            }
        }
        Some(status)
    }

    /// Writes a `google.rpc.Status`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.code != Code::Ok {
            push_varint(&mut out, 1 << 3);
            push_varint(&mut out, self.code.number().into());
        }
        push_bytes(&mut out, 2, self.message.as_bytes());
        for detail in &self.details {
            let mut any = Vec::new();
            push_bytes(&mut any, 1, detail.type_url.as_bytes());
            push_bytes(&mut any, 2, &detail.value);
            push_field(&mut out, 3, &any);
        }
        out
    }
}

impl Detail {
    fn decode(mut input: &[u8]) -> Option<Self> {
        let mut detail = Self { type_url: String::new(), value: Vec::new() };
        while !input.is_empty() {
            match take_field(&mut input)? {
                (1, Field::Bytes(url)) => detail.type_url = std::str::from_utf8(url).ok()?.to_owned(),
                (2, Field::Bytes(value)) => detail.value = value.to_vec(),
                _ => {}
            }
        }
        Some(detail)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn retry_info() -> Status {
        let type_url = "type.googleapis.com/google.rpc.RetryInfo".to_owned();
        let details = vec![Detail { type_url, value: vec![0x0a, 2, 8, 60] }];
        Status { details, ..Status::new(Code::Unavailable, "überladen") }
    }

    #[test]
    fn details_are_a_google_rpc_status() {
        let encoded = retry_info().encode();
        // As protoc writes it.
        let expected = [&[8, 14, 0x12, 10][..], "überladen".as_bytes(), &[0x1a, 48, 0x0a, 40]].concat();
        assert_eq!(encoded[..expected.len()], expected);
        assert_eq!(Status::decode(&encoded), Some(retry_info()));
        assert_eq!(retry_info().details[0].type_name(), "google.rpc.RetryInfo");
    }

    #[test]
    fn trailers_say_it_and_are_read() {
        let trailers = retry_info().trailers();
        assert_eq!(trailers[1], ("grpc-message", "%C3%BCberladen".to_owned()));
        let get = |name: &str| trailers.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        assert_eq!(Status::from_headers(get), Some(retry_info()));
        assert_eq!(Status::new(Code::Ok, "").trailers(), [("grpc-status", "0".to_owned())]);

        let read = |headers: &[(&str, &'static str)]| {
            Status::from_headers(|name| {
                headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
            })
        };
        assert_eq!(read(&[("grpc-message", "x")]), None);
        assert_eq!(read(&[("grpc-status", "99")]), Some(Status::new(Code::Unknown, "")));
        let damaged = [("grpc-status", "3"), ("grpc-message", "m"), ("grpc-status-details-bin", "////")];
        assert_eq!(read(&damaged), Some(Status::new(Code::InvalidArgument, "m")));
    }

    #[test]
    fn what_is_not_known_is_passed_over_and_what_is_damaged_refused() {
        let known = retry_info().encode();
        let more = [&known[..], &[0x20, 1, 0x2a, 0, 0x31, 0, 0, 0, 0, 0, 0, 0, 0, 0x3d, 0, 0, 0, 0]].concat();
        assert_eq!(Status::decode(&more), Some(retry_info()));
        for damaged in [
            &[0x08][..],
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0x0f],
            &[0x12, 5, b'x'],
            &[0x0b],
            &[0x00, 0x01],
            &[0x1a, 2, 0x0a, 9],
        ] {
            assert_eq!(Status::decode(damaged), None, "{damaged:?}");
        }
        // -1 as an int32.
        let negative = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(Status::decode(&negative), Some(Status::new(Code::Unknown, "")));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(input in any::<Vec<u8>>()) {
            let _ = Status::decode(&input);
        }
    }
}
