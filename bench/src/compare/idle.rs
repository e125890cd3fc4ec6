//! `idle`: what a connection costs that waits for its next request.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::figures::mebibytes;
use super::launch::launch;
use super::load::Request;
use super::load::answer::{Answer, look};
use super::options::Options;
use super::peer::Peer;
use super::scenario::Case;
use super::{system, versions};
use crate::harness::wait;

/// What was freed goes back, what was begun ends.
const SETTLE: Duration = Duration::from_secs(1);

/// A table of all peers.
pub(crate) fn run(options: &Options, origin: SocketAddr) -> Result<String> {
    let count = if options.quick { 2_000 } else { 10_000 };
    let case = Case::new("idle", "plain", vec![Request::get("/128")]);
    let mut text = format!(
        "{count} connections that made one request each and stay open, as a plain proxy. Memory of the processes; what \
         the kernel keeps for a socket comes on top and is the same for all.\n\n\
         | peer | memory before MiB | with the connections MiB | KiB a connection |\n|---|--:|--:|--:|\n"
    );
    for peer in Peer::ALL.into_iter().filter(|peer| options.wants(*peer)) {
        if peer.template(case.template).is_some() {
            eprintln!("  idle: {}", peer.name());
            let row = measure(peer, &case, count, origin);
            let row =
                row.unwrap_or_else(|error| format!("**left out**: {error:#} | – | –").replace('\n', " "));
            let _ = writeln!(text, "| {} | {row} |", peer.name());
        }
    }
    Ok(text + "\n" + &versions(Peer::ALL.into_iter().filter(|peer| options.wants(*peer))))
}

fn measure(peer: Peer, case: &Case, count: usize, origin: SocketAddr) -> Result<String> {
    let proxy = launch(peer, case, origin)?;
    wait::pause(SETTLE);
    let before = system::memory(&proxy.running.tree());
    let connections: Vec<TcpStream> = (0..count)
        .map(|number| open(proxy.address).with_context(|| format!("connection {number}")))
        .collect::<Result<_>>()?;
    wait::pause(SETTLE);
    let after = system::memory(&proxy.running.tree());
    let gone = connections.iter().filter(|connection| is_closed(connection)).count();
    ensure!(gone == 0, "{gone} connections were closed");
    let each = after.saturating_sub(before) as f64 / 1024.0 / count as f64;
    Ok(format!("{} | {} | {each:.2}", mebibytes(before), mebibytes(after)))
}

/// A connection that got one answer.
fn open(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(&Request::get("/128").bytes())?;
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    while look(&bytes) == Answer::Partial {
        let count = stream.read(&mut piece)?;
        ensure!(count > 0, "closed");
        bytes.extend_from_slice(&piece[..count]);
    }
    ensure!(look(&bytes) == Answer::Whole { good: true }, "{}", String::from_utf8_lossy(&bytes));
    Ok(stream)
}

fn is_closed(stream: &TcpStream) -> bool {
    let mut byte = [0];
    stream.set_nonblocking(true).is_err() || stream.peek(&mut byte).is_ok()
}
