//! `kill -9` at every point and at any moment: what was acknowledged is there, once, and the books agree.
//!
//! This program runs itself as a child that writes and acknowledges each batch on its output; the parent kills it, or it kills itself at a
//! failpoint. The same ledger goes through all of its deaths.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use sluice_metering::failpoint;
use sluice_metering::ledger::{
    Backend, Cursor, Durability, Entry, Ledger, Retention, Settings, Subscription, TopUp,
};

use crate::backend::{BOTH, Place, Which, at, credit, day, events, noon, on, paid, want};

/// A ledger's settings for the child, in its environment.
const PLACE: &str = "SLUICE_TEST_LEDGER";

/// The test that the child is, in an environment of its own.
const CHILD: &str = "kill::killed_at_every_failpoint_nothing_is_lost_and_nothing_counts_twice";

/// Which life of the child this is: it has requests of its own.
const LIFE: &str = "SLUICE_TEST_LIFE";

fn batch(life: &str, number: usize) -> Vec<Entry> {
    let entries = (0..5).map(|i| {
        let mut entry = paid(&format!("{life}-{number}-{i}"), 2, 1);
        entry.quotas = vec![(day("acme"), 1)];
        entry.event.subject = Some([u8::try_from(i).unwrap(); 16]);
        // Some are of long ago, so that there is something to compact and to delete.
        if i == 0 {
            entry.event.at = at("2026-01-05T10:30:00Z");
        }
        entry
    });
    entries.collect()
}

