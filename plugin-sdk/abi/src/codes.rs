//! Numbers that cross the boundary. Each enum converts from its number and refuses others.

use serde::{Deserialize, Serialize};

/// Defines an enum of `i32` numbers with a checked conversion back.
macro_rules! numbers {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $value:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i32)]
        pub enum $name { $($(#[$doc])* $variant = $value),+ }

        impl $name {
            /// Every variant, in order of its number.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The variant of a number, if there is one.
            #[must_use]
            pub const fn from_number(number: i32) -> Option<Self> {
                match number { $($value => Some(Self::$variant),)+ _ => None }
            }

            /// The number that crosses the boundary.
            #[must_use]
            pub const fn number(self) -> i32 { self as i32 }
        }
    };
}

numbers! {
    /// What a phase function returns.
    Answer {
        /// Go on with the next step.
        Continue = 0,
        /// Answer the client with what `respond` was given.
        Respond = 1,
        /// The plugin failed; `fail` was given the reason. The instance stays usable.
        Failed = 2,
    }
}

numbers! {
    /// A negative return of a host function.
    Code {
        /// There is no such header, value or key.
        None = -1,
        /// The plugin was not granted this.
        Denied = -2,
        /// A name, value or number is not valid.
        Invalid = -3,
        /// Over a limit of this plugin.
        TooLarge = -4,
        /// What would answer cannot be reached.
        Unavailable = -5,
        /// The answer did not come in time.
        Timeout = -6,
        /// Not in this phase.
        WrongPhase = -7,
        /// What was given does not verify, or is not equal.
        Mismatch = -8,
    }
}

numbers! {
    /// Which header map a header function means.
    HeaderMap {
        /// The request's headers; only while the request is on its way to the upstream.
        Request = 0,
        /// The response's headers; in the response phases.
        Response = 1,
        /// The trailers of the message whose body is at hand; where its end is: with a whole body, and with the last chunk.
        Trailers = 2,
    }
}

numbers! {
    /// How a step takes the body of a message.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    BodyMode {
        /// Not at all: it passes as it is.
        Skip = 0,
        /// Whole, in the body phase.
        Whole = 1,
        /// As it passes, in the chunk phase.
        Chunks = 2,
    }
}

numbers! {
    /// Texts of the exchange for `text_get`; those marked *writable* also for `text_set`.
    Text {
        /// The method. Writable in the request phases.
        Method = 0,
        /// The path, always beginning with `/`, as received. Writable in the request phases.
        Path = 1,
        /// The query without its `?`; none if there was no `?`. Writable in the request phases.
        Query = 2,
        /// `http` or `https`, as the client spoke it.
        Scheme = 3,
        /// The authority the client asked for: host and, if given, port.
        Authority = 4,
        /// The client's address without port: the peer, or what a trusted proxy vouched for.
        ClientAddress = 5,
        /// The id of this exchange.
        RequestId = 6,
        /// The name of the matched route.
        Route = 7,
        /// The name of this step.
        Step = 8,
        /// The name of the consumer, once an authentication step has set it.
        Consumer = 9,
        /// The protocol in which the client asked: `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
        Protocol = 10,
    }
}

numbers! {
    /// Numbers of the exchange for `number_get`; `ResponseStatus` also for `number_set`.
    Number {
        /// The response's status code; in the response phases. Writable.
        ResponseStatus = 0,
        /// Length of the body or chunk at hand, in bytes.
        BodyLength = 1,
        /// Whether the request came with a body: 1 or 0.
        RequestBody = 2,
        /// Whose the response at hand is, an [`Origin`]; in the response phases.
        ResponseOrigin = 3,
    }
}

numbers! {
    /// Whose a response is.
    Origin {
        /// The upstream's.
        Upstream = 0,
        /// The answer of a step.
        Step = 1,
        /// The gateway's own, because something failed. Of such an answer steps see the head and nothing else.
        Gateway = 2,
    }
}

numbers! {
    /// Who shares a context value.
    Scope {
        /// The phases of this step.
        Step = 0,
        /// Every step of this exchange.
        Exchange = 1,
    }
}

numbers! {
    /// Severity of a log line.
    LogLevel {
        /// Something failed.
        Error = 0,
        /// Something is odd.
        Warn = 1,
        /// Something happened.
        Info = 2,
        /// For the developer.
        Debug = 3,
    }
}

numbers! {
    /// Digest algorithms (FIPS 180-4).
    Digest {
        /// SHA-256, 32 bytes.
        Sha256 = 0,
        /// SHA-384, 48 bytes.
        Sha384 = 1,
        /// SHA-512, 64 bytes.
        Sha512 = 2,
    }
}

numbers! {
    /// Signature algorithms by their JOSE names (RFC 7518 section 3.1, RFC 8037).
    Signature {
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        Rs256 = 0,
        /// RSASSA-PKCS1-v1_5 with SHA-384.
        Rs384 = 1,
        /// RSASSA-PKCS1-v1_5 with SHA-512.
        Rs512 = 2,
        /// RSASSA-PSS with SHA-256.
        Ps256 = 3,
        /// RSASSA-PSS with SHA-384.
        Ps384 = 4,
        /// RSASSA-PSS with SHA-512.
        Ps512 = 5,
        /// ECDSA on P-256 with SHA-256; the signature is r and s, 32 bytes each.
        Es256 = 6,
        /// ECDSA on P-384 with SHA-384; 48 bytes each.
        Es384 = 7,
        /// ECDSA on P-521 with SHA-512; 66 bytes each.
        Es512 = 8,
        /// Ed25519.
        EdDsa = 9,
    }
}

numbers! {
    /// By what `identify` finds a consumer.
    Identity {
        /// An API key. The host compares digests; what is shown is not kept.
        Key = 0,
        /// A user name and password, as `name:password`. The host compares digests.
        Password = 1,
        /// A token that was verified: its issuer and subject, as `issuer` LF `subject`.
        Token = 2,
        /// A name in a verified client certificate, or its fingerprint as `sha256:` and 64 hexadecimal digits.
        Certificate = 3,
        /// The id of a key that signs requests.
        Signature = 4,
        /// The consumer's name.
        Name = 5,
        /// The consumer's name in another system.
        CustomId = 6,
    }
}

numbers! {
    /// How a meter's values become one.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    Aggregation {
        /// How many there are.
        Count = 0,
        /// What they come to.
        Sum = 1,
        /// The greatest.
        Max = 2,
        /// How many different texts there are.
        Unique = 3,
        /// The latest.
        Latest = 4,
    }
}

numbers! {
    /// What the host measures when an exchange ends, so that no plugin has to be called for it.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    Measure {
        /// One, for the exchange itself.
        One = 0,
        /// Bytes of the request's body that came from the client.
        RequestBytes = 1,
        /// Bytes of the response's body that went to the client.
        ResponseBytes = 2,
        /// Milliseconds from the request's head to the response's last byte.
        Duration = 3,
    }
}
