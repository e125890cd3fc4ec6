//! A running gateway: its process, its addresses, its output.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::client::{Connection, Response};
use super::{Setup, setup, wait};

/// A gateway that runs until this is dropped.
pub(crate) struct Gateway {
    process: Child,
    directory: TempDir,
    environment: Vec<(OsString, OsString)>,
    /// Its public listener.
    pub(crate) public: SocketAddr,
    /// Its admin listener.
    pub(crate) admin: SocketAddr,
    stdout: Output,
    stderr: Output,
}

/// A process that another one took over from.
pub(crate) struct Former(Child);

impl Former {
    pub(crate) fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("our child").is_none()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        wait::until_some("the former process ends", || self.0.try_wait().expect("our child"))
    }
}

impl Drop for Former {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A gateway that did not start.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
}

/// Lines that the process wrote so far, and whether nothing more comes.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<String>>>, Arc<AtomicBool>);

impl Output {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let output = Self::default();
        let lines = output.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { break };
                lines.lock().push(line);
            }
            lines.1.store(true, Ordering::Release);
        });
        output
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn launch(mut command: Command) -> (Child, Output, Output) {
    let mut process =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the gateway's binary runs");
    let stdout = Output::of(process.stdout.take().expect("piped"));
    let stderr = Output::of(process.stderr.take().expect("piped"));
    (process, stdout, stderr)
}

impl Gateway {
    /// Starts with a configuration alone: see [`Setup::start`].
    #[track_caller]
    pub(crate) fn start(config: &str) -> Self {
        Setup::new().start(config)
    }

    #[track_caller]
    pub(super) fn spawn(
        command: Command,
        directory: TempDir,
        environment: Vec<(OsString, OsString)>,
        public: SocketAddr,
        admin: SocketAddr,
    ) -> Result<Self, Ended> {
        let (process, stdout, stderr) = launch(command);
        let mut gateway = Self { process, directory, environment, public, admin, stdout, stderr };
        gateway.wait_until_ready().map(|()| gateway)
    }

    #[track_caller]
    fn wait_until_ready(&mut self) -> Result<(), Ended> {
        let admin = self.admin;
        let ended = wait::until_some("the gateway is ready", || {
            if let Some(status) = self.process.try_wait().expect("our child") {
                return Some(Some(status));
            }
            let ready = Connection::try_open(admin).and_then(|mut connection| connection.try_get("/readyz"));
            ready.is_ok_and(|answer| answer.status == 200).then_some(None)
        });
        match ended {
            None => Ok(()),
            Some(status) => {
                // It may have ended before its last words were read.
                wait::until("its words are read", || self.stderr.1.load(Ordering::Acquire));
                let output = self.stderr.lock().join("\n");
                Err(Ended { status, output })
            }
        }
    }

    /// `kill -9`, unless it has ended by itself.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        self.process.wait().expect("our child");
    }

    /// Starts it anew where it was, after it has ended, with this in its environment too.
    #[track_caller]
    pub(crate) fn restart(&mut self, variables: &[(&str, &str)]) -> Result<(), Ended> {
        let mut command = self.command(&["run", "--config", "gateway.toml"]);
        command.envs(variables.iter().copied());
        (self.process, self.stdout, self.stderr) = launch(command);
        self.wait_until_ready()
    }

    /// Starts another process that takes over, which this is from then on; the former one drains.
    #[track_caller]
    pub(crate) fn upgrade(&mut self) -> Result<Former, Ended> {
        let (mut process, stdout, stderr) =
            launch(self.command(&["run", "--config", "gateway.toml", "--upgrade"]));
        let ended = wait::until_some("the other process serves or ends", || {
            if self.stderr.lock().iter().any(|line| line.contains("another process serves")) {
                return Some(None);
            }
            process.try_wait().expect("our child").map(Some)
        });
        if let Some(status) = ended {
            wait::until("its words are read", || stderr.1.load(Ordering::Acquire));
            let output = stderr.lock().join("\n");
            return Err(Ended { status, output });
        }
        (self.stdout, self.stderr) = (stdout, stderr);
        Ok(Former(std::mem::replace(&mut self.process, process)))
    }

    /// A command of the gateway's binary, in its directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(super::binary());
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// A new connection to the public listener.
    #[track_caller]
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.public)
    }

    /// `GET` on a connection of its own.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Response {
        self.connect().get(path)
    }

    /// `GET` with headers on a connection of its own.
    #[track_caller]
    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.connect().request("GET", path, headers, b"")
    }

    /// A file of the gateway's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Replaces a file in one step.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        setup::write(self.directory.path(), name, content.as_ref());
    }

    /// Overwrites a file where it is, as some editors do.
    pub(crate) fn overwrite(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("the file can be written");
    }

    /// Replaces the configuration, completed as at the start.
    pub(crate) fn configure(&self, config: &str) {
        let text = setup::complete(config);
        let text =
            text.replace("@public@", &self.public.to_string()).replace("@admin@", &self.admin.to_string());
        self.write("gateway.toml", text);
    }

    /// Replaces `plugins/<name>.wasm` in one step.
    pub(crate) fn install_plugin(&self, name: &str, bytes: impl AsRef<[u8]>) {
        self.write(&format!("plugins/{name}.wasm"), bytes);
    }

    /// Everything logged so far.
    pub(crate) fn log(&self) -> String {
        self.stderr.lock().join("\n")
    }

    /// Waits until a line of the log has all of these words, and gives it.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, words: &[&str]) -> String {
        wait::until_some(&format!("the log says {words:?}; it says:\n{}", self.log()), || {
            let lines = self.stderr.lock();
            lines.iter().find(|line| words.iter().all(|word| line.contains(word))).cloned()
        })
    }

    /// Waits for the line of the access log that has all of these words.
    #[track_caller]
    pub(crate) fn wait_for_access(&self, words: &[&str]) -> serde_json::Value {
        let line = wait::until_some(&format!("the access log has a line with {words:?}"), || {
            let lines = self.stdout.lock();
            lines.iter().find(|line| words.iter().all(|word| line.contains(word))).cloned()
        });
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in the access log's line {line}"))
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether the process still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.process.try_wait().expect("our child").is_none()
    }

    /// Resident memory in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("the process runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a VmRSS line");
        let kibibytes: u64 =
            line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number");
        kibibytes * 1024
    }

    /// Open file descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.id())).expect("the process runs").count()
    }

    /// CPU time used so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).expect("the process runs");
        // The name in parentheses may hold anything; user and system time are the 12th and 13th field after it.
        let fields = stat.rsplit(')').next().expect("a name").split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().expect("ticks")).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        let id = self.id().to_string();
        let asked = Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &id]).status();
        assert!(asked.expect("a shell").success(), "the gateway is gone already");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        wait::until_some("the gateway ends", || self.process.try_wait().expect("our child"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- the gateway's log\n{}\n---", self.log());
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
