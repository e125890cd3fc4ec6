//! The gRPC service of the example `protocol-translation`, started on a port of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use super::{Gateway, Setup, config};

/// A service that runs until this is dropped.
pub(crate) struct Library {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Library {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let program = super::binary().with_file_name("library-service");
        let mut process = Command::new(&program)
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("`cargo xtask test` builds {}: {error}", program.display()));
        let mut line = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().strip_prefix("listening on ").expect(&line).parse().expect(&line);
        Self { process, address }
    }

    /// The upstream `service`, which it is.
    pub(crate) fn upstream(&self) -> String {
        config::upstream("service", self.address)
            .replace("[upstreams.service]\n", "[upstreams.service]\nprotocol = \"h2\"\n")
    }

    /// What its descriptor set is.
    pub(crate) fn descriptors() -> Vec<u8> {
        std::fs::read(super::root().join("examples/protocol-translation/library.binpb")).expect("it is there")
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

impl Drop for Library {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
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
