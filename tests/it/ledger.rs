//! The ledger under everything that can happen to it: a full disk, one that loses writes, a clock that is set, a process that is killed.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::faults::times;
use crate::harness::faulty_disk::{Fault, FaultyDisk, SetClock};
use crate::harness::metering::{Books, consumer, gateway, key, setup};
use crate::harness::{Connection, Gateway, Origin, config, wait};

fn text(ledger: &str, more: &str) -> String {
    gateway("sqlite:ledger.db", "[{ meter = \"requests\" }]")
        + "[meters.requests]\naggregation = \"count\"\n"
        + &consumer("acme", "")
        + &config::service(Origin::echo(), &["api-key", "meter"])
        + &format!("[ledger]\n{ledger}\n{more}")
}

fn ask(gateway: &Gateway) -> u16 {
    let (header, acme) = key("acme");
    gateway.get_with("/", &[(header, &acme)]).status
}

fn state(gateway: &Gateway, state: &str) -> bool {
    gateway.metrics().sum("sluice_ledger_state", &[("state", state)]) == 1.0
}

#[test]
fn while_the_disk_is_full_nothing_is_served_unrecorded_and_then_it_goes_on() {
    let (setup, disk) = FaultyDisk::under(setup(), "ledger.db");
    let gateway = setup.start(&text("timeout = \"300ms\"", ""));
    let books = Books::at(&gateway.path("ledger.db"));
    assert_eq!((ask(&gateway), ask(&gateway)), (200, 200));
    disk.fail(Fault::Full);
    let refused = gateway.get_with("/", &[(key("acme").0, &key("acme").1)]);
    assert_eq!(refused.status, 503);
    assert_eq!(refused.problem(503)["type"], "urn:sluice:problem:ledger-unavailable");
    wait::until("it is known", || state(&gateway, "failing"));
    gateway.wait_for_log(&["the ledger cannot be written", "disk is full"]);
    // From now on a request is refused before it reaches the upstream, and told when to come back.
    let refused = gateway.get_with("/", &[(key("acme").0, &key("acme").1)]);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    disk.mend();
    wait::until("it goes on", || ask(&gateway) == 200);
    let served = gateway.metrics().sum("sluice_ledger_events_total", &[("result", "written")]);
    assert_eq!(books.sum("acme", "requests"), served as i128);
    assert_eq!(books.sum("acme", "requests"), 3);
}

#[test]
fn where_that_is_allowed_requests_are_served_and_recorded_later() {
    let (setup, disk) = FaultyDisk::under(setup(), "ledger.db");
    let gateway = setup.start(&text("on_failure = \"allow\"\ntimeout = \"300ms\"", ""));
    let books = Books::at(&gateway.path("ledger.db"));
    assert_eq!(ask(&gateway), 200);
    disk.fail(Fault::Full);
    for _ in 0..10 {
        assert_eq!(ask(&gateway), 200);
    }
    assert_eq!(books.sum("acme", "requests"), 1);
    disk.mend();
    wait::until("all of it is recorded", || books.sum("acme", "requests") == 11);
}

#[test]
fn a_disk_that_loses_what_it_was_told_to_keep_ends_that_ledger_until_a_restart() {
    let (setup, disk) = FaultyDisk::under(setup(), "ledger.db");
    let mut gateway = setup.start(&text("durability = \"sync\"\ntimeout = \"300ms\"", ""));
    let books = Books::at(&gateway.path("ledger.db"));
    assert_eq!((ask(&gateway), ask(&gateway)), (200, 200));
    disk.fail(Fault::Fsync);
    assert_eq!(ask(&gateway), 503);
    wait::until("it is known", || state(&gateway, "failed"));
    gateway.wait_for_log(&["ERROR", "the ledger has failed"]);
    // That it can be written again proves nothing about what was written.
    disk.mend();
    for _ in 0..5 {
        assert_eq!(ask(&gateway), 503);
    }
    gateway.kill();
    gateway.restart(&[]).unwrap();
    assert_eq!(ask(&gateway), 200);
    // The two, perhaps the one whose fate was not known, and this one.
    assert!([3, 4].contains(&books.sum("acme", "requests")));
}

#[test]
fn a_failed_sync_in_the_background_ends_it_too() {
    let (setup, disk) = FaultyDisk::under(setup(), "ledger.db");
    let gateway = setup.start(&text("durability = \"group\"\nsync_interval = \"20ms\"", ""));
    assert_eq!(ask(&gateway), 200);
    disk.fail(Fault::Fsync);
    wait::until("it is known", || ask(&gateway) == 503 && state(&gateway, "failed"));
}

