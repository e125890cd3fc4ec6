//! A NATS server with JetStream of a test's own: started, killed, started again with what it had, and asked directly.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{ports, wait};

/// A server that runs until this is dropped.
pub(crate) struct NatsServer {
    process: Child,
    directory: TempDir,
    address: SocketAddr,
    /// What a test's own connection says of itself, such as `"user":"me","pass":"x"`.
    login: String,
}

/// What a server is started with.
#[derive(Default)]
pub(crate) struct NatsSetup {
    config: String,
    login: String,
    tls: Option<(String, String)>,
}

impl NatsSetup {
    /// Lines of its configuration, such as `authorization { token: s3cret }`, and what a test's own connection says of itself.
    pub(crate) fn lines(mut self, lines: &str, login: &str) -> Self {
        self.config.push_str(lines);
        self.config.push('\n');
        login.clone_into(&mut self.login);
        self
    }

    /// Wants TLS of everybody; a certificate and its key in PEM.
    pub(crate) fn tls(mut self, certificate: String, key: String) -> Self {
        self.tls = Some((certificate, key));
        self
    }

    #[track_caller]
    pub(crate) fn start(self) -> NatsServer {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (address, path) = (ports::free(), directory.path().display());
        let mut config = format!(
            "listen: \"{address}\"\nmax_payload: 4096\njetstream {{ store_dir: \"{path}/data\" }}\n{}",
            self.config
        );
        let asks = self.tls.is_none();
        if let Some((certificate, key)) = self.tls {
            fs::write(directory.path().join("cert.pem"), certificate).expect("our directory");
            fs::write(directory.path().join("key.pem"), key).expect("our directory");
            let tls = format!("tls {{ cert_file: \"{path}/cert.pem\", key_file: \"{path}/key.pem\" }}\n");
            config.push_str(&tls);
        }
        fs::write(directory.path().join("nats.conf"), config).expect("our directory");
        let process = spawn(&directory);
        let mut server = NatsServer { process, directory, address, login: self.login };
        server.wait_until_ready(asks);
        server
    }
}

/// The server's binary; `SLUICE_NATS` may name it.
#[track_caller]
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("SLUICE_NATS") {
        return path.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        // Debian puts it where only root looks.
        .chain(["/usr/sbin".into()])
        .map(|directory| directory.join("nats-server"))
        .find(|path| path.is_file())
        .expect(
            "nats-server is not on the PATH\n\nhint: `apt-get install nats-server`, or name one in SLUICE_NATS",
        )
}

#[track_caller]
fn spawn(directory: &TempDir) -> Child {
    let log = File::create(directory.path().join("log")).expect("our directory");
    Command::new(binary())
        .arg("-c")
        .arg(directory.path().join("nats.conf"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the server's binary runs")
}

impl NatsServer {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    #[track_caller]
    fn wait_until_ready(&mut self, asks: bool) {
        wait::until("the NATS server is ready", || {
            if let Some(status) = self.process.try_wait().expect("our child") {
                let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
                panic!("the NATS server ended with {status}:\n{log}");
            }
            // With TLS the test has no way in but what it tests.
            if asks {
                self.try_ask("$JS.API.INFO", "").is_ok()
            } else {
                TcpStream::connect(self.address).is_ok()
            }
        });
    }

    /// Makes a stream of these subjects; more of its configuration can be given as `"key":value,`.
    #[track_caller]
    pub(crate) fn stream(&self, name: &str, subjects: &str, more: &str) {
        let config =
            format!(r#"{{"name":"{name}",{more}"subjects":["{subjects}"],"duplicate_window":120000000000}}"#);
        let answer = self.ask(&format!("$JS.API.STREAM.CREATE.{name}"), &config);
        assert!(!answer.contains("\"error\""), "{answer}");
    }

    /// How many messages a stream has.
    #[track_caller]
    pub(crate) fn messages(&self, stream: &str) -> u64 {
        let answer = self.ask(&format!("$JS.API.STREAM.INFO.{stream}"), "");
        let count = answer.split("\"messages\":").nth(1).expect("the state of a stream");
        count
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .and_then(|count| count.parse().ok())
            .expect("a number")
    }

    /// A message of a stream, as JSON with its parts in base64.
    #[track_caller]
    pub(crate) fn message(&self, stream: &str, number: u64) -> String {
        self.ask(&format!("$JS.API.STREAM.MSG.GET.{stream}"), &format!("{{\"seq\":{number}}}"))
    }

    #[track_caller]
    fn ask(&self, subject: &str, body: &str) -> String {
        self.try_ask(subject, body).unwrap_or_else(|error| panic!("{subject}: {error}"))
    }

    fn try_ask(&self, subject: &str, body: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let login = if self.login.is_empty() { String::new() } else { format!("{},", self.login) };
        write!(
            stream,
            "CONNECT {{{login}\"verbose\":false}}\r\nSUB answer 1\r\nPUB {subject} answer {}\r\n{body}\r\n",
            body.len()
        )?;
        let mut reader = BufReader::new(stream);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.starts_with("-ERR") {
                return Err(io::Error::other(line));
            }
            if line.starts_with("MSG") {
                let length = line.trim_end().rsplit(' ').next().and_then(|length| length.parse().ok());
                let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
                reader.read_exact(&mut body)?;
                return Ok(String::from_utf8_lossy(&body).into_owned());
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("our child");
    }

    /// It keeps its connections, and answers nothing.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        self.process.wait().expect("our child");
    }

    /// On the same address, after [`kill`](Self::kill), with what it had.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.process = spawn(&self.directory);
        self.wait_until_ready(true);
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
