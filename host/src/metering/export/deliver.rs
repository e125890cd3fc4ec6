//! Delivering a batch: until every event of it is with the sink, or known to be refused for good.
//!
//! A sink that refuses a batch for one event in it is asked again with ever smaller parts, so that the others reach it. What it
//! refuses alone is a suspect, and is tried again later. A suspect is dead, that is given up, when it was refused three times and the
//! sink has taken another event of the batch, so that it is not the sink that is wrong; or, where it took none, when it was refused for
//! ten minutes in which the sink was well. What the gateway knows to be in vain by itself is dead at once. The dead stay in the ledger, and
//! are in the log.

use std::collections::VecDeque;
use std::time::Duration;

use sluice_metering::event::Event;
use tokio::time::Instant;

use super::outcome::{Fate, Outcome, Trouble};
use super::pause::Pauses;
use super::pump::{Desk, Stopped};
use super::sender::Sender;

/// Refusals of a suspect before it is given up, if the sink takes others.
const HEARINGS: u32 = 3;

/// How long a suspect is tried, if the sink takes nothing else. Time in which the sink was away does not count.
const PATIENCE: Duration = Duration::from_secs(600);

const UNKNOWN: &str = "its meter is not configured any more, so nobody knows what its value means";

/// Events that the sink refuses alone, and why.
type Suspects = Vec<(Event, String)>;

/// What a sink said of events.
#[derive(Default)]
struct Heard {
    /// How many it took.
    accepted: usize,
    suspects: Suspects,
    /// There was an attempt of which nobody knows what became of it.
    in_trouble: bool,
}

/// Delivers events, in order but for suspects, which come after the others.
pub(super) async fn deliver(desk: &Desk, sender: &mut Sender, mut events: Vec<Event>) -> Result<(), Stopped> {
    let (mut pauses, mut accepted, mut since) = (Pauses::default(), 0, None);
    for hearing in 1.. {
        let heard = hear(desk, sender, events).await?;
        accepted += heard.accepted;
        let Some((_, reason)) = heard.suspects.first() else { return Ok(()) };
        if heard.in_trouble {
            since = None;
        }
        let refused_for = since.get_or_insert_with(Instant::now).elapsed();
        if hearing >= HEARINGS && (accepted > 0 || refused_for >= PATIENCE) {
            for (event, reason) in &heard.suspects {
                desk.bury(event, reason);
            }
            return Ok(());
        }
        desk.failed(reason);
        events = heard.suspects.into_iter().map(|(event, _)| event).collect();
        desk.sleep(pauses.next(None)).await?;
    }
    Ok(())
}

/// Sends all of them until the sink has said something of each.
async fn hear(desk: &Desk, sender: &mut Sender, events: Vec<Event>) -> Result<Heard, Stopped> {
    let (mut pauses, mut heard) = (Pauses::default(), Heard::default());
    let mut parts: VecDeque<Vec<Event>> = VecDeque::from([events]);
    while let Some(part) = parts.pop_front() {
        if part.is_empty() {
            continue;
        }
        let (whole, before) = (part.len(), heard.accepted);
        let (rest, trouble) = match attempt(desk, sender, &part).await? {
            Outcome::Accepted => {
                heard.accepted += whole;
                (Vec::new(), None)
            }
            Outcome::Refused(reason) => {
                split(part, reason, &mut parts, &mut heard.suspects);
                continue;
            }
            Outcome::Later(trouble) => (part, Some(trouble)),
            Outcome::Each(fates, trouble) => {
                let (taken, rest) = sort(desk, part, fates, &mut heard.suspects);
                heard.accepted += taken;
                (rest, trouble)
            }
        };
        if heard.accepted > before {
            desk.accepted(heard.accepted - before);
            pauses.reset();
        }
        if rest.is_empty() {
            continue;
        }
        let is_news = rest.len() < whole;
        parts.push_front(rest);
        let trouble = match trouble {
            None if is_news => continue,
            None => Trouble::new("it says nothing of any event"),
            Some(trouble) => trouble,
        };
        heard.in_trouble = true;
        desk.failed(&trouble.reason);
        desk.sleep(pauses.next(trouble.after)).await?;
    }
    Ok(heard)
}

/// One request with what is known of the events. One whose meter nobody knows is not sent.
async fn attempt(desk: &Desk, sender: &mut Sender, part: &[Event]) -> Result<Outcome, Stopped> {
    let records: Vec<_> = part.iter().map(|event| desk.directory().record(event)).collect();
    if records.iter().all(Option::is_some) {
        let records: Vec<_> = records.into_iter().flatten().collect();
        let now = desk.now();
        if !sender.is_interruptible() {
            return Ok(sender.send(&records, now).await);
        }
        return desk.unless_stopped(sender.send(&records, now)).await;
    }
    let fate = |known: bool| if known { Fate::Later } else { Fate::Dead(UNKNOWN) };
    Ok(Outcome::Each(records.iter().map(|record| fate(record.is_some())).collect(), None))
}

/// The halves are to be tried next; one alone is a suspect.
fn split(mut part: Vec<Event>, reason: String, parts: &mut VecDeque<Vec<Event>>, suspects: &mut Suspects) {
    if part.len() > 1 {
        let second = part.split_off(part.len() / 2);
        parts.push_front(second);
        parts.push_front(part);
        return;
    }
    suspects.extend(part.into_iter().map(|event| (event, reason.clone())));
}

/// How many of the events the sink has taken, and those that are for later.
fn sort(desk: &Desk, part: Vec<Event>, fates: Vec<Fate>, suspects: &mut Suspects) -> (usize, Vec<Event>) {
    let (mut accepted, mut rest) = (0, Vec::new());
    for (event, fate) in part.into_iter().zip(fates) {
        match fate {
            Fate::Accepted => accepted += 1,
            Fate::Refused(reason) => suspects.push((event, reason)),
            Fate::Dead(reason) => desk.bury(&event, reason),
            Fate::Later => rest.push(event),
        }
    }
    (accepted, rest)
}
