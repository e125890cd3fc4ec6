//! Upstreams as one worker sees them: which target is next, its idle connections, and when a request may be sent again.

mod balance;
mod error;
mod h2;
mod head;
mod incoming;
mod lease;
mod line;
mod request;
mod target;
mod upload;
mod wait;

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;

use http::{Request, Response};
use tokio::time::Instant;

use crate::body::Body;
use crate::config;
use balance::Rotation;
use lease::Failed;
use target::{Policy, Target};

pub(crate) use error::{UpstreamError, UpstreamErrorKind};
pub(crate) use wait::Wait;

/// The upstreams of one worker. What a reload leaves as it was keeps its connections.
#[derive(Default)]
pub(crate) struct Upstreams {
    by_name: RefCell<HashMap<Arc<str>, Rc<Upstream>>>,
}

impl Upstreams {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Makes these the worker's upstreams. Exchanges that hold one that is gone finish on it.
    pub(crate) fn reconcile<'a>(&self, configs: impl IntoIterator<Item = &'a Arc<config::Upstream>>) {
        let old = self.by_name.take();
        let new = configs.into_iter().map(|config| {
            let upstream = match old.get(&config.name) {
                Some(same) if same.config == *config => Rc::clone(same),
                before => Rc::new(Upstream::new(Arc::clone(config), before.map(Rc::as_ref))),
            };
            (Arc::clone(&config.name), upstream)
        });
        self.by_name.replace(new.collect());
    }

    pub(crate) fn get(&self, name: &str) -> Option<Rc<Upstream>> {
        self.by_name.borrow().get(name).cloned()
    }
}

/// A service and the targets that it runs on.
pub(crate) struct Upstream {
    config: Arc<config::Upstream>,
    targets: Vec<Rc<Target>>,
    rotation: Rotation,
    place: Cell<usize>,
}

/// A response, and where it came from.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<Body>,
    /// `host:port`.
    pub(crate) target: Arc<str>,
    /// The connection had carried an exchange before.
    pub(crate) reused: bool,
    /// When its head was there.
    pub(crate) at: Instant,
}

impl Upstream {
    fn new(config: Arc<config::Upstream>, before: Option<&Self>) -> Self {
        let policy = Policy {
            connect: config.timeouts.connect,
            idle: config.timeouts.idle,
            max_idle: config.max_idle,
        };
        // Connections of another protocol are of no use.
        let before = before.filter(|before| before.config.protocol == config.protocol);
        // Thousands of targets may stay: looked up, not searched for.
        let known: HashMap<(&str, u16), &Rc<Target>> = before
            .into_iter()
            .flat_map(|before| before.config.targets.iter().zip(&before.targets))
            .map(|(config, target)| ((config.host.as_str(), config.port), target))
            .collect();
        let targets =
            config.targets.iter().map(|target| match known.get(&(target.host.as_str(), target.port)) {
                Some(kept) => {
                    kept.set_policy(policy);
                    Rc::clone(kept)
                }
                None => Rc::new(Target::new(target, policy)),
            });
        let targets = targets.collect();
        let weights: Vec<u32> = config.targets.iter().map(|target| target.weight).collect();
        let rotation = Rotation::new(&weights);
        // Workers start at different places, or the first target would get the first request of each.
        let start = usize::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or_default();
        Self { place: Cell::new(start % rotation.len().max(1)), rotation, targets, config }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.config.name
    }

    /// What a request to it has in `Host` that nobody else has asked for: its first target.
    pub(crate) fn authority(&self) -> String {
        let Some(config::Target { host, port, .. }) = self.config.targets.first() else {
            return String::new();
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        if *port == 80 { host } else { format!("{host}:{port}") }
    }

    /// Idle connections to all targets.
    #[cfg(test)]
    pub(crate) fn idle(&self) -> usize {
        self.targets.iter().map(|target| target.idle()).sum()
    }

    /// Sends a prepared request and waits for the response head. Dropping the future, or the response before its end, closes the
    /// connection. What the target says before that head is told to `wait`.
    ///
    /// A target that cannot be connected to gives way to the next one, once round. Nothing else is tried twice, save what a stale
    /// connection lost: see `Lease::send`.
    pub(crate) async fn send(
        &self,
        mut request: Request<Body>,
        wait: impl Into<Wait<'_>>,
        now: Instant,
    ) -> Result<Answer, UpstreamError> {
        let wait = wait.into();
        request::frame(&mut request, self.config.protocol);
        let first = self.next();
        let mut last = None;
        for step in 0..self.targets.len() {
            let target = &self.targets[(first + step) % self.targets.len()];
            // The time that another took to fail is not this one's.
            let now = if step == 0 { now } else { Instant::now() };
            match self.send_to(target, request, wait, now).await {
                Ok(answer) => return Ok(answer),
                Err(Failed { error, request: None }) => return Err(error),
                Err(Failed { error, request: Some(again) }) => {
                    last = Some(error);
                    request = again;
                }
            }
        }
        Err(last.unwrap_or_else(|| UpstreamError::new(UpstreamErrorKind::NoTarget, None)))
    }

    fn next(&self) -> usize {
        if self.rotation.len() == 0 {
            return 0;
        }
        let place = self.place.get();
        self.place.set((place + 1) % self.rotation.len());
        self.rotation.at(place)
    }

    async fn send_to(
        &self,
        target: &Rc<Target>,
        mut request: Request<Body>,
        wait: Wait<'_>,
        now: Instant,
    ) -> Result<Answer, Failed> {
        if self.config.protocol == config::UpstreamProtocol::H2 {
            return self.send_shared(target, request, wait, now).await;
        }
        let patience = self.config.timeouts.request;
        let answer = |(response, at), reused| {
            let target = Arc::clone(target.authority());
            Answer { response, target, reused, at }
        };
        if let Some(lease) = target.take(now) {
            match lease.send(request, (now, patience), true, target, wait).await {
                Ok(response) => return Ok(answer(response, true)),
                // Stale. Another idle connection may be stale as well, a new one is not.
                Err(Failed { request: Some(again), .. }) => request = again,
                Err(failed) => return Err(failed),
            }
        }
        match target.connect().await {
            Ok(lease) => lease
                .send(request, (Instant::now(), patience), false, target, wait)
                .await
                .map(|response| answer(response, false)),
            Err(error) => Err(Failed { error, request: Some(request) }),
        }
    }

    /// Over a connection that other exchanges use at the same time. A request that the target has not looked at, because it told the
    /// connection to go away or has too much to do, is sent once more.
    async fn send_shared(
        &self,
        target: &Rc<Target>,
        mut request: Request<Body>,
        wait: Wait<'_>,
        mut now: Instant,
    ) -> Result<Answer, Failed> {
        let patience = self.config.timeouts.request;
        let mut is_second = false;
        loop {
            let connection = match target.share().await {
                Ok(connection) => connection,
                Err(error) => return Err(Failed { error, request: Some(request) }),
            };
            match h2::send(&connection, request, (now, patience), target, wait).await {
                Ok((response, reused, at)) => {
                    return Ok(Answer { response, target: Arc::clone(target.authority()), reused, at });
                }
                Err(Failed { request: Some(again), .. }) if !is_second => request = again,
                Err(failed) => return Err(failed),
            }
            (is_second, now) = (true, Instant::now());
        }
    }
}
