//! A whole exchange in the gateway's process, from accepted bytes to written bytes, in user space.
//!
//! One client, one connection, one request after the other: how many requests a worker finds waiting at once would
//! otherwise depend on the machine.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::{Count, total, without_backtraces};
use crate::build::target_dir;
use crate::echo;

const WARM_UP: u64 = 1_000;
const REQUESTS: u64 = 2_000;

/// Under valgrind starting takes some seconds, compiling a plugin some more.
const READY_WITHIN: Duration = Duration::from_secs(180);

/// Counts the exchange of a route without steps, or with one step of this guest.
pub(super) fn count(name: &str, guest: Option<&Path>, directory: &Path) -> Result<Count> {
    let origin = echo::start("127.0.0.1:0")?;
    // Free now, and asked for again at once.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let configuration = directory.join("gateway.toml");
    fs::write(&configuration, text(address, origin, guest, directory))?;
    let output = directory.join("exchange");
    let mut gateway = start(&configuration, &output)?;
    let mut client = gateway.wait_until_ready(address)?;
    (0..WARM_UP).try_for_each(|_| client.get())?;
    gateway.collect("on")?;
    (0..REQUESTS).try_for_each(|_| client.get())?;
    gateway.collect("off")?;
    gateway.stop()?;
    Ok(Count { name: name.to_owned(), instructions: total(&output)? / REQUESTS })
}

fn text(address: SocketAddr, origin: SocketAddr, guest: Option<&Path>, directory: &Path) -> String {
    let (plugin, steps) = match guest {
        Some(file) => (format!("[plugins.guest]\nmodule = \"{}\"\n", file.display()), "[\"guest\"]"),
        None => (String::new(), "[]"),
    };
    format!(
        "version = 1\nworkers = 1\n\
         [listeners.public]\nbind = \"{address}\"\n\
         [telemetry]\nlog = \"warn\"\naccess_log = \"off\"\n\
         [cache]\ndir = \"{}\"\n\
         [upstreams.origin]\ntargets = [{{ url = \"http://{origin}\" }}]\n\
         {plugin}\
         [routes.all]\nmatch = {{ path = \"/**\" }}\nsteps = {steps}\nto = \"origin\"\n",
        directory.join("cache").display()
    )
}

/// The gateway under callgrind, which does not collect yet; dropping it stops it.
struct Gateway(Child);

fn start(configuration: &Path, output: &Path) -> Result<Gateway> {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--quiet", "--instr-atstart=no"])
        .arg(format!("--callgrind-out-file={}", output.display()))
        .arg(target_dir().join("release/sluice"))
        .args(["run", "--config"])
        .arg(configuration);
    without_backtraces(&mut command);
    Ok(Gateway(command.spawn().context("cannot start valgrind")?))
}

impl Gateway {
    fn wait_until_ready(&mut self, address: SocketAddr) -> Result<Client> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait()? {
                bail!("the gateway ended at once ({status})");
            }
            if let Ok(mut client) = Client::connect(address)
                && client.get().is_ok()
            {
                return Ok(client);
            }
            ensure!(start.elapsed() < READY_WITHIN, "the gateway was not ready within {READY_WITHIN:?}");
            pause();
        }
    }

    fn collect(&self, mode: &str) -> Result<()> {
        let id = self.0.id().to_string();
        let said = Command::new("callgrind_control").args(["-i", mode, &id]).output();
        let said = said.context("cannot run callgrind_control")?;
        ensure!(said.status.success(), "callgrind_control: {}", String::from_utf8_lossy(&said.stderr));
        Ok(())
    }

    fn stop(mut self) -> Result<()> {
        self.terminate()
    }

    fn terminate(&mut self) -> Result<()> {
        if self.0.try_wait()?.is_none() {
            // A shell's own `kill` is there on every system; std can only kill without asking.
            Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &self.0.id().to_string()]).status()?;
            self.0.wait()?;
        }
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.terminate();
    }
}

#[allow(clippy::disallowed_methods, reason = "between two looks at another process")]
fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

/// One connection that is kept.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// One request, and its answer to the last byte.
    fn get(&mut self) -> Result<()> {
        self.0.get_mut().write_all(
            b"GET /v1/orders/4711?fields=lines HTTP/1.1\r\nhost: api.shop.example\r\nuser-agent: xtask\r\naccept: */*\r\n\r\n",
        )?;
        let (mut line, mut length) = (String::new(), 0);
        self.0.read_line(&mut line)?;
        ensure!(line.starts_with("HTTP/1.1 200"), "the gateway answered {line:?}");
        while line != "\r\n" {
            line.clear();
            ensure!(self.0.read_line(&mut line)? > 0, "the gateway closed the connection");
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        ensure!(length > 0, "the gateway's answer has no length");
        self.0.read_exact(&mut vec![0; length])?;
        Ok(())
    }
}
