//! Binding, accepting, and handing over to another process. An accept error never ends a listener, and draining first takes what the kernel has queued.

mod accept;
mod bind;
mod takeover;

pub(crate) use accept::accept_loop;
pub(crate) use bind::{bind, ensure_vacant};
pub(crate) use takeover::{Incumbent, Newcomer};

#[cfg(test)]
mod tests_support {
    use crate::config::{Listener, ListenerLimits, ListenerTimeouts, PathRules, Protocols, Serve};

    pub(super) fn listener() -> Listener {
        Listener {
            name: "public".into(),
            bind: ([127, 0, 0, 1], 0).into(),
            serve: Serve::Proxy,
            protocols: Protocols { h1: true, h2: true },
            tls: None,
            trusted_proxies: Vec::new(),
            paths: PathRules::default(),
            proxy_protocol: false,
            timeouts: ListenerTimeouts::default(),
            limits: ListenerLimits::default(),
        }
    }
}
