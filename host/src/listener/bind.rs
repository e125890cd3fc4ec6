//! One listening socket per worker on the same address: the kernel spreads connections over them.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::Listener;

const BACKLOG: i32 = 4096;

/// Binds `workers` sockets. With port 0 they all get the port of the first.
pub(crate) fn bind(listener: &Listener, workers: usize) -> io::Result<Vec<TcpListener>> {
    let mut sockets: Vec<TcpListener> = Vec::with_capacity(workers);
    for _ in 0..workers {
        let address = match sockets.first() {
            Some(first) => first.local_addr()?,
            None => listener.bind,
        };
        sockets.push(socket(address)?);
    }
    Ok(sockets)
}

/// Fails if someone listens on the address. `SO_REUSEPORT` alone would let two gateways share it, each answering
/// some of the connections, which nobody who starts a second one by mistake would notice.
pub(crate) fn ensure_vacant(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

fn socket(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // Accepted sockets inherit it on Linux, which saves a call per connection.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::tests_support::listener;

    #[test]
    fn an_address_is_vacant_until_someone_listens_and_again_afterwards() {
        let sockets = bind(&listener(), 2).unwrap();
        let address = sockets[0].local_addr().unwrap();
        assert_eq!(ensure_vacant(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(sockets);
        ensure_vacant(address).unwrap();
        bind(&Listener { bind: address, ..listener() }, 2).unwrap();
    }

    #[test]
    fn workers_share_one_address() {
        let sockets = bind(&listener(), 3).unwrap();
        let ports: Vec<u16> = sockets.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
        assert_eq!(ports.len(), 3);
        assert!(ports[0] != 0 && ports.iter().all(|port| *port == ports[0]));
    }
}
