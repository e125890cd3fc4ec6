//! What the parts of one client connection know of each other: how many exchanges run, what is being waited for and until when.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::Peer;
use super::frames::{Budget, Offence};
use super::pace::Pace;
use super::refuse::Refusal;
use super::switch::Switched;
use crate::config::Listener;
use crate::net::{Permit, Permits, Timer};

/// How long a connection that has been told to end may take to do so.
const GRACE: Duration = Duration::from_millis(if cfg!(test) { 200 } else { 2_000 });

/// A connection that has had no request for that long gives back the memory that only serving one needs.
const NAP_AFTER: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 1_000 });

/// An idle connection may have a request on its way when draining starts. That request is answered, with `Connection: close`.
const DRAIN_LINGER: Duration = Duration::from_millis(100);

pub(super) struct Link {
    pub(super) settings: Rc<Listener>,
    pub(super) peer: Rc<Peer>,
    /// Of the exchange under way, where there is one at a time.
    pub(super) timer: Timer,
    running: Cell<usize>,
    /// The present quiet began, or a head began to arrive in it.
    quiet_since: Cell<Instant>,
    /// An exchange has taken place: what is waited for now is the next one.
    served: Cell<bool>,
    /// A part of a head is held back.
    partial: Cell<bool>,
    /// Its protocol lets it start anew at any request.
    may_nap: Cell<bool>,
    /// An exchange has taken place since the last nap: there is something to give back.
    awake: Cell<bool>,
    /// A request body has begun and not all of it has arrived.
    in_body: Cell<bool>,
    /// hyper wants bytes of a body and none arrive.
    sending: Pace,
    /// The client takes no bytes.
    taking: Pace,
    /// Of the stream whose exchange has just begun: how its client takes the answer.
    newest: RefCell<Option<Rc<Pace>>>,
    overdue: Cell<Option<Overdue>>,
    /// It was asked to end for lack of a request: when it should have, unless an exchange began meanwhile.
    parting: Cell<Option<Instant>>,
    /// Ends the connection, whatever it does.
    end_by: Cell<Option<Instant>>,
    drain_since: Cell<Option<Instant>>,
    /// The answer to the request of that number is a refusal.
    refusal: Cell<Option<(u64, Refusal)>>,
    calls: Cell<u64>,
    /// The request of that number offers to speak another protocol, and is not answered yet.
    offer: Cell<Option<u64>>,
    /// Another protocol is spoken once the head that says so is out.
    switched: Cell<Option<Switched>>,
    /// What frames that carry nothing are paid out of.
    pub(super) budget: Budget,
    /// Why the connection ends early.
    offence: Cell<Option<Offence>>,
    /// A response was cut short, and its end is told by the end of the connection only.
    cut: Cell<bool>,
}

/// What did not come in time. The next read acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    Head,
    Body,
    Request,
    End,
    Nap,
}

/// What to do about a deadline that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expired {
    Close,
    /// Nothing more is expected: say good-bye in the way of the protocol.
    Quit,
    /// The connection finds out at its next read.
    Resume,
    /// Nothing has come for a while, and nothing is under way.
    Nap,
}

impl Link {
    pub(super) fn new(settings: Rc<Listener>, peer: Rc<Peer>) -> Self {
        let (timeouts, rate) = (&settings.timeouts, settings.limits.min_rate);
        let (sending, taking) = (Pace::new(timeouts.body, rate), Pace::new(timeouts.write, rate));
        Self {
            settings,
            peer,
            timer: Timer::kept(),
            running: Cell::new(0),
            quiet_since: Cell::new(Instant::now()),
            served: Cell::new(false),
            partial: Cell::new(false),
            may_nap: Cell::new(false),
            awake: Cell::new(false),
            in_body: Cell::new(false),
            sending,
            taking,
            newest: RefCell::default(),
            overdue: Cell::new(None),
            parting: Cell::new(None),
            end_by: Cell::new(None),
            drain_since: Cell::new(None),
            refusal: Cell::new(None),
            calls: Cell::new(0),
            offer: Cell::new(None),
            switched: Cell::new(None),
            budget: Budget::new(Instant::now()),
            offence: Cell::new(None),
            cut: Cell::new(false),
        }
    }

