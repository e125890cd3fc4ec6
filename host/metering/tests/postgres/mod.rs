//! A PostgreSQL server of a test's own: started, stopped, frozen, killed, and asked directly.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long anything may take before a test gives up; generous, for a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Starts the server, and ends it and what it wrote when its own input ends: when the test lets go of it or dies in whatever way.
const KEEPER: &str = r#"directory=$1; shift; "$@" & server=$!; read -r word; kill -QUIT $server 2>/dev/null; wait $server
[ "$word" = keep ] || rm -rf "$directory""#;

/// A server that runs until this is dropped.
pub(crate) struct PostgresServer {
    keeper: Child,
    directory: TempDir,
    address: SocketAddr,
    databases: AtomicU32,
}

/// What a server is started with.
#[derive(Default)]
pub(crate) struct PostgresSetup {
    config: String,
    password: Option<String>,
    files: Vec<(&'static str, String)>,
}

impl PostgresSetup {
    /// Without a password and without TLS.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A line of `postgresql.conf`.
    #[allow(dead_code, reason = "not all who include this need it")]
    pub(crate) fn line(mut self, line: &str) -> Self {
        self.config.push_str(line);
        self.config.push('\n');
        self
    }

    /// Of the user `postgres`, over TCP.
    #[allow(dead_code, reason = "not all who include this need it")]
    pub(crate) fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Also speaks TLS: a certificate and its key, in PEM.
    #[allow(dead_code, reason = "not all who include this need it")]
    pub(crate) fn tls(mut self, certificate: String, key: String) -> Self {
        self.files.push(("server.crt", certificate));
        self.files.push(("server.key", key));
        self.line("ssl = on")
    }

    #[track_caller]
    pub(crate) fn start(self) -> PostgresServer {
        let directory = tempfile::tempdir().expect("a temporary directory");
        if let Some((user, group)) = somebody() {
            chown(directory.path(), Some(user), Some(group)).expect("root gives away what is its own");
        }
        let data = directory.path().join("data");
        let made = as_somebody(&binary("initdb"))
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .arg(&data)
            .current_dir(directory.path())
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        for (name, content) in &self.files {
            write(&data.join(name), content);
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        drop(listener);
        let config = format!(
            "\nlisten_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\nmax_connections = 60\n\
             shared_buffers = 32MB\nlog_min_messages = warning\n{}",
            address.port(),
            directory.path().display(),
            self.config
        );
        let file = fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"));
        file.and_then(|mut file| file.write_all(config.as_bytes())).expect("initdb has made it");
        let keeper = spawn(directory.path());
        let mut server = PostgresServer { keeper, directory, address, databases: AtomicU32::new(0) };
        server.wait_until_ready();
        if let Some(password) = self.password {
            server.ask("postgres", &format!("ALTER USER postgres PASSWORD '{password}'"));
            write(&data.join("pg_hba.conf"), "local all all trust\nhost all all all scram-sha-256\n");
            server.ask("postgres", "SELECT pg_reload_conf()");
        }
        server
    }
}

/// For a test that is root: the server refuses to be.
fn somebody() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("it is there");
    let find = |name: &str| {
        let mut fields = users.lines().find(|line| line.split(':').next() == Some(name))?.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(find("postgres").or_else(|| find("nobody")).expect("there is a user besides root"))
}

fn as_somebody(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = somebody() {
        command.uid(user).gid(group);
    }
    command
}

/// For the server's eyes only, which it insists on.
fn write(path: &Path, content: &str) {
    fs::write(path, content).expect("our directory");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("our file");
    let owner = fs::metadata(path.parent().expect("a file is in a directory")).expect("our directory");
    chown(path, Some(owner.uid()), Some(owner.gid())).expect("our file");
}

/// A program of PostgreSQL's; `SLUICE_POSTGRES` may name their directory.
#[track_caller]
fn binary(name: &str) -> PathBuf {
    let mut places: Vec<PathBuf> =
        std::env::var_os("SLUICE_POSTGRES").map(PathBuf::from).into_iter().collect();
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    // Where Debian has them, the newest first.
    let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().collect();
    versions.sort_by_key(|version| version.file_name().to_string_lossy().parse().unwrap_or(0_u32));
    places.extend(versions.iter().rev().map(|version| version.path().join("bin")));
    places.into_iter().map(|place| place.join(name)).find(|path| path.is_file()).unwrap_or_else(|| {
        panic!(
            "`{name}` of PostgreSQL is nowhere to be found\n\nhint: `apt-get install postgresql`, or name the directory of \
             its programs in SLUICE_POSTGRES"
        )
    })
}

#[track_caller]
fn spawn(directory: &Path) -> Child {
    let log = fs::File::create(directory.join("log")).expect("our directory");
    as_somebody(Path::new("/bin/sh"))
        .args(["-c", KEEPER, "keeper"])
        .arg(directory)
        .arg(binary("postgres"))
        .arg("-D")
        .arg(directory.join("data"))
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("our file"))
        .stderr(log)
        .spawn()
        .expect("a shell runs")
}

impl PostgresServer {
    #[track_caller]
    pub(crate) fn start() -> Self {
        PostgresSetup::new().start()
    }

