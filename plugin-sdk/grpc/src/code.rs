//! Status codes: their numbers, their names, and what they are in HTTP.

use std::fmt;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    /// It succeeded.
    Ok = 0,
    /// It was cancelled, as a rule by the caller.
    Cancelled = 1,
    /// It is not known what went wrong.
    Unknown = 2,
    /// The request is wrong whatever the state of the system.
    InvalidArgument = 3,
    /// The time was over before it was done.
    DeadlineExceeded = 4,
    /// There is no such thing.
    NotFound = 5,
    /// What was to be made is there already.
    AlreadyExists = 6,
    /// The caller is known and may not.
    PermissionDenied = 7,
    /// A quota, or room, has run out.
    ResourceExhausted = 8,
    /// The system is not in the state that it takes.
    FailedPrecondition = 9,
    /// Somebody else was faster.
    Aborted = 10,
    /// Beyond the end of a range.
    OutOfRange = 11,
    /// There is no such method.
    Unimplemented = 12,
    /// Something is broken that has to hold.
    Internal = 13,
    /// Not now; trying again may help.
    Unavailable = 14,
    /// Data is lost or damaged.
    DataLoss = 15,
    /// Who calls is not known.
    Unauthenticated = 16,
}

/// Every code in the order of the numbers: its name, Connect's name for it, and its status in HTTP (`google.rpc.Code`; Connect has the same).
const CODES: [(Code, &str, &str, u16); 17] = [
    (Code::Ok, "OK", "ok", 200),
    (Code::Cancelled, "CANCELLED", "canceled", 499),
    (Code::Unknown, "UNKNOWN", "unknown", 500),
    (Code::InvalidArgument, "INVALID_ARGUMENT", "invalid_argument", 400),
    (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "deadline_exceeded", 504),
    (Code::NotFound, "NOT_FOUND", "not_found", 404),
    (Code::AlreadyExists, "ALREADY_EXISTS", "already_exists", 409),
    (Code::PermissionDenied, "PERMISSION_DENIED", "permission_denied", 403),
    (Code::ResourceExhausted, "RESOURCE_EXHAUSTED", "resource_exhausted", 429),
    (Code::FailedPrecondition, "FAILED_PRECONDITION", "failed_precondition", 400),
    (Code::Aborted, "ABORTED", "aborted", 409),
    (Code::OutOfRange, "OUT_OF_RANGE", "out_of_range", 400),
    (Code::Unimplemented, "UNIMPLEMENTED", "unimplemented", 501),
    (Code::Internal, "INTERNAL", "internal", 500),
    (Code::Unavailable, "UNAVAILABLE", "unavailable", 503),
    (Code::DataLoss, "DATA_LOSS", "data_loss", 500),
    (Code::Unauthenticated, "UNAUTHENTICATED", "unauthenticated", 401),
];

impl Code {
    /// The code of this number; none of those that no specification knows.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|number| CODES.get(number)).map(|(code, ..)| *code)
    }

    /// The code that `grpc-status` names. One that is unknown, or no number, is [`Unknown`](Self::Unknown), as gRPC's libraries take it.
    #[must_use]
    pub fn from_header(value: &[u8]) -> Self {
        let number = std::str::from_utf8(value).ok().and_then(|text| text.trim_ascii().parse().ok());
        number.and_then(Self::from_number).unwrap_or(Self::Unknown)
    }

    /// The code with this name: gRPC's, as `NOT_FOUND`, or Connect's, as `not_found`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let found = CODES.iter().find(|(_, ours, connects, _)| *ours == name || *connects == name);
        found.map(|(code, ..)| *code)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Its name, as `NOT_FOUND`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        CODES[self as usize].1
    }

    /// Connect's name for it, as `not_found`; `canceled` is written with one `l` there.
    #[must_use]
    pub const fn connect_name(self) -> &'static str {
        CODES[self as usize].2
    }

    /// Its status in HTTP, by `google.rpc.Code`. Connect's table is the same.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        CODES[self as usize].3
    }

    /// What a client concludes from a response that is not gRPC's: grpc's `http-grpc-status-mapping.md`. 200 is no success either: who has
    /// no `grpc-status` has no result.
    #[must_use]
    pub const fn from_http(status: u16) -> Self {
        match status {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502..=504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// What a gateway means when it refuses a request with this status: near to [`http_status`](Self::http_status) the other way round. Unlike
    /// with [`from_http`](Self::from_http) it is known who answers and why.
    #[must_use]
    pub const fn from_refusal(status: u16) -> Self {
        match status {
            400 | 405 | 406 | 411 | 414 | 415 | 422 => Self::InvalidArgument,
            401 | 407 => Self::Unauthenticated,
            402 | 403 | 451 => Self::PermissionDenied,
            404 | 410 => Self::NotFound,
            408 | 504 => Self::DeadlineExceeded,
            409 => Self::Aborted,
            412 | 428 => Self::FailedPrecondition,
            413 | 429 | 431 | 507 => Self::ResourceExhausted,
            416 => Self::OutOfRange,
            499 => Self::Cancelled,
            500 => Self::Internal,
            501 => Self::Unimplemented,
            502 | 503 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_one_table() {
        for (number, (code, name, connects, _)) in CODES.into_iter().enumerate() {
            let number = u8::try_from(number).unwrap();
            assert_eq!((code.number(), Code::from_number(number.into())), (number, Some(code)), "{name}");
            assert_eq!((Code::from_name(name), Code::from_name(connects)), (Some(code), Some(code)));
            assert_eq!((code.name(), code.connect_name()), (name, connects));
            assert_eq!(Code::from_header(number.to_string().as_bytes()), code);
        }
        assert_eq!((Code::from_number(17), Code::from_number(-1)), (None, None));
        assert_eq!((Code::from_name("cancelled"), Code::from_name("")), (None, None));
        for odd in ["17", "-1", "", "x", "99999999999999999999", "0x0"] {
            assert_eq!(Code::from_header(odd.as_bytes()), Code::Unknown, "{odd}");
        }
    }

    #[test]
    fn http_both_ways() {
        for (status, code) in [
            (200, Code::Unknown),
            (302, Code::Unknown),
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (429, Code::Unavailable),
            (500, Code::Unknown),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::Unavailable),
        ] {
            assert_eq!(Code::from_http(status), code, "{status}");
        }
        // A refusal says the status of its code, or one that has no code of its own.
        for (code, name, _, status) in CODES.into_iter().skip(1) {
            let told = Code::from_refusal(status);
            assert_eq!(told.http_status(), status, "{name}");
            assert!(
                matches!(
                    code,
                    Code::Unknown
                        | Code::AlreadyExists
                        | Code::FailedPrecondition
                        | Code::OutOfRange
                        | Code::DataLoss
                ) || told == code,
                "{name}"
            );
        }
        assert_eq!(Code::from_refusal(413), Code::ResourceExhausted);
        assert_eq!(Code::from_refusal(302), Code::Unknown);
    }
}
