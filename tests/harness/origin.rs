//! Origins: what stands behind the gateway in a test, and what it received.

use std::io::{self, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::echo::{self, Received};

/// An origin that remembers.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<Arc<Received>>>,
}

impl Origin {
    /// The origin that answers with what it received, in JSON.
    pub(crate) fn echo() -> SocketAddr {
        echo::start("127.0.0.1:0").expect("an echo origin")
    }

    /// An origin that answers each request with what `answer` writes. An error closes the connection.
    pub(crate) fn new(
        answer: impl Fn(&Received, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::raw(move |mut stream, seen| {
            let mut reader = BufReader::new(stream.try_clone()?);
            while let Some(request) = echo::read(&mut reader)? {
                let request = Arc::new(request);
                seen.push(Arc::clone(&request));
                answer(&request, &mut stream)?;
            }
            Ok(())
        })
    }

    /// An origin that always answers with these bytes.
    pub(crate) fn always(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::new(move |_, stream| stream.write_all(&bytes))
    }

    /// An origin that has each connection for itself, from its first byte.
    pub(crate) fn raw(
        serve: impl Fn(TcpStream, &Recorder) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Seen::default());
        let recorder = Recorder(Arc::clone(&seen));
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                recorder.0.connections.fetch_add(1, Ordering::SeqCst);
                let (serve, recorder) = (Arc::clone(&serve), recorder.clone());
                let _ = stream.set_nodelay(true);
                thread::spawn(move || serve(stream, &recorder));
            }
        });
        Self { address, seen }
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// Requests read so far.
    pub(crate) fn requests(&self) -> Vec<Arc<Received>> {
        self.seen.lock().clone()
    }
}

/// Where a raw origin notes the requests that it read.
#[derive(Clone)]
pub(crate) struct Recorder(Arc<Seen>);

impl Recorder {
    pub(crate) fn push(&self, request: Arc<Received>) {
        self.0.lock().push(request);
    }
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Received>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
