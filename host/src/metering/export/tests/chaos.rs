//! Troubles, kills and reloads in any order: every event arrives, and in order.

use std::time::Duration;

use super::ledger::{Ledger, event, id};
use super::server::{Act, Server, answer};
use super::{means, run, sink, until};
use crate::metering::export::Sink;

/// Numbers that a seed decides.
struct Dice(u64);

impl Dice {
    /// Below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        // Knuth's constants; the high bits are good enough for a test.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn act(dice: &mut Dice) -> Act {
    match dice.roll(12) {
        0 => answer(500),
        1 => Act::Answer(429, "retry-after: 7\r\n", String::new()),
        2 => Act::Late(Duration::from_secs(dice.roll(30))),
        3 => Act::Cut,
        4 => Act::Drop,
        5 => answer(401),
        _ => answer(200),
    }
}

#[tokio::test(start_paused = true)]
async fn every_event_arrives_in_order_whatever_happens() {
    for seed in 0..40 {
        let (mut dice, mut theirs) = (Dice(seed), Dice(seed + 1000));
        let ledger = Ledger::with(100);
        let server = Server::start(move |_, _| act(&mut theirs)).await;
        let batched = |batch: u64| Sink { batch: usize::try_from(batch).unwrap(), ..sink(&server.url()) };
        let mut exports = run(&ledger, batched(7)).await;
        for part in 1..5 {
            tokio::time::sleep(Duration::from_millis(dice.roll(60_000))).await;
            ledger.add((part * 100..(part + 1) * 100).map(event));
            match dice.roll(4) {
                0 => exports.apply(vec![batched(1 + dice.roll(50))], &means()).await,
                1 => {
                    exports.stop().await;
                    exports = run(&ledger, batched(20)).await;
                }
                2 => {
                    // Killed: what it would have kept is not kept.
                    ledger.kill_after(Some(0));
                    tokio::time::sleep(Duration::from_millis(dice.roll(20_000))).await;
                    drop(exports);
                    ledger.kill_after(None);
                    exports = run(&ledger, batched(30)).await;
                }
                _ => ledger.fail(usize::try_from(dice.roll(10)).unwrap()),
            }
        }
        until("all are sent", || ledger.at("sink") == 500).await;
        assert_eq!(server.distinct(), (0..500).map(id).collect::<Vec<_>>(), "seed {seed}");
        exports.stop().await;
    }
}
