//! Opening the ledger and starting its thread.

use std::sync::Arc;
use std::time::Instant;

use sluice_metering::ledger::{Error, Ledger, Settings as LedgerSettings};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};

use super::{Batch, CLEAN, Clerk, Grants, Message, PAUSE};
use crate::metering::status::{Health, Status};
use crate::metering::{Lease, Settings};

/// What became of opening the ledger for the first time.
pub(crate) type Opened = oneshot::Receiver<Result<(), Error>>;

/// Starts the thread. It opens the ledger, and tries again where its server is away.
pub(crate) fn start(
    settings: Settings,
    open: LedgerSettings,
    status: Arc<Status>,
    lease: Arc<Lease>,
) -> std::io::Result<(mpsc::UnboundedSender<Message>, Opened)> {
    let (sender, inbox) = mpsc::unbounded_channel();
    let (tell, opened) = oneshot::channel();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let clerk = Clerk {
        settings,
        open,
        status,
        lease,
        ledger: None,
        grants: Grants::default(),
        batch: Batch::new(),
        asks: Vec::new(),
        published: None,
        pause: PAUSE.0,
        again: None,
        unsynced: None,
        epoch: 0,
        round: Instant::now(),
        clean: Instant::now() + CLEAN,
    };
    let run = move || runtime.block_on(clerk.run(tell, inbox));
    std::thread::Builder::new().name("ledger".to_owned()).spawn(run)?;
    Ok((sender, opened))
}

impl Clerk {
    async fn run(
        mut self,
        tell: oneshot::Sender<Result<(), Error>>,
        inbox: mpsc::UnboundedReceiver<Message>,
    ) {
        match self.try_open().await {
            Ok(()) => drop(tell.send(Ok(()))),
            Err(error) if error.is_transient() => {
                self.failed(&error);
                let _ = tell.send(Err(error));
            }
            Err(error) => {
                let _ = tell.send(Err(error));
                return;
            }
        }
        self.work(inbox).await;
    }

    /// Opens the ledger, unless it is open.
    pub(super) async fn try_open(&mut self) -> Result<(), Error> {
        if self.ledger.is_some() {
            return Ok(());
        }
        let mut ledger = Ledger::open(self.open.clone()).await?;
        let until = ledger.renew().await?;
        self.epoch = ledger.epoch();
        self.lease.set(until);
        self.ledger = Some(ledger);
        self.status.set(Health::Well, None);
        (self.pause, self.again) = (PAUSE.0, None::<Instant>);
        Ok(())
    }
}
