//! A request body of an HTTP/2 stream. The streams of a connection wait on their own, so each that waits has a timer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::body::{Body, BodyError, Origin, Received};
use crate::net::Alarm;

pub(super) struct PatientBody {
    body: Body,
    patience: Duration,
    waiting_since: Option<Instant>,
    alarm: Alarm,
}

impl PatientBody {
    pub(super) fn new(incoming: Incoming, most: u64, patience: Duration) -> Self {
        let received = Received::new(incoming, Origin::Client).ending_explicitly().at_most(most);
        let body = Body::Received(received);
        Self { body, patience, waiting_since: None, alarm: Alarm::default() }
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
        if frame.is_ready() {
            self.waiting_since = None;
            return frame;
        }
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let deadline = Some(since + self.patience);
        self.alarm.poll(cx, deadline).map(|()| Some(Err(BodyError::new(Origin::Client, "timeout"))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