#[test]
fn a_clock_that_is_set_moves_usage_into_the_period_it_shows_and_loses_none() {
    let plan = "[plans.free]\ncharges = [{ meter = \"requests\", hard_quota = 10, per = \"hour\" }]\n";
    let text = text("", plan).replace("[consumers.acme]\n", "[consumers.acme]\nplan = \"free\"\n");
    let (setup, clock) = SetClock::of(setup());
    let gateway = setup.start(&text);
    let books = Books::at(&gateway.path("ledger.db"));
    let mut served = 0;
    for offset in [0, 3600, -3600, 0] {
        clock.set(offset);
        let passed = (0..15).filter(|_| ask(&gateway) == 200).count();
        served += passed;
        // Each hour has its own quota, and the first one is used up when the clock comes back. Unless an hour ends just now.
        assert!(passed <= 20, "{offset}: {passed}");
    }
    assert!((30..=40).contains(&served), "{served}");
    assert_eq!(books.sum("acme", "requests"), served as i128);
}

/// What clients know: how many answers they have read whole.
struct Load<'a> {
    gateway: &'a Gateway,
    answered: AtomicU64,
    /// Ids of requests that were answered.
    ids: Mutex<HashSet<String>>,
    over: AtomicBool,
}

impl Load<'_> {
    /// One client's requests, until the gateway is gone.
    fn run(&self) {
        let (header, acme) = key("acme");
        let Ok(mut client) = Connection::try_open(self.gateway.public) else { return };
        while !self.over.load(Ordering::Relaxed) {
            let Ok(answer) = client.try_request("GET", "/", &[(header, &acme)], b"") else { return };
            assert_eq!(answer.status, 200);
            self.answered.fetch_add(1, Ordering::SeqCst);
            let id = answer.header("x-request-id").expect("an id").to_owned();
            assert!(self.ids.lock().unwrap().insert(id));
        }
    }
}

/// Runs clients until `end` has ended the gateway; the ids of all requests that were answered.
fn load(gateway: &mut Gateway, end: impl FnOnce(u32, &AtomicU64)) -> HashSet<String> {
    let id = gateway.id();
    let load =
        Load { gateway, answered: AtomicU64::new(0), ids: Mutex::default(), over: AtomicBool::new(false) };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| load.run());
        }
        end(id, &load.answered);
        load.over.store(true, Ordering::Relaxed);
    });
    load.ids.into_inner().unwrap()
}

/// Every request that was answered is in the ledger once; and what is in the ledger adds up.
fn assert_whole(books: &Books, answered: &HashSet<String>) {
    let (recorded, checked) = books.ask(async |reader| {
        let (mut recorded, mut cursor) = (Vec::new(), Default::default());
        loop {
            let (events, next) = reader.events(cursor, 1000).await.unwrap();
            if events.is_empty() {
                break;
            }
            recorded.extend(events.into_iter().map(|exported| exported.event.request.to_string()));
            cursor = next;
        }
        (recorded, reader.check().await.unwrap())
    });
    assert!(checked.problems.is_empty(), "{:?}", checked.problems);
    let unique: HashSet<&str> = recorded.iter().map(String::as_str).collect();
    assert_eq!(unique.len(), recorded.len(), "an event is there twice");
    let lost: Vec<&String> = answered.iter().filter(|id| !unique.contains(id.as_str())).collect();
    assert!(lost.is_empty(), "{} of {} answered requests are lost: {lost:?}", lost.len(), answered.len());
    assert_eq!(books.sum("acme", "requests"), recorded.len() as i128);
}

#[test]
fn killed_at_any_moment_it_has_lost_nothing_that_was_answered() {
    let mut gateway = setup().start(&text("", ""));
    let books = Books::at(&gateway.path("ledger.db"));
    let mut answered = HashSet::new();
    for round in 0..times(200) {
        // A moment that differs from round to round, and does not depend on what the gateway is doing.
        let moment = Duration::from_micros(1_000 + (round as u64 * 7_919) % 60_000);
        answered.extend(load(&mut gateway, |id, count| {
            wait::until("clients are served", || count.load(Ordering::SeqCst) > 0);
            wait::pause(moment);
            kill(id);
        }));
        gateway.kill();
        gateway.restart(&[]).unwrap();
        assert_whole(&books, &answered);
    }
}

fn kill(id: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn killed_at_every_step_of_the_ledger_it_has_lost_nothing_that_was_answered() {
    let mut gateway = setup().start(&text("retention = \"35d\"", ""));
    let books = Books::at(&gateway.path("ledger.db"));
    gateway.kill();
    let (mut answered, mut reached) = (HashSet::new(), 0);
    for point in sluice_metering::failpoint::ALL {
        for hit in [1, 3] {
            let failpoint = format!("{point}:{hit}");
            // Some points are reached while it starts.
            if gateway.restart(&[("SLUICE_FAILPOINT", &failpoint)]).is_ok() {
                // Those that this load does not come to are the ledger's own tests' matter.
                answered.extend(load(&mut gateway, |id, _| {
                    wait::happens(Duration::from_secs(2), || !is_alive(id));
                }));
            }
            // Its threads end one after the other.
            reached += usize::from(wait::happens(Duration::from_millis(200), || !gateway.is_running()));
            gateway.kill();
            gateway.restart(&[]).unwrap();
            assert_whole(&books, &answered);
            gateway.kill();
        }
    }
    assert!(reached >= 6, "the load came to {reached} points");
}

/// Whether a process runs; one that has ended and was not waited for does not.
fn is_alive(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.starts_with('Z') && !rest.is_empty())
}
