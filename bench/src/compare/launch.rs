//! Brings up a peer for a case, and takes the time.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::peer::{Peer, Start};
use super::process::Running;
use super::scenario::{Case, Load};
use super::{jwt, template, verify};
use crate::harness::{Connection, ports};

/// A peer's files for a case, from which it can be started any number of times.
pub(crate) struct Prepared<'a> {
    pub(crate) peer: Peer,
    case: &'a Case,
    program: PathBuf,
    pub(crate) directory: PathBuf,
    config: PathBuf,
    address: SocketAddr,
    origin: SocketAddr,
}

/// A peer that serves a case.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) directory: PathBuf,
    pub(crate) running: Running,
    /// From its start to its first answer.
    pub(crate) started_in: Duration,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(peer: Peer, case: &'a Case, origin: SocketAddr) -> Result<Self> {
        let program = peer.program().with_context(|| format!("{} is not installed", peer.name()))?;
        let directory = template::scratch().join("run").join(format!("{}-{}", slug(case), peer.word()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory)?;
        jwt::lay_out(case, &directory)?;
        let address = ports::free();
        let config = template::write(peer, case, &directory, address.port(), origin.port())?;
        Ok(Self { peer, case, program, directory, config, address, origin })
    }

    /// Starts it and waits for its first answer.
    pub(crate) fn launch(&self) -> Result<Proxy> {
        let start = Start {
            template: self.case.template,
            directory: &self.directory,
            config: &self.config,
            listen: self.address.port(),
            origin: self.origin.port(),
        };
        let begin = Instant::now();
        let mut running = Running::start(&mut self.peer.command(&self.program, &start), &self.directory)?;
        running.wait_until(|| is_up(self.case, self.address))?;
        let started_in = begin.elapsed();
        Ok(Proxy { address: self.address, directory: self.directory.clone(), running, started_in })
    }
}

/// Starts a peer with the case's configuration and checks what it does.
pub(crate) fn launch(peer: Peer, case: &Case, origin: SocketAddr) -> Result<Proxy> {
    let proxy = Prepared::new(peer, case, origin)?.launch()?;
    let said = || format!("it does not do the work; it said: {}", proxy.running.said());
    verify::verify(case, proxy.address).with_context(said)?;
    Ok(proxy)
}

/// Whether the first request gets its answer.
fn is_up(case: &Case, address: SocketAddr) -> bool {
    if case.load == Load::H2load {
        return Connection::try_open(address).is_ok();
    }
    let Some(request) = case.requests.first() else { return false };
    Connection::try_open(address)
        .and_then(|mut connection| {
            connection.try_send(request.bytes())?;
            connection.try_read(request.method)
        })
        .is_ok_and(|answer| answer.status == 200)
}

/// The case's name for a directory.
fn slug(case: &Case) -> String {
    let words = format!("{}-{}", case.template, case.name).to_lowercase();
    words.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '-' }).collect()
}
