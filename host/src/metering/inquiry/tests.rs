//! The thread that reads, without a gateway around it.

use std::time::Instant;

use sluice_metering::ledger::{Backend, Durability, Ledger};

use super::*;

fn question() -> Question {
    Question::Usage(sluice_metering::ledger::UsageQuery::all(Timestamp::UNIX_EPOCH, Timestamp::MAX))
}

#[tokio::test]
async fn a_ledger_that_comes_later_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let settings = LedgerSettings {
        backend: Backend::Sqlite { path: directory.path().join("ledger.db") },
        durability: Durability::Group,
        gateway: "gw".into(),
        lease: LedgerSettings::LEASE,
    };
    let inquiries = Inquiries::start(settings.clone(), Arc::default()).unwrap();
    let catalog = Arc::new(Catalog::default());
    let refused = inquiries.ask(Asker::Operator, question(), &catalog).await;
    assert!(matches!(refused, Err(Refused::Ledger(_))), "{refused:?}");
    let _ledger = Ledger::open(settings).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match inquiries.ask(Asker::Consumer, question(), &catalog).await {
            Ok(document) => break assert!(document.text.contains("\"rows\": []"), "{}", document.text),
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_finds_the_queue_full_is_not_kept_waiting() {
    let ((operators, mut first), (consumers, _second)) = (mpsc::channel(1), mpsc::channel(1));
    let inquiries = Inquiries { operators, consumers, tariff: Arc::default() };
    let catalog = Arc::new(Catalog::default());
    let mut waiting = std::pin::pin!(inquiries.ask(Asker::Consumer, question(), &catalog));
    std::future::poll_fn(|cx| {
        assert!(waiting.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    assert_eq!(inquiries.ask(Asker::Consumer, question(), &catalog).await, Err(Refused::Busy));
    // Consumers who ask a lot do not keep operators out.
    let answer = async {
        let inquiry = first.recv().await.unwrap();
        inquiry.reply.send(Err(Refused::Unrated("seen".to_owned()))).unwrap();
    };
    let (asked, ()) = tokio::join!(inquiries.ask(Asker::Operator, question(), &catalog), answer);
    assert_eq!(asked, Err(Refused::Unrated("seen".to_owned())));
}
