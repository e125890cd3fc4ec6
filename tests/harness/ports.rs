//! Free ports, below the range from which the system takes ports for outgoing connections.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 18_000;
const RANGE: u16 = 14_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// An address on loopback that nobody listens on and that this process gives out once.
pub(crate) fn free() -> SocketAddr {
    // Processes that run side by side start at different places.
    let start = u16::try_from(std::process::id() % 140 * 100).expect("below the range");
    for _ in 0..RANGE {
        let port = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % RANGE;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port");
}