    /// For `[store] ledger`.
    #[allow(dead_code, reason = "not all who include this need it")]
    pub(crate) fn url(&self, database: &str) -> String {
        self.url_as("postgres", database)
    }

    /// With this before the `@`.
    pub(crate) fn url_as(&self, credentials: &str, database: &str) -> String {
        format!("postgres://{credentials}@{}/{database}", self.address)
    }

    /// A database that nobody has used.
    #[track_caller]
    pub(crate) fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.ask("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    #[track_caller]
    fn wait_until_ready(&mut self) {
        let start = Instant::now();
        while self.try_ask("postgres", "SELECT 1").is_err() {
            if let Some(status) = self.keeper.try_wait().expect("our child") {
                let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
                panic!("the PostgreSQL server ended with {status}:\n{log}");
            }
            assert!(start.elapsed() < DEADLINE, "the PostgreSQL server is not ready");
        }
    }

    /// As its owner. Rows are answered as lines, columns with `|` between them.
    #[track_caller]
    pub(crate) fn ask(&self, database: &str, sql: &str) -> String {
        self.try_ask(database, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn try_ask(&self, database: &str, sql: &str) -> Result<String, String> {
        let output = Command::new(binary("psql"))
            .args(["--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--username=postgres"])
            .arg("--host")
            .arg(self.directory.path())
            .args(["--port", &self.address.port().to_string(), "--dbname", database, "--command", sql])
            .output()
            .expect("psql runs");
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// The server and its children: each session is a process.
    fn processes(&self) -> Vec<Pid> {
        let file = fs::read_to_string(self.directory.path().join("data/postmaster.pid")).unwrap_or_default();
        let Some(server) = file.lines().next().and_then(|line| line.trim().parse::<i32>().ok()) else {
            return Vec::new();
        };
        let parent = |process: i32| -> Option<i32> {
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
            stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
        };
        let all = fs::read_dir("/proc").expect("it is there").flatten();
        let all = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let children = all.filter(|process| parent(*process) == Some(server));
        std::iter::once(server).chain(children).filter_map(Pid::from_raw).collect()
    }

    /// It keeps its connections, and answers nothing.
    #[allow(dead_code, reason = "not all who include this need it")]
    pub(crate) fn freeze(&self) {
        for process in self.processes() {
            let _ = kill_process(process, Signal::STOP);
        }
    }

    #[allow(dead_code, reason = "not all who include this need it")]
    pub(crate) fn thaw(&self) {
        for process in self.processes() {
            let _ = kill_process(process, Signal::CONT);
        }
    }

    /// All of it at once, without a word to anybody.
    #[allow(dead_code, reason = "not all who include this need it")]
    pub(crate) fn kill(&mut self) {
        for process in self.processes() {
            let _ = kill_process(process, Signal::KILL);
        }
        let mut input = self.keeper.stdin.take().expect("it is taken with the server's death alone");
        input.write_all(b"keep\n").expect("it reads");
        self.keeper.wait().expect("our child");
    }

    /// On the same address, after [`kill`](Self::kill).
    #[track_caller]
    #[allow(dead_code, reason = "not all who include this need it")]
    pub(crate) fn restart(&mut self) {
        self.keeper = spawn(self.directory.path());
        self.wait_until_ready();
    }
}

impl PostgresServer {
    /// A replica, of nobody, after [`kill`](Self::kill): it can be read, and does not write.
    #[track_caller]
    #[allow(dead_code, reason = "not all who include this need it")]
    pub(crate) fn restart_as_replica(&mut self) {
        write(&self.directory.path().join("data/standby.signal"), "");
        self.restart();
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // Also one that is frozen.
        for process in self.processes() {
            let _ = kill_process(process, Signal::KILL);
        }
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
