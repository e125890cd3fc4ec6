//! A Redis or Valkey server of a test's own: started, stopped, frozen, killed, and asked directly.

use std::fmt::Write as _;
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
pub(crate) struct RedisServer {
    process: Child,
    directory: TempDir,
    /// Without TLS, without authentication of its own: a test's back door.
    address: SocketAddr,
    tls: Option<SocketAddr>,
    password: Option<String>,
}

/// What a server is started with.
#[derive(Default)]
pub(crate) struct RedisSetup {
    config: String,
    password: Option<String>,
    tls: Option<Certificates>,
}

/// For TLS, in PEM.
pub(crate) struct Certificates {
    pub(crate) authority: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl RedisSetup {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A line of `redis.conf`, such as `user me on >secret ~* +@all`.
    pub(crate) fn line(mut self, line: &str) -> Self {
        writeln!(self.config, "{line}").expect("a string");
        self
    }

    /// The default user's password.
    pub(crate) fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.line(&format!("requirepass {password}"))
    }

    /// Also listens with TLS.
    pub(crate) fn tls(mut self, certificates: Certificates) -> Self {
        self.tls = Some(certificates);
        self
    }

    #[track_caller]
    pub(crate) fn start(self) -> RedisServer {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let address = ports::free();
        let path = directory.path().display();
        let mut config = format!(
            "port {}\nbind 127.0.0.1\ndir {path}\nunixsocket {path}/redis.sock\nsave \"\"\nappendonly no\n{}",
            address.port(),
            self.config
        );
        let tls = self.tls.map(|certificates| {
            let address = ports::free();
            for (name, content) in [
                ("ca.pem", certificates.authority),
                ("cert.pem", certificates.certificate),
                ("key.pem", certificates.key),
            ] {
                fs::write(directory.path().join(name), content).expect("our directory");
            }
            write!(
                config,
                "tls-port {}\ntls-cert-file {path}/cert.pem\ntls-key-file {path}/key.pem\n\
                 tls-ca-cert-file {path}/ca.pem\ntls-auth-clients no\n",
                address.port()
            )
            .expect("a string");
            address
        });
        fs::write(directory.path().join("redis.conf"), config).expect("our directory");
        let process = spawn(&directory);
        let mut server = RedisServer { process, directory, address, tls, password: self.password };
        server.wait_until_ready();
        server
    }
}

/// The server's binary; `SLUICE_REDIS` may name it.
#[track_caller]
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("SLUICE_REDIS") {
        return path.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["redis-server", "valkey-server"];
    std::env::split_paths(&path)
        .flat_map(|directory| names.map(|name| directory.join(name)))
        .find(|path| path.is_file())
        .expect(
            "neither redis-server nor valkey-server is on the PATH\n\nhint: `apt-get install redis-server`, or \
             name one in SLUICE_REDIS",
        )
}

#[track_caller]
fn spawn(directory: &TempDir) -> Child {
    let log = File::create(directory.path().join("log")).expect("our directory");
    Command::new(binary())
        .arg(directory.path().join("redis.conf"))
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(Stdio::null())
        .spawn()
        .expect("the server's binary runs")
}

impl RedisServer {
    /// Without a password and without TLS.
    #[track_caller]
    pub(crate) fn start() -> Self {
        RedisSetup::new().start()
    }

    /// For `[store] counters`, without credentials.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// With these before the `@`.
    pub(crate) fn url_as(&self, credentials: &str) -> String {
        format!("redis://{credentials}@{}", self.address)
    }

    pub(crate) fn tls_url(&self) -> String {
        format!("rediss://localhost:{}", self.tls.expect("started with TLS").port())
    }

    pub(crate) fn socket_url(&self) -> String {
        format!("redis+unix://{}/redis.sock", self.directory.path().display())
    }

    #[allow(dead_code, reason = "for the tests of the store itself")]
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    #[track_caller]
    fn wait_until_ready(&mut self) {
        wait::until("the Redis server is ready", || {
            if let Some(status) = self.process.try_wait().expect("our child") {
                let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
                panic!("the Redis server ended with {status}:\n{log}");
            }
            self.try_ask(&["PING"]).is_ok_and(|answer| answer == "PONG")
        });
    }

    /// One command, as the default user. Arrays are answered as lines.
    #[track_caller]
    pub(crate) fn ask(&self, command: &[&str]) -> String {
        self.try_ask(command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    fn try_ask(&self, command: &[&str]) -> io::Result<String> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut reader = BufReader::new(stream);
        if let Some(password) = &self.password {
            write_command(reader.get_mut(), &["AUTH", password])?;
            read_answer(&mut reader)?;
        }
        write_command(reader.get_mut(), command)?;
        read_answer(&mut reader)
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).expect("our child");
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
        self.signal(Signal::KILL);
        self.process.wait().expect("our child");
    }

    /// On the same address, after [`kill`](Self::kill); with nothing of what it knew.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.process = spawn(&self.directory);
        self.wait_until_ready();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Also one that is frozen or gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn write_command(stream: &mut TcpStream, command: &[&str]) -> io::Result<()> {
    let mut message = format!("*{}\r\n", command.len());
    for part in command {
        write!(message, "${}\r\n{part}\r\n", part.len()).expect("a string");
    }
    stream.write_all(message.as_bytes())
}

fn read_answer(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.trim_end();
    let Some((kind, rest)) = line.split_at_checked(1) else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let count = || rest.parse::<i64>().map_err(io::Error::other);
    match kind {
        "+" | ":" => Ok(rest.to_owned()),
        "$" => {
            let Ok(length) = usize::try_from(count()?) else { return Ok(String::new()) };
            let mut bytes = vec![0; length + 2];
            reader.read_exact(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
        }
        "*" => {
            let answers = (0..count()?).map(|_| read_answer(reader)).collect::<io::Result<Vec<_>>>();
            Ok(answers?.join("\n"))
        }
        _ => Err(io::Error::other(rest.to_owned())),
    }
}
