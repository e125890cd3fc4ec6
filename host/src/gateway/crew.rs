//! The workers as the control runtime sees them: whom to send what, and what has become of it.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::worker::{Cold, Command, NewSocket, Worker};
use crate::snapshot::Snapshot;

/// How often a worker that lacks an instance is asked to try once more.
const AGAIN: Duration = Duration::from_secs(1);

/// How long workers may take beyond the drain time for their connections' last words and their own.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// All workers. It outlives every reload, so that a reload that is cut short cannot lose one.
pub(super) struct Crew(Vec<Worker>);

impl Crew {
    pub(super) const fn new(workers: Vec<Worker>) -> Self {
        Self(workers)
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Has every worker take up a snapshot. `sockets` holds, for each new listener, one socket for each worker at least.
    pub(super) fn publish(
        &self,
        snapshot: &Arc<Snapshot>,
        mut sockets: Vec<(Arc<str>, Vec<std::net::TcpListener>)>,
    ) -> Rc<Board> {
        let senders = self.0.iter().map(|worker| worker.commands.clone()).collect();
        let board = Rc::new(Board::new(senders));
        for (index, worker) in self.0.iter().enumerate() {
            // One for each; of those that another process had, with more workers, some have several.
            let share = |left: &mut Vec<_>| {
                let count = left.len().div_ceil(self.0.len() - index);
                left.split_off(left.len() - count)
            };
            let own: Vec<NewSocket> = sockets
                .iter_mut()
                .flat_map(|(name, left)| share(left).into_iter().map(|socket| (Arc::clone(name), socket)))
                .collect();
            let (done, answer) = oneshot::channel();
            // To a worker that is gone it cannot be sent; the answer then says so.
            let _ =
                worker.commands.send(Command::Publish { snapshot: Arc::clone(snapshot), sockets: own, done });
            tokio::task::spawn_local(follow(Rc::downgrade(&board), index, answer));
        }
        board
    }

    /// Drains every worker, whatever it is doing, and waits until they have ended, but not for ever.
    pub(super) async fn stop(&self, drain: Duration) {
        for worker in &self.0 {
            worker.drain(drain);
        }
        let deadline = Instant::now() + drain + LAST_WORDS;
        for worker in &self.0 {
            if tokio::time::timeout_at(deadline, worker.commands.closed()).await.is_err() {
                tracing::warn!("not every worker ended within the drain time");
                return;
            }
        }
    }
}

/// What has become of one snapshot on every worker.
pub(crate) struct Board {
    workers: RefCell<Vec<(mpsc::UnboundedSender<Command>, Status)>>,
    changed: Notify,
}

/// A worker and one snapshot.
enum Status {
    /// It has not answered yet.
    Late,
    /// It serves the snapshot, with an instance of every step that denies without one.
    Warm,
    /// It serves the snapshot, but these plugins have no instance.
    Cold(Cold),
    /// It did not take it up.
    Failed,
}

impl Board {
    fn new(senders: Vec<mpsc::UnboundedSender<Command>>) -> Self {
        let workers = senders.into_iter().map(|sender| (sender, Status::Late)).collect();
        Self { workers: RefCell::new(workers), changed: Notify::new() }
    }

    /// Whether every worker is alive, has the snapshot, and has what its steps need.
    pub(super) fn is_warm(&self) -> bool {
        let workers = self.workers.borrow();
        workers.iter().all(|(commands, status)| matches!(status, Status::Warm) && !commands.is_closed())
    }

    /// What keeps the gateway from being ready, in words.
    pub(super) fn complaints(&self) -> Vec<String> {
        let workers = self.workers.borrow();
        let complaint = |(index, (commands, status)): (usize, &(mpsc::UnboundedSender<Command>, Status))| {
            Some(match status {
                _ if commands.is_closed() => format!("worker {index} is gone"),
                Status::Warm => return None,
                Status::Late => format!("worker {index} has not taken up the snapshot yet"),
                Status::Failed => format!("worker {index} could not take up the snapshot"),
                Status::Cold(plugins) => {
                    let names: Vec<&str> = plugins.iter().map(|name| &**name).collect();
                    format!("worker {index} has no instance of {}", names.join(", "))
                }
            })
        };
        workers.iter().enumerate().filter_map(complaint).collect()
    }

    /// Returns when every worker has answered.
    pub(super) async fn answered(&self) {
        while self.workers.borrow().iter().any(|(_, status)| matches!(status, Status::Late)) {
            self.changed.notified().await;
        }
    }

    fn set(&self, index: usize, status: Status) {
        self.workers.borrow_mut()[index].1 = status;
        self.changed.notify_one();
    }

    fn ask_again(&self, index: usize) -> oneshot::Receiver<Cold> {
        let (done, answer) = oneshot::channel();
        let _ = self.workers.borrow()[index].0.send(Command::Warm { done });
        answer
    }
}

/// Notes a worker's answers until it is warm, or until another snapshot is published.
async fn follow(board: Weak<Board>, index: usize, mut answer: oneshot::Receiver<Cold>) {
    loop {
        let answered = answer.await;
        let Some(here) = board.upgrade() else { return };
        match answered {
            Ok(cold) if cold.is_empty() => return here.set(index, Status::Warm),
            Ok(cold) => here.set(index, Status::Cold(cold)),
            Err(_) => return here.set(index, Status::Failed),
        }
        drop(here);
        tokio::time::sleep(AGAIN).await;
        let Some(here) = board.upgrade() else { return };
        answer = here.ask_again(index);
    }
}