/// The child, if this is it: writes until it is killed.
fn live_if_told() {
    let told = |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
    let (Some(place), Some(life)) = (told(PLACE), told(LIFE)) else { return };
    let backend = match place.strip_prefix("sqlite:") {
        Some(path) => Backend::Sqlite { path: path.into() },
        None => Backend::Postgres { config: place, connector: None },
    };
    let settings = Settings {
        backend,
        durability: Durability::Group,
        gateway: "edge-1".into(),
        lease: Duration::from_secs(10),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(live(settings, &life));
}

async fn live(settings: Settings, life: &str) {
    let mut ledger = Ledger::open(settings).await.unwrap();
    let say = |text: String| std::io::stderr().write_all(text.as_bytes()).unwrap();
    let mut reader = sluice_metering::ledger::Reader::open(ledger.settings()).await.unwrap();
    for number in 0.. {
        let wants = [want(day("acme"), 1_000_000, 5), want(credit("acme"), 0, 1)];
        ledger.acquire(&wants).await.unwrap();
        let written = ledger.write(&batch(life, number)).await.unwrap();
        assert!(written.iter().all(|written| written.fresh));
        for i in 0..5 {
            say(format!("event {life}-{number}-{i}\n"));
        }
        let id = format!("{life}-{number}");
        let top_up = TopUp { id: id.clone(), consumer: "acme".into(), amount: 7, at: noon(), expires: None };
        assert!(ledger.top_up(&top_up).await.unwrap());
        say(format!("credit {id}\n"));
        let plan = Subscription {
            consumer: "acme".into(),
            plan: format!("plan {}", number % 3).into(),
            since: None,
            grant: Some((3, None)),
        };
        ledger.subscribe(&[plan], noon()).await.unwrap();
        let (cursor, _) = reader.cursor("bus").await.unwrap();
        let (events, to) = reader.events(cursor, 3).await.unwrap();
        assert!(ledger.advance("bus", (cursor, ""), (to, "")).await.unwrap());
        for event in events {
            say(format!("exported {}\n", event.event.request));
        }
        let month = Duration::from_secs(30 * 86_400);
        let retention = Retention { events: month, hours: month, piece: 3 };
        ledger.maintain(&retention, &["bus"], noon()).await.unwrap();
        ledger.sync().await.unwrap();
    }
}

struct Life {
    child: Child,
}

fn start(place: &Place, which: Which, life: &str, failpoint: Option<&str>) -> Life {
    let url = match place.settings("edge-1").backend {
        Backend::Sqlite { path } => format!("sqlite:{}", path.display()),
        Backend::Postgres { config, .. } => config,
    };
    assert_eq!(which == Which::Sqlite, url.starts_with("sqlite:"));
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture", CHILD])
        .env(PLACE, url)
        .env(LIFE, life)
        .env_remove("SLUICE_FAILPOINT")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if let Some(failpoint) = failpoint {
        command.env("SLUICE_FAILPOINT", failpoint);
    }
    Life { child: command.spawn().unwrap() }
}

/// What it said before it died.
#[derive(Default)]
struct Said {
    events: BTreeSet<String>,
    credits: BTreeSet<String>,
    exported: BTreeSet<String>,
    other: String,
}

impl Said {
    fn hear(&mut self, line: String) {
        if let Some(id) = line.strip_prefix("event ") {
            assert!(self.events.insert(id.to_owned()));
        } else if let Some(id) = line.strip_prefix("credit ") {
            self.credits.insert(id.to_owned());
        } else if let Some(id) = line.strip_prefix("exported ") {
            self.exported.insert(id.to_owned());
        } else {
            self.other.push_str(&line);
            self.other.push('\n');
        }
    }
}

impl Life {
    /// Until it has said this many lines, or all that it says.
    fn listen(&mut self, said: &mut Said, lines: usize) {
        let mut output = BufReader::new(self.child.stderr.take().unwrap());
        let mut line = String::new();
        for number in 0.. {
            if number == lines {
                self.child.kill().unwrap();
            }
            line.clear();
            // The last line may be cut off.
            if output.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
                break;
            }
            said.hear(line.trim_end().to_owned());
        }
    }

    fn end(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

/// After each death: all that was said is there, nothing twice, and the books agree.
async fn examine(place: &Place, said: &Said, deaths: &str) {
    let mut ledger = place.ledger().await;
    let checked = ledger.check().await.unwrap();
    assert_eq!(checked.problems, Vec::<String>::new(), "after {deaths}");
    let mut reader = place.reader().await;
    let (kept, _) = events(&mut reader, Cursor::default(), usize::try_from(checked.events).unwrap()).await;
    let ids: Vec<_> = kept.iter().map(|event| event.event.request.to_string()).collect();
    let set: BTreeSet<_> = ids.iter().cloned().collect();
    assert_eq!(set.len(), ids.len(), "after {deaths}: something is there twice");
    // Those of long ago may have been deleted, once they were exported.
    let lost = |id: &&String| !set.contains(*id) && !id.ends_with("-0");
    assert_eq!(said.events.iter().find(lost), None, "after {deaths}");
    let credits = reader.balance("acme", noon()).await.unwrap().credits;
    let credits: BTreeSet<_> = credits.into_iter().map(|credit| credit.id).collect();
    assert_eq!(said.credits.iter().find(|id| !credits.contains(*id)), None, "after {deaths}");
    assert_eq!(
        reader.subscribed().await.unwrap().len(),
        usize::from(!said.credits.is_empty()),
        "after {deaths}"
    );
    // What a life had reserved is free again.
    let wants = [want(day("acme"), 1_000_000, 1)];
    let spent =
        reader.spent("acme", "tokens", sluice_metering::period::Every::Day.containing(noon())).await.unwrap();
    assert_eq!(ledger.acquire(&wants).await.unwrap()[0].left, 1_000_000 - spent, "after {deaths}");
    // Their connections end when the runtime next looks at what was dropped, and it will not while we wait for a child.
    drop((ledger, reader));
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn killed_at_every_failpoint_nothing_is_lost_and_nothing_counts_twice() {
    live_if_told();
    for which in BOTH {
        on(which, async |place| {
            let mut said = Said::default();
            for (n, point) in failpoint::ALL.iter().enumerate() {
                let is_of_files = matches!(*point, "ledger.sync" | "ledger.checkpoint");
                if is_of_files && which == Which::Postgres {
                    continue;
                }
                // The checkpoint is that of the opening.
                for hit in if *point == "ledger.checkpoint" { [1, 1] } else { [2, 5] } {
                    let death = format!("{point}:{hit}");
                    let mut life = start(&place, which, &format!("{n}x{hit}"), Some(&death));
                    life.listen(&mut said, usize::MAX);
                    let status = life.end();
                    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
                    assert_eq!(signal, Some(9), "{death}: {status}\n{}", said.other);
                    examine(&place, &said, &death).await;
                }
            }
            assert!(said.events.len() > 100 && said.exported.len() > 20);
        });
    }
}

#[test]
fn killed_at_any_moment_nothing_is_lost_and_nothing_counts_twice() {
    for (which, deaths) in [(Which::Sqlite, 15), (Which::Postgres, 8)] {
        on(which, async |place| {
            let mut said = Said::default();
            let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
            for n in 0..deaths {
                let lines = random.random_range(0..80);
                let mut life = start(&place, which, &format!("r{n}"), None);
                life.listen(&mut said, lines);
                life.end();
                examine(&place, &said, &format!("{lines} lines of life {n}")).await;
            }
            assert!(said.events.len() > 100, "{}", said.other);
        });
    }
}
