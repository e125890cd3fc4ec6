//! Somebody else's OpenID provider with an introspection endpoint: `oidc-provider`, certified by the OpenID Foundation, on
//! Node.js.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{Connection, root};

/// Runs until this is dropped.
pub(crate) struct IdentityProvider {
    process: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    pub(crate) address: SocketAddr,
}

/// What kind of token a client asks for.
#[derive(Clone, Copy)]
pub(crate) enum Token {
    /// Signed with the first of the published keys, for the audience `https://api.example` (RFC 9068).
    Jwt,
    /// For the audience `https://opaque.example`, known to the introspection endpoint alone.
    Opaque,
}

/// How often it was asked.
pub(crate) struct Asked {
    pub(crate) keys: u64,
    pub(crate) introspections: u64,
}

impl IdentityProvider {
    /// Publishes these keys, and signs with the first.
    #[track_caller]
    pub(crate) fn start(keys: &[&str]) -> Self {
        let folder = root().join("target/identity-provider");
        let mut process = Command::new("node")
            .args(["--input-type=module", "--eval", include_str!("../identity-provider/server.mjs")])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("node in {}: {error}\n\nhint: `cargo xtask test` installs it", folder.display())
            });
        let input = process.stdin.take().expect("it is piped");
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut provider = Self {
            process,
            pipes: Mutex::new((input, output)),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let port = provider.tell(&json!({ "keys": keys }))["port"].as_u64().expect("a port");
        provider.address.set_port(port.try_into().expect("a port"));
        provider
    }

    #[track_caller]
    fn tell(&self, line: &Value) -> Value {
        let (input, output) = &mut *self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(input, "{line}").expect("the provider runs");
        let mut answer = String::new();
        output.read_line(&mut answer).expect("the provider runs");
        serde_json::from_str(&answer).unwrap_or_else(|error| {
            panic!("{error}: `{answer}`\n\nhint: `cargo xtask test` installs what the provider needs")
        })
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it publishes these keys and signs with the first. A key is made when it is first named.
    pub(crate) fn publish(&self, keys: &[&str]) {
        self.tell(&json!({ "keys": keys }));
    }

    pub(crate) fn asked(&self) -> Asked {
        let answer = self.tell(&json!({}));
        let count = |name: &str| answer[name].as_u64().expect("a count");
        Asked { keys: count("keys"), introspections: count("introspections") }
    }

    #[track_caller]
    fn post(&self, path: &str, form: &str) -> super::Response {
        // `app` and `secret of app`, encoded as RFC 6749 section 2.3.1 has it.
        let authorization = "Basic YXBwOnNlY3JldCtvZithcHA=";
        Connection::open(self.address).host(&self.address.to_string()).request(
            "POST",
            path,
            &[("authorization", authorization), ("content-type", "application/x-www-form-urlencoded")],
            form.as_bytes(),
        )
    }

    /// A token of the client `app`, which may `read`.
    #[track_caller]
    pub(crate) fn token(&self, token: Token) -> String {
        let resource = match token {
            Token::Jwt => "https://api.example",
            Token::Opaque => "https://opaque.example",
        };
        let form = format!("grant_type=client_credentials&scope=read&resource={resource}");
        let answer = self.post("/token", &form).expect(200).json();
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    /// The client wants its token no more (RFC 7009).
    #[track_caller]
    pub(crate) fn revoke(&self, token: &str) {
        self.post("/token/revocation", &format!("token={token}")).expect(200);
    }

    /// Takes connections and does not answer them.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("our child");
    }
}

impl Drop for IdentityProvider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
