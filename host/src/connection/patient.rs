//! A request body of an HTTP/2 stream. The streams of a connection wait on their own, so each that waits has a timer.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::pace::Pace;
use crate::body::{Body, BodyError, Origin, Received};
use crate::config::Listener;
use crate::net::Alarm;

pub(super) struct PatientBody {
    body: Body,
    pace: Pace,
    /// Its answer has begun: what is said now may take its time, as in a conversation of gRPC.
    answered: Rc<Cell<bool>>,
    alarm: Alarm,
}

impl PatientBody {
    pub(super) fn new(incoming: Incoming, settings: &Listener, answered: Rc<Cell<bool>>) -> Self {
        let received =
            Received::new(incoming, Origin::Client).ending_explicitly().at_most(settings.limits.body);
        let body = Body::Received(received);
        let pace = Pace::new(settings.timeouts.body, settings.limits.min_rate);
        Self { body, pace, answered, alarm: Alarm::default() }
    }
}

impl http_body::Body for PatientBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(frame) = frame {
            self.pace.stop(Instant::now);
            let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()).and_then(Frame::data_ref);
            self.pace.earn(data.map_or(0, Bytes::len));
            return Poll::Ready(frame);
        }
        if self.answered.get() {
            self.pace.renew();
        }
        self.pace.wait(Instant::now);
        let deadline = self.pace.deadline();
        self.alarm.poll(cx, deadline).map(|()| Some(Err(BodyError::new(Origin::Client, "timeout"))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
