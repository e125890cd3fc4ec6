//! The accept loop of one worker.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::net::{Drain, Permit, Permits};

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Accepts until draining starts, never holding more connections than there are permits: further ones wait in the kernel's
/// queue. `on_connection` keeps the permit for as long as the connection lasts.
pub(crate) async fn accept_loop(
    listener: TcpListener,
    permits: Permits,
    drain: Drain,
    on_connection: impl Fn(TcpStream, SocketAddr, Permit),
) {
    let mut draining = pin!(drain.wait());
    let mut pause = FIRST_PAUSE;
    loop {
        let permit = tokio::select! {
            biased;
            () = &mut draining => break,
            permit = permits.acquire() => permit,
        };
        let accepted = tokio::select! {
            biased;
            () = &mut draining => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                pause = FIRST_PAUSE;
                hand_over(stream, address, permit, &on_connection);
            }
            // One client that left before it was served says nothing about the next.
            Err(error) if is_about_one_client(&error) => {}
            // Out of descriptors or memory: trying at once would only burn the time that others need to finish.
            Err(error) => {
                tracing::warn!(%error, pause_ms = pause.as_millis(), "accepting connections fails, trying again");
                tokio::select! {
                    () = &mut draining => break,
                    () = sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
    take_the_queued(listener, &permits, &on_connection);
}

/// What the kernel has already accepted for this socket would be reset when it closes.
fn take_the_queued(
    listener: TcpListener,
    permits: &Permits,
    on_connection: &impl Fn(TcpStream, SocketAddr, Permit),
) {
    let Ok(listener) = listener.into_std() else { return };
    while let Some(permit) = permits.try_acquire() {
        match listener.accept() {
            Ok((stream, address)) => {
                let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                if let Ok(stream) = stream {
                    hand_over(stream, address, permit, on_connection);
                }
            }
            Err(error) if is_about_one_client(&error) => {}
            Err(_) => return,
        }
    }
}

fn hand_over(
    stream: TcpStream,
    address: SocketAddr,
    permit: Permit,
    on_connection: &impl Fn(TcpStream, SocketAddr, Permit),
) {
    // Inherited from the listener on Linux, so nothing is lost where this fails.
    if cfg!(not(target_os = "linux")) {
        let _ = stream.set_nodelay(true);
    }
    on_connection(stream, address, permit);
}

fn is_about_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use tokio::time::Instant;

    use super::*;
    use crate::listener::{bind, tests_support};

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(Default::default())
            .unwrap();
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), test).await.unwrap() });
    }

    struct House {
        address: SocketAddr,
        guests: Rc<RefCell<Vec<(TcpStream, Permit)>>>,
        permits: Permits,
        drain: Drain,
        task: tokio::task::JoinHandle<()>,
    }

    fn open(limit: usize) -> House {
        let socket = bind(&tests_support::listener(), 1).unwrap().remove(0);
        let address = socket.local_addr().unwrap();
        let (permits, drain) = (Permits::new(limit), Drain::new());
        let guests: Rc<RefCell<Vec<(TcpStream, Permit)>>> = Rc::default();
        let task = tokio::task::spawn_local(accept_loop(
            TcpListener::from_std(socket).unwrap(),
            permits.clone(),
            drain.clone(),
            {
                let guests = Rc::clone(&guests);
                move |stream, _, permit| guests.borrow_mut().push((stream, permit))
            },
        ));
        House { address, guests, permits, drain, task }
    }

    async fn until(condition: impl Fn() -> bool) {
        while !condition() {
            sleep(Duration::from_millis(1)).await;
        }
    }

    #[test]
    fn no_more_connections_than_permits_and_the_next_gets_a_place_that_is_freed() {
        run(async {
            let house = open(2);
            let mut clients = Vec::new();
            for _ in 0..3 {
                clients.push(TcpStream::connect(house.address).await.unwrap());
            }
            until(|| house.guests.borrow().len() == 2).await;
            assert_eq!(house.permits.in_use(), 2);
            assert!(house.guests.borrow()[0].0.nodelay().unwrap());
            let leaving = house.guests.borrow_mut().remove(0);
            drop(leaving);
            until(|| house.guests.borrow().len() == 2).await;
        });
    }

    #[test]
    fn draining_takes_what_is_queued_and_stops() {
        run(async {
            let house = open(10);
            tokio::task::yield_now().await;
            // Connected in the kernel, not yet seen by the loop, which has not run since.
            let clients: Vec<_> =
                (0..5).map(|_| std::net::TcpStream::connect(house.address).unwrap()).collect();
            house.drain.start(Instant::now());
            house.task.await.unwrap();
            assert_eq!(house.guests.borrow().len(), clients.len());
            assert!(TcpStream::connect(house.address).await.is_err());
        });
    }

    #[test]
    fn errors_about_one_client_are_told_from_a_lack_of_descriptors() {
        assert!(is_about_one_client(&io::Error::from(io::ErrorKind::ConnectionAborted)));
        assert!(!is_about_one_client(&io::Error::from_raw_os_error(libc::EMFILE)));
        assert!(!is_about_one_client(&io::Error::from_raw_os_error(libc::ENFILE)));
    }
}
