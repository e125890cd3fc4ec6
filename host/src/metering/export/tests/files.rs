//! Files: every event once, wherever the gateway is killed.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::ledger::{Ledger, event, id};
use super::{run, sink_to, status, within};
use crate::metering::export::{FileFormat, FileTarget, Sink, Target};

const PATIENCE: Duration = Duration::from_secs(60);

fn sink(directory: &Path, format: FileFormat) -> Sink {
    let target = Target::Files(FileTarget { directory: directory.to_owned(), format });
    Sink { interval: Duration::from_millis(20), batch: 10, ..sink_to(target) }
}

/// The names of the files there, but for those that begin with a dot.
fn files(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

/// The ids in all files, each of which begins with its one header.
fn ids(directory: &Path) -> Vec<String> {
    let mut ids = Vec::new();
    for name in files(directory) {
        let text = fs::read_to_string(directory.join(&name)).unwrap();
        assert!(text.ends_with("\r\n"), "{name}");
        let mut lines = text.lines();
        assert!(lines.next().unwrap().starts_with("id,time,"), "{name}");
        for line in lines {
            ids.push(line.split(',').next().unwrap().to_owned());
            assert_eq!(line.split(',').count(), 13, "{line}");
        }
    }
    ids
}

fn all(count: usize) -> Vec<String> {
    (0..count).map(id).collect()
}

/// Events around the midnight after the 23rd, as they may come: 13 hours after [`START`](super::START) less one.
fn around_midnight(ledger: &Ledger, count: usize) {
    let midnight: jiff::Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    for number in 0..count {
        let mut event = event(number);
        let seconds = i64::try_from(number).unwrap() - i64::try_from(count / 2).unwrap();
        event.at = midnight + jiff::SignedDuration::from_secs(seconds);
        ledger.add([event]);
    }
}

#[tokio::test]
async fn a_day_has_a_file() {
    let (directory, ledger) = (TempDir::new().unwrap(), Ledger::with(0));
    let path = directory.path().join("data/usage");
    around_midnight(&ledger, 50);
    let exports = run(&ledger, sink(&path, FileFormat::Csv)).await;
    within("all are written", PATIENCE, || ledger.at("sink") == 50).await;
    assert_eq!(files(&path), ["usage-2026-11-23.csv", "usage-2026-11-24.csv"]);
    assert_eq!(ids(&path), all(50));
    let first = fs::read_to_string(path.join("usage-2026-11-23.csv")).unwrap();
    assert_eq!(first.lines().count(), 26);
    assert_eq!((status(&exports).sent, status(&exports).failed), (50, 0));
    // One that comes late goes where it belongs.
    let mut late = event(50);
    late.at = "2026-11-23T23:00:00Z".parse().unwrap();
    ledger.add([late]);
    within("it is written", PATIENCE, || ledger.at("sink") == 51).await;
    let first = fs::read_to_string(path.join("usage-2026-11-23.csv")).unwrap();
    assert_eq!(first.lines().count(), 27);
}

#[tokio::test]
async fn lines_of_json_need_no_header() {
    let (directory, ledger) = (TempDir::new().unwrap(), Ledger::with(25));
    let _exports = run(&ledger, sink(directory.path(), FileFormat::Json)).await;
    within("all are written", PATIENCE, || ledger.at("sink") == 25).await;
    let text = fs::read_to_string(directory.path().join("usage-2026-11-23.jsonl")).unwrap();
    let ids: Vec<String> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(ids, all(25));
}

#[tokio::test]
async fn a_gateway_that_is_killed_anywhere_writes_every_event_once() {
    // Each batch of 10 has one advance, and one before it where a file is new.
    for lives in 0..9 {
        let (directory, ledger) = (TempDir::new().unwrap(), Ledger::with(0));
        around_midnight(&ledger, 50);
        ledger.kill_after(Some(lives));
        let killed = run(&ledger, sink(directory.path(), FileFormat::Csv)).await;
        within("it is as far as it gets", PATIENCE, || ledger.advances() == lives.min(7)).await;
        // Time enough to write what it does not live to tell.
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(killed);
        ledger.kill_after(None);
        let _exports = run(&ledger, sink(directory.path(), FileFormat::Csv)).await;
        within("all are written", PATIENCE, || ledger.at("sink") == 50).await;
        assert_eq!(ids(directory.path()), all(50), "{lives}");
    }
}

#[tokio::test]
async fn half_a_line_is_cut_off() {
    let (directory, ledger) = (TempDir::new().unwrap(), Ledger::with(20));
    let mut exports = run(&ledger, sink(directory.path(), FileFormat::Csv)).await;
    within("all are written", PATIENCE, || ledger.at("sink") == 20).await;
    exports.stop().await;
    let file = directory.path().join("usage-2026-11-23.csv");
    let whole = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{whole}edge-1/r20/tok")).unwrap();
    let mut exports = run(&ledger, sink(directory.path(), FileFormat::Csv)).await;
    within("it is cut", PATIENCE, || fs::read_to_string(&file).unwrap() == whole).await;
    ledger.add([event(20)]);
    within("it is written", PATIENCE, || ledger.at("sink") == 21).await;
    assert_eq!(ids(directory.path()), all(21));
    // Somebody takes the file away: the next event begins it anew.
    exports.stop().await;
    fs::remove_file(&file).unwrap();
    ledger.add([event(21)]);
    let _exports = run(&ledger, sink(directory.path(), FileFormat::Csv)).await;
    within("it is written", PATIENCE, || ledger.at("sink") == 22).await;
    assert_eq!(ids(directory.path()), [id(21)]);
}

#[tokio::test]
async fn what_a_ledger_from_a_backup_does_not_know_is_kept_beside_the_file() {
    let (directory, ledger) = (TempDir::new().unwrap(), Ledger::with(20));
    let mut exports = run(&ledger, sink(directory.path(), FileFormat::Csv)).await;
    within("all are written", PATIENCE, || ledger.at("sink") == 20).await;
    exports.stop().await;
    let name = "usage-2026-11-23.csv";
    let file = directory.path().join(name);
    let known = fs::read_to_string(&file).unwrap();
    // More than one batch, which is all that a gateway that was killed can have written and not told of.
    let lines: Vec<&str> = known.lines().skip(1).take(12).collect();
    let more = format!("{known}{}\r\n", lines.join("\r\n"));
    fs::write(&file, &more).unwrap();
    let _exports = run(&ledger, sink(directory.path(), FileFormat::Csv)).await;
    within("it is cut", PATIENCE, || fs::read_to_string(&file).unwrap() == known).await;
    let copy = format!("{name}.before-cut-1");
    assert_eq!(files(directory.path()), [name.to_owned(), copy.clone()]);
    assert_eq!(fs::read_to_string(directory.path().join(copy)).unwrap(), more);
}

#[tokio::test]
async fn files_of_another_ledger_or_directory_are_not_cut() {
    let (directory, ledger) = (TempDir::new().unwrap(), Ledger::with(20));
    let mut first = run(&ledger, sink(directory.path(), FileFormat::Csv)).await;
    within("all are written", PATIENCE, || ledger.at("sink") == 20).await;
    first.stop().await;
    // A new ledger, the same directory.
    let new = Arc::new(Ledger::default());
    new.add((20..30).map(event));
    let mut second = run(&new, sink(directory.path(), FileFormat::Csv)).await;
    within("all are written", PATIENCE, || new.at("sink") == 10).await;
    second.stop().await;
    assert_eq!(ids(directory.path()), all(30));
    // The old ledger, which remembers a shorter file of this name, elsewhere.
    let other = TempDir::new().unwrap();
    let name = "usage-2026-11-23.csv";
    fs::copy(directory.path().join(name), other.path().join(name)).unwrap();
    ledger.add([event(30)]);
    let _third = run(&ledger, sink(other.path(), FileFormat::Csv)).await;
    within("all are written", PATIENCE, || ledger.at("sink") == 21).await;
    assert_eq!((ids(other.path()), ids(directory.path())), (all(31), all(30)));
}

#[tokio::test]
async fn gateways_with_disks_of_their_own_leave_each_others_files_alone() {
    let (disks, ledger) = (TempDir::new().unwrap(), Ledger::with(20));
    let (a, b) = (disks.path().join("a"), disks.path().join("b"));
    fs::create_dir(&a).unwrap();
    fs::create_dir(&b).unwrap();
    // What is configured is the same for both.
    let path = disks.path().join("usage");
    let on = |disk: &Path| {
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink(disk, &path).unwrap();
    };
    for (disk, had) in [(&a, 20), (&b, 25), (&a, 27), (&b, 40), (&a, 41)] {
        on(disk);
        ledger.add((ledger.at("sink").max(20)..had).map(event));
        let mut exports = run(&ledger, sink(&path, FileFormat::Csv)).await;
        within("all are written", PATIENCE, || ledger.at("sink") == had).await;
        exports.stop().await;
        // It dies with lines that the ledger does not know of, which the other one writes then.
        let file = disk.join("usage-2026-11-23.csv");
        fs::write(&file, fs::read_to_string(&file).unwrap() + "edge-1/lost/tok").unwrap();
    }
    for (disk, next) in [(&a, 42), (&b, 43)] {
        on(disk);
        ledger.add([event(next - 1)]);
        let mut exports = run(&ledger, sink(&path, FileFormat::Csv)).await;
        within("all are written", PATIENCE, || ledger.at("sink") == next).await;
        exports.stop().await;
    }
    let ids_of = |parts: &[std::ops::Range<usize>]| -> Vec<String> {
        parts.iter().cloned().flatten().map(id).collect()
    };
    assert_eq!(ids(&a), ids_of(&[0..20, 25..27, 40..41, 41..42]));
    assert_eq!(ids(&b), ids_of(&[20..25, 27..40, 42..43]));
}

#[tokio::test]
async fn a_disk_that_is_mounted_late_is_taken_for_what_it_is() {
    let (disks, ledger) = (TempDir::new().unwrap(), Ledger::with(20));
    let path = disks.path().join("usage");
    let mut exports = run(&ledger, sink(&path, FileFormat::Csv)).await;
    within("all are written", PATIENCE, || ledger.at("sink") == 20).await;
    exports.stop().await;
    let real = disks.path().join("real");
    fs::rename(&path, &real).unwrap();
    // The gateway starts before the disk is there.
    ledger.add((20..22).map(event));
    let _exports = run(&ledger, sink(&path, FileFormat::Csv)).await;
    within("they are written", PATIENCE, || ledger.at("sink") == 22).await;
    let below = disks.path().join("below");
    fs::rename(&path, &below).unwrap();
    fs::rename(&real, &path).unwrap();
    ledger.add([event(22)]);
    within("it is written", PATIENCE, || ledger.at("sink") == 23).await;
    assert_eq!(ids(&below), [id(20), id(21)]);
    assert_eq!(ids(&path), [all(20), vec![id(22)]].concat());
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_waited_for() {
    let (directory, ledger) = (TempDir::new().unwrap(), Ledger::with(10));
    let path = directory.path().join("usage");
    fs::write(&path, "a file in its place").unwrap();
    let exports = run(&ledger, sink(&path, FileFormat::Csv)).await;
    within("it is noticed", PATIENCE, || status(&exports).failed > 0).await;
    fs::remove_file(&path).unwrap();
    within("all are written", PATIENCE, || ledger.at("sink") == 10).await;
    assert_eq!((ids(&path), status(&exports).dead), (all(10), 0));
}

#[tokio::test]
async fn a_batch_that_is_written_by_half_is_written_again_and_not_twice() {
    let (directory, ledger) = (TempDir::new().unwrap(), Ledger::with(0));
    around_midnight(&ledger, 8);
    // The file of the second day cannot be made.
    let in_the_way = directory.path().join("usage-2026-11-24.csv");
    fs::create_dir(&in_the_way).unwrap();
    let exports = run(&ledger, sink(directory.path(), FileFormat::Csv)).await;
    within("it is noticed", PATIENCE, || status(&exports).failed > 1).await;
    fs::remove_dir(&in_the_way).unwrap();
    within("all are written", PATIENCE, || ledger.at("sink") == 8).await;
    assert_eq!(ids(directory.path()), all(8));
}
