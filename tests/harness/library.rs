//! The gRPC service of the example `protocol-translation`, and the same by others, started on a port of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use super::peers::{self, Program};
use super::{Gateway, Setup, config};

/// A service that runs until this is dropped.
pub(crate) struct Library {
    program: Program,
    pub(crate) address: SocketAddr,
}

impl Library {
    /// The one of the example, in Rust with tonic.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let program = super::binary().with_file_name("library-service");
        assert!(program.is_file(), "`cargo xtask test` builds {}", program.display());
        let mut command = Command::new(&program);
        command.arg("127.0.0.1:0");
        Self::of(Program::start(command))
    }

    /// The same service by others, in Python with grpcio.
    #[track_caller]
    pub(crate) fn grpcio() -> Self {
        let mut command = peers::python("library_server.py");
        command.arg(Self::path());
        Self::of(Program::start(command))
    }

    #[track_caller]
    fn of(program: Program) -> Self {
        let address = program.address();
        Self { program, address }
    }

    /// Waits until it says that the client of such a method gave up. The one in Python does.
    #[track_caller]
    pub(crate) fn wait_for_cancelled(&self, method: &str) {
        self.program.wait_for(&format!("cancelled {method}"));
    }

    /// The upstream `service`, which it is.
    pub(crate) fn upstream(&self) -> String {
        config::upstream("service", self.address)
            .replace("[upstreams.service]\n", "[upstreams.service]\nprotocol = \"h2\"\n")
    }

    /// What its descriptor set is.
    pub(crate) fn descriptors() -> Vec<u8> {
        std::fs::read(Self::path()).expect("it is there")
    }

    /// Where that lies.
    pub(crate) fn path() -> PathBuf {
        super::root().join("examples/protocol-translation/library.binpb")
    }

    /// A gateway whose one route has this step, a plugin with this configuration, and goes to it. The step may use
    /// `"${asset:library.binpb}"`.
    #[track_caller]
    pub(crate) fn behind(&self, name: &str, step: &str) -> Gateway {
        let text = config::plugin(name, &format!("config = {step}"))
            + &self.upstream()
            + &format!("[routes.all]\nsteps = [\"{name}\"]\nto = \"service\"\n");
        Setup::new().plugin(name, super::plugin(name)).file("library.binpb", Self::descriptors()).start(&text)
    }
}

/// A message with its length in front of it, as gRPC has it.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("messages of tests are short");
    [&[0], &length.to_be_bytes()[..], message].concat()
}

/// A field of a message that is a text or a message.
pub(crate) fn field(number: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [&[number << 3 | 2, u8::try_from(value.len()).expect("fields of tests are short")][..], value].concat()
}

/// How long a `grpc-timeout` is.
#[track_caller]
pub(crate) fn seconds(timeout: &str) -> f64 {
    let units = [("u", 1e6), ("m", 1e3), ("S", 1.0)];
    let seconds =
        units.iter().find_map(|(unit, parts)| Some(timeout.strip_suffix(unit)?.parse::<f64>().ok()? / parts));
    seconds.unwrap_or_else(|| panic!("`{timeout}` is no timeout"))
}

/// Every well-known type, and every kind of field.
pub(crate) fn everything() -> serde_json::Value {
    serde_json::json!({
        "aDouble": 1.5, "aFloat": -0.25, "anInt32": -1, "anInt64": "-9223372036854775808", "aUint32": 4_294_967_295_u32,
        "aUint64": "18446744073709551615", "aSint32": -2, "aSint64": "-3", "aFixed32": 7, "aFixed64": "8",
        "aSfixed32": -7, "aSfixed64": "-8", "aBool": true, "aString": "text \u{1F600}\n", "aBytes": "AP/+", "aBinding": "CLOTH",
        "maybe": 0, "ints": [1, 2, 3], "children": [{ "aString": "child" }, {}], "counts": { "a": "1", "b": "2" },
        "number": 0,
        "any": { "@type": "type.googleapis.com/library.v1.Line", "text": "in any" },
        "duration": "-1.500s", "empty": {}, "mask": "aString,children.anInt32",
        "object": { "a": [1.5, null, "x", { "b": true }] }, "value": "a value", "list": [2.5, "two"],
        "timestamp": "2026-11-23T12:00:00.123456789Z", "wrappedBool": false, "wrappedBytes": "AQI=", "wrappedDouble": "NaN",
        "wrappedFloat": "-Infinity", "wrappedInt32": 0, "wrappedInt64": "5", "wrappedString": "", "wrappedUint32": 1,
        "wrappedUint64": "9"
    })
}
