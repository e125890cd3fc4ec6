//! Requests of one event each, several at a time: those of one customer and meter one after the other, as Stripe wants it
//! (<https://docs.stripe.com/billing/subscriptions/usage-based/recording-usage-api#rate-limits>).

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use jiff::Timestamp;
use tokio::task::JoinSet;

use super::{Http, verdict};
use crate::metering::export::outcome::{Fate, Outcome, Trouble};
use crate::metering::export::settings::HttpFormat;

/// Requests under way.
const LANES: usize = 16;

/// What to do for one event.
pub(super) enum Job {
    Send {
        /// The customer and the meter.
        lane: (String, String),
        request: Box<Request<Bytes>>,
    },
    /// It is not worth asking.
    Dead(&'static str),
}

type Lane = Vec<(usize, Request<Bytes>)>;

/// What became of the events of a lane.
#[derive(Default)]
struct Told {
    fates: Vec<(usize, Fate)>,
    trouble: Option<Trouble>,
    kept: u64,
}

/// What became of each, and how many answers the server may keep for their idempotency key.
pub(super) async fn run(http: &Http, jobs: Vec<Job>, timeout: Duration, now: Timestamp) -> (Outcome, u64) {
    let mut fates = vec![Fate::Later; jobs.len()];
    let mut lanes: Vec<Lane> = Vec::new();
    let mut places = HashMap::new();
    for (index, job) in jobs.into_iter().enumerate() {
        match job {
            Job::Dead(reason) => fates[index] = Fate::Dead(reason),
            Job::Send { lane, request } => {
                let place = *places.entry(lane).or_insert_with(|| {
                    lanes.push(Lane::new());
                    lanes.len() - 1
                });
                lanes[place].push((index, *request));
            }
        }
    }
    let (mut waiting, mut running) = (VecDeque::from(lanes), JoinSet::new());
    let (mut trouble, mut kept) = (None, 0);
    loop {
        // As soon as one lane is in trouble, none is begun: most often all would be.
        while trouble.is_none() && running.len() < LANES {
            let Some(lane) = waiting.pop_front() else { break };
            running.spawn(walk(http.clone(), lane, timeout, now));
        }
        let Some(told) = running.join_next().await else { break };
        let Told { fates: told, trouble: new, kept: more } = told.unwrap_or_else(|error| Told {
            trouble: Some(Trouble::new(format!("a request was given up: {error}"))),
            ..Told::default()
        });
        for (index, fate) in told {
            fates[index] = fate;
        }
        trouble = trouble.or(new);
        kept += more;
    }
    if fates.iter().all(|fate| *fate == Fate::Accepted) {
        return (Outcome::Accepted, kept);
    }
    (Outcome::Each(fates, trouble), kept)
}

/// Sends the requests of a lane until there is trouble.
async fn walk(http: Http, lane: Lane, timeout: Duration, now: Timestamp) -> Told {
    let mut told = Told::default();
    for (index, request) in lane {
        let answer = match http.send(request, timeout).await {
            Ok(answer) => answer,
            Err(reason) => {
                told.trouble = Some(Trouble::new(reason));
                break;
            }
        };
        let status = answer.status();
        let fate = match verdict::of(HttpFormat::Stripe, &answer, 1, now) {
            Outcome::Accepted => Fate::Accepted,
            Outcome::Refused(reason) => Fate::Refused(reason),
            Outcome::Later(trouble) => {
                told.trouble = Some(trouble);
                Fate::Later
            }
            Outcome::Each(mut fates, trouble) => {
                told.trouble = trouble;
                fates.pop().unwrap_or(Fate::Later)
            }
        };
        // <https://docs.stripe.com/api/idempotent_requests>: answers are kept, also errors, but for these two.
        let is_kept = !matches!(status, StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS);
        if fate != Fate::Accepted && is_kept {
            told.kept += 1;
        }
        told.fates.push((index, fate));
        if told.trouble.is_some() {
            break;
        }
    }
    told
}
