//! `cargo xtask run`: everything that a first look needs, from nothing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::build::{cargo, execute, plugins, root, target_dir};
use crate::echo;

// As in gateway.toml.
const GATEWAY: &str = "127.0.0.1:8080";
const ADMIN: &str = "127.0.0.1:9901";
const UPSTREAM: &str = "127.0.0.1:9000";
/// The key whose hash gateway.toml gives to the consumer `demo`.
const KEY: &str = "demo-key";
/// Requests that the consumer `demo` has at once.
const QUOTA: usize = 10;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// Builds, starts, shows what to type, and waits for Ctrl-C.
pub(crate) fn run() -> Result<()> {
    let mut gateway = start()?;
    println!(
        "
The gateway listens on http://{GATEWAY}, its admin listener on http://{ADMIN}. Try:

  curl -i http://{GATEWAY}/hello                              # 401: the step `api-key` wants a key
  curl -i http://{GATEWAY}/hello -H 'x-api-key: {KEY}'      # 200: the upstream shows what the chain sent it
  for i in $(seq 12); do curl -so /dev/null -w '%{{http_code}}\\n' http://{GATEWAY}/hello -H 'x-api-key: {KEY}'; done
                                                              # 429 from the step `rate-limit` after {QUOTA}
  curl http://{ADMIN}/snapshot                                # what is loaded
  curl http://{ADMIN}/metrics                                 # what happened

Edit gateway.toml, or a plugin followed by `cargo xtask plugins`: the next request uses it. Ctrl-C stops."
    );
    gateway.wait_for_end()?;
    Ok(())
}

/// Builds, starts, tries what `run` prints, and stops.
pub(crate) fn once() -> Result<()> {
    let gateway = start()?;

    let refused = get(GATEWAY, "/hello", "")?;
    ensure!(refused.starts_with("HTTP/1.1 401"), "without a key the gateway answered:\n{refused}");

    let key = format!("x-api-key: {KEY}\r\n");
    let answer = get(GATEWAY, "/hello", &key)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "with the key the gateway answered:\n{answer}");
    for (sign, what) in [
        ("\"path\": \"/hello\"", "the upstream's echo"),
        ("\"x-consumer\": \"demo\"", "the header that the step `headers` adds for the upstream"),
        ("x-powered-by: sluice", "the header that the step `headers` adds for the client"),
    ] {
        ensure!(answer.to_ascii_lowercase().contains(sign), "{what} is missing in:\n{answer}");
    }
    ensure!(!answer.contains(KEY), "the key went on to the upstream:\n{answer}");

    let answers: Vec<String> = (0..QUOTA + 2).map(|_| get(GATEWAY, "/hello", &key)).collect::<Result<_>>()?;
    let limited = answers.iter().find(|answer| answer.starts_with("HTTP/1.1 429"));
    let limited = limited.context("the rate limit never answered 429")?;
    ensure!(limited.to_ascii_lowercase().contains("retry-after:"), "no Retry-After in:\n{limited}");

    let metrics = get(ADMIN, "/metrics", "")?;
    ensure!(metrics.contains("sluice_"), "no metrics in:\n{metrics}");

    let status = gateway.stop()?;
    ensure!(status.success(), "the gateway ended with {status}");
    println!(
        "The chain works: 401 without a key, 200 with one, 429 over the limit; the gateway stopped cleanly."
    );
    Ok(())
}

/// A running gateway; dropping it stops it.
struct Gateway(Child);

fn start() -> Result<Gateway> {
    plugins(&[])?;
    execute(&mut cargo(&["build", "--release", "-p", "sluice"]))?;
    echo::start(UPSTREAM).with_context(|| format!("the sample upstream cannot listen on {UPSTREAM}"))?;
    let mut command = Command::new(target_dir().join("release/sluice"));
    command.args(["run", "--config", "gateway.toml"]).current_dir(root());
    // A group of its own: Ctrl-C reaches only us, and we ask the gateway to stop, once.
    let mut gateway = Gateway(command.process_group(0).spawn().context("cannot start the gateway")?);
    gateway.wait_until_ready()?;
    Ok(gateway)
}

impl Gateway {
    fn wait_until_ready(&mut self) -> Result<()> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait()? {
                bail!("the gateway ended at once ({status})");
            }
            if get(ADMIN, "/readyz", "").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return Ok(());
            }
            ensure!(start.elapsed() < READY_WITHIN, "the gateway was not ready within {READY_WITHIN:?}");
            pause();
        }
    }

    /// Waits until the gateway ends by itself or somebody wants an end.
    fn wait_for_end(&mut self) -> Result<()> {
        let (sender, events) = mpsc::channel();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        thread::spawn(move || signals.forever().try_for_each(|_| sender.send(())));
        loop {
            match events.recv_timeout(Duration::from_millis(200)) {
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    if let Some(status) = self.0.try_wait()? {
                        bail!("the gateway ended ({status})");
                    }
                }
                _ => {
                    println!("Stopping.");
                    return self.terminate().map(drop);
                }
            }
        }
    }

    fn stop(mut self) -> Result<ExitStatus> {
        self.terminate()
    }

    fn terminate(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.0.try_wait()? {
            return Ok(status);
        }
        let id = self.0.id().to_string();
        // A shell's own `kill` is there on every system; std can only kill without asking.
        Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &id]).status()?;
        Ok(self.0.wait()?)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.terminate();
    }
}

#[allow(clippy::disallowed_methods, reason = "between two looks at another process")]
fn pause() {
    thread::sleep(Duration::from_millis(50));
}

/// One GET on a connection of its own: the whole answer as text.
fn get(address: &str, path: &str, headers: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n")?;
    let mut reader = BufReader::new(stream);
    let mut answer = String::new();
    reader.read_line(&mut answer)?;
    reader.read_to_string(&mut answer)?;
    Ok(answer)
}