    /// Counts an exchange until the returned value is dropped.
    pub(super) fn begin(self: &Rc<Self>) -> Exchange {
        self.running.set(self.running.get() + 1);
        self.calls.set(self.calls.get() + 1);
        self.served.set(true);
        self.awake.set(self.may_nap.get());
        Exchange { link: Rc::clone(self), place: None }
    }

    /// The refusal that the exchange just begun is to be answered with.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal.get().filter(|(call, _)| *call == self.calls.get()).map(|(_, refusal)| refusal)
    }

    pub(super) fn refuse(&self, call: u64, refusal: Refusal) {
        self.refusal.set(Some((call, refusal)));
    }

    /// The request of that number offers to speak another protocol.
    pub(super) fn offer(&self, call: u64) {
        self.offer.set(Some(call));
    }

    /// Whether an offer has neither been taken up nor answered otherwise.
    pub(super) fn is_offering(&self) -> bool {
        self.offer.get().is_some()
    }

    /// The offer is taken up.
    pub(super) fn switch(&self, switched: Switched) {
        self.switched.set(Some(switched));
    }

    pub(super) fn take_switched(&self) -> Option<Switched> {
        self.switched.take()
    }

    /// A head has begun to arrive, or has ended.
    pub(super) fn set_partial(&self, partial: bool) {
        if partial && !self.partial.get() && self.running.get() == 0 && self.served.get() {
            self.quiet_since.set(Instant::now());
        }
        self.partial.set(partial);
    }

    /// It may nap from now on.
    pub(super) fn let_nap(&self) {
        self.may_nap.set(true);
    }

    /// It has napped. The next exchange wakes it, and nothing else: bytes that make no request must not keep it busy.
    pub(super) fn nap(&self) {
        self.awake.set(false);
    }

    pub(super) fn set_in_body(&self, in_body: bool) {
        if in_body && !self.in_body.replace(in_body) {
            self.sending.renew();
        }
        self.in_body.set(in_body);
    }

    /// Whether the answer made now is the last one: draining has started, it has carried enough requests, or the rest of the request would have to be read
    /// first, by nobody.
    pub(super) fn is_last_answer(&self) -> bool {
        self.is_draining() || self.in_body.get() || self.is_worn()
    }

    /// It has carried as many requests as it may.
    pub(super) fn is_worn(&self) -> bool {
        self.calls.get() >= self.settings.limits.requests
    }

    /// Bytes of a body are waited for.
    pub(super) fn starve(&self) {
        self.sending.wait(Instant::now);
    }

    /// So many bytes have come.
    pub(super) fn feed(&self, bytes: usize) {
        self.sending.stop(Instant::now);
        self.sending.earn(bytes);
    }

    /// Bytes are offered to the client: how many of them it takes, or none yet.
    pub(super) fn offered(&self, taken: &Poll<std::io::Result<usize>>) {
        match taken {
            Poll::Pending => self.taking.wait(Instant::now),
            Poll::Ready(taken) => {
                self.taking.stop(Instant::now);
                self.taking.earn(*taken.as_ref().unwrap_or(&0));
            }
        }
    }

    /// A stream's exchange begins: how its client takes the answer.
    pub(super) fn pace_stream(&self) -> Rc<Pace> {
        let pace = Rc::new(Pace::new(self.settings.timeouts.write, self.settings.limits.min_rate));
        self.newest.replace(Some(Rc::clone(&pace)));
        pace
    }

    pub(super) fn take_newest(&self) -> Option<Rc<Pace>> {
        self.newest.take()
    }

    pub(super) fn is_overdue(&self) -> bool {
        self.overdue.get().is_some()
    }

    pub(super) fn take_overdue(&self) -> Option<Overdue> {
        self.overdue.take()
    }

    /// It ends early: its client has a short time to hear so.
    pub(super) fn set_offence(&self, offence: Offence) {
        self.offence.set(Some(offence));
        self.end_soon();
    }

    pub(super) fn offence(&self) -> Option<Offence> {
        self.offence.get()
    }

    pub(super) fn take_offence(&self) -> Option<Offence> {
        self.offence.take()
    }

    pub(super) fn set_cut(&self) {
        self.cut.set(true);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.get()
    }

    pub(super) fn drain(&self, deadline: Instant) {
        self.drain_since.set(Some(Instant::now()));
        self.end_within(deadline);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.drain_since.get().is_some()
    }

    /// The connection is being closed: what is left to do has a short time.
    pub(super) fn end_soon(&self) {
        self.end_within(Instant::now() + GRACE);
    }

    fn end_within(&self, by: Instant) {
        self.end_by.set(Some(self.end_by.get().map_or(by, |held| held.min(by))));
    }

    /// When something must have happened.
    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.awaited().map(|(at, _)| at), self.end_by.get(), self.timer.due()].into_iter().flatten().min()
    }

    fn awaited(&self) -> Option<(Instant, Overdue)> {
        let timeouts = &self.settings.timeouts;
        // Whether an exchange runs or its last bytes are still here makes no difference to a client that reads slowly.
        if let Some(at) = self.taking.deadline() {
            return Some((at, Overdue::End));
        }
        if self.running.get() > 0 {
            return self.sending.deadline().map(|at| (at, Overdue::Body));
        }
        if let Some(at) = self.parting.get() {
            return Some((at, Overdue::End));
        }
        let quiet = self.quiet_since.get();
        if self.partial.get() {
            return Some((quiet + timeouts.header, Overdue::Head));
        }
        let patience = if self.served.get() { timeouts.idle } else { timeouts.header };
        let linger = self.drain_since.get().map(|since| since.max(quiet) + DRAIN_LINGER);
        let at = quiet + patience;
        let at = linger.map_or(at, |linger| linger.min(at));
        let nap = quiet + NAP_AFTER;
        // One that is being closed still reads what its client sends, and drops it: none of that may come to a new parser.
        if self.awake.get() && self.end_by.get().is_none() && nap < at {
            return Some((nap, Overdue::Nap));
        }
        Some((at, Overdue::Request))
    }

    /// The deadline has passed.
    pub(super) fn expire(&self) -> Expired {
        let now = Instant::now();
        if self.end_by.get().is_some_and(|end| end <= now) {
            return Expired::Close;
        }
        if self.timer.due().is_some_and(|due| due <= now) {
            self.timer.ring(now);
        }
        let Some((at, overdue)) = self.awaited() else { return Expired::Resume };
        if at > now {
            return Expired::Resume;
        }
        match overdue {
            Overdue::End => {
                // What it has not taken would look like all of it to a client of HTTP/1.0, and lie in the kernel for as long as that likes.
                if self.taking.deadline().is_some() {
                    self.set_cut();
                }
                return Expired::Close;
            }
            Overdue::Nap => return Expired::Nap,
            Overdue::Body => self.sending.stop(|| now),
            Overdue::Head | Overdue::Request => self.parting.set(Some(now + GRACE)),
        }
        self.overdue.set(Some(overdue));
        if overdue == Overdue::Request { Expired::Quit } else { Expired::Resume }
    }
}

/// One exchange that is under way.
pub(super) struct Exchange {
    link: Rc<Link>,
    place: Option<Permit>,
}

impl Exchange {
    pub(super) fn link(&self) -> &Rc<Link> {
        &self.link
    }

    /// It has one of the handler's places. False if none is free.
    pub(super) fn take_place(&mut self, places: &Permits) -> bool {
        self.place = places.try_acquire();
        self.place.is_some()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let running = self.link.running.get() - 1;
        self.link.running.set(running);
        // Those of HTTP/1 come one after the other.
        if self.link.offer.get() == Some(self.link.calls.get()) {
            self.link.offer.set(None);
        }
        if running == 0 {
            self.link.quiet_since.set(Instant::now());
        }
    }
}
