//! `sluice run --upgrade`: a new process takes over from the one that runs with the same configuration.

use std::cell::RefCell;
use std::net::TcpListener;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::GatewayError;
use crate::config::{self, Config, LedgerLocation};
use crate::listener::{Incumbent, Newcomer};

/// How often the place is tried where a process is about to leave it.
const AGAIN: Duration = Duration::from_millis(200);

/// The listening sockets, once more: whoever takes over gets them.
pub(super) type Sockets = Rc<RefCell<Vec<(super::control::Bound, TcpListener)>>>;

/// Asks the process that serves for its sockets.
pub(super) fn ask(path: &Path, config: &Config) -> Result<Newcomer, GatewayError> {
    let is_file = |ledger: &config::Ledger| matches!(ledger.location, LedgerLocation::Sqlite(_));
    if config.ledger.as_ref().is_some_and(is_file) {
        let message = "a ledger in a file belongs to one process at a time, so that none can take over while another \
                       drains\n\nhint: keep the ledger on PostgreSQL, or restart the gateway";
        return Err(GatewayError::Problems(format!("error: {message}")));
    }
    Newcomer::ask(path).map_err(|error| {
        match error.kind() {
        std::io::ErrorKind::ConnectionRefused => GatewayError::Problems(
            "error: there is no gateway to take over from that runs with this configuration\n\nhint: without \
             `--upgrade` one is started"
                .to_owned(),
        ),
        _ => GatewayError::Io { what: "cannot take over", source: error },
    }
    })
}

/// Tells the other process that this one serves.
pub(super) async fn finish(newcomer: Option<Newcomer>) -> Result<(), GatewayError> {
    let Some(newcomer) = newcomer else { return Ok(()) };
    let finished = tokio::task::spawn_blocking(move || newcomer.finish()).await;
    finished
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(super::io("the other gateway did not let go"))
}

/// Returns when another process serves in this one's place. Until then it has been offered the sockets whenever one asked.
pub(super) fn offer(path: &Path, sockets: &Sockets) -> impl Future<Output = ()> + use<> {
    let (path, sockets) = (path.to_owned(), Rc::downgrade(sockets));
    async move {
        let incumbent = loop {
            match Incumbent::new(&path) {
                Ok(incumbent) => break incumbent,
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
                Err(error) => {
                    tracing::warn!(%error, "no other process will be able to take over");
                    std::future::pending::<()>().await;
                }
            }
            tokio::time::sleep(AGAIN).await;
        };
        // The sockets belong to this thread, the wait to another.
        let (asked, mut questions) = tokio::sync::mpsc::channel::<oneshot::Sender<Vec<TcpListener>>>(1);
        let ask = move || {
            let (reply, answer) = oneshot::channel();
            asked.blocking_send(reply).ok().and_then(|()| answer.blocking_recv().ok()).unwrap_or_default()
        };
        // A thread of its own: it waits for as long as the process lives.
        let (done, ended) = oneshot::channel();
        let waiting = std::thread::Builder::new().name("takeover".to_owned()).spawn(move || {
            let _ = done.send(incumbent.wait(ask));
        });
        if let Err(error) = waiting {
            tracing::warn!(%error, "no other process will be able to take over");
        }
        let answering = async {
            while let Some(reply) = questions.recv().await {
                let Some(sockets) = sockets.upgrade() else { continue };
                let open =
                    sockets.borrow().iter().filter_map(|(_, socket)| socket.try_clone().ok()).collect();
                let _ = reply.send(open);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = ended => match ended {
                Ok(Ok(())) => {}
                _ => std::future::pending().await,
            },
            () = answering => {}
        }
    }
}
