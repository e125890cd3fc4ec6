//! To NATS JetStream: one message for each event, which the server's stream acknowledges.
//!
//! The message is a CloudEvent in JSON (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/nats-protocol-binding.md>,
//! structured mode) with the event's id as `Nats-Msg-Id`, by which a stream passes over a second one within its duplicate window.

mod line;
mod place;
mod wire;

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

pub(crate) use line::Secure;
pub(crate) use place::Place;

use super::format::cloudevents;
use super::outcome::{Fate, Outcome, Trouble};
use super::record::Record;
use super::settings::NatsTarget;
use line::{Answer, Line};

/// A connection that nobody has used for this long is made anew: nobody has answered the server's pings.
const IDLE: Duration = Duration::from_secs(60);

/// The stream will not have a message of this size (`JSStreamMessageExceedsMaximumErr`).
const TOO_LARGE: u64 = 10_054;

/// Publishes events, over one connection that is made when it is needed.
#[derive(Debug)]
pub(super) struct NatsSender {
    target: NatsTarget,
    timeout: Duration,
    secure: Option<Secure>,
    line: Option<(Line, Instant)>,
    /// The server that is tried first: after a failure the one behind it, or one that hangs would be asked for ever.
    first: usize,
}

/// What is published.
struct Message {
    subject: String,
    headers: String,
    payload: Vec<u8>,
}

impl NatsSender {
    pub(super) fn new(target: NatsTarget, timeout: Duration, secure: Option<Secure>) -> Self {
        Self { target, timeout, secure, line: None, first: 0 }
    }

    pub(super) async fn send(&mut self, records: &[Record<'_>]) -> Outcome {
        let deadline = Instant::now() + self.timeout;
        // The line is taken, and put back only after all went well: a future that is dropped takes it along, with the answers that are
        // still to come.
        let line = self.line.take().filter(|(_, used)| used.elapsed() < IDLE).map(|(line, _)| line);
        let mut line = match line {
            Some(line) => line,
            None => {
                let (place, secure) = (&self.target.place, self.secure.as_ref());
                match Line::connect(place, secure, self.first, deadline).await {
                    Ok((line, number)) => {
                        self.first = number;
                        line
                    }
                    Err(error) => {
                        self.go_on();
                        return Outcome::later(error.to_string());
                    }
                }
            }
        };
        let messages: Vec<Message> = records.iter().map(|record| self.message(record)).collect();
        let mut fates = vec![Fate::Later; messages.len()];
        let mut trouble = None;
        let talk = line.publish(&messages, |index, answer| match fate(answer, &messages[index].subject) {
            Ok(fate) => fates[index] = fate,
            Err(reason) => trouble = trouble.take().or(Some(Trouble::new(reason))),
        });
        let cut = match timeout_at(deadline, talk).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no acknowledgement of every event within {:?}", self.timeout)),
        };
        match cut {
            None => self.line = Some((line, Instant::now())),
            Some(reason) => {
                self.go_on();
                trouble = trouble.or(Some(Trouble::new(reason)));
            }
        }
        if fates.iter().all(|fate| *fate == Fate::Accepted) {
            return Outcome::Accepted;
        }
        Outcome::Each(fates, trouble)
    }

    /// The next attempt begins with the next server.
    fn go_on(&mut self) {
        self.first = (self.first + 1) % self.target.place.servers.len().max(1);
    }

    fn message(&self, record: &Record<'_>) -> Message {
        let event = record.event;
        let subject = self
            .target
            .subject
            .replace("{meter}", &token(&event.meter))
            .replace("{consumer}", &token(&event.consumer));
        let headers = format!(
            "NATS/1.0\r\nNats-Msg-Id: {}\r\nContent-Type: {}\r\n\r\n",
            printable(&record.id),
            cloudevents::SINGLE
        );
        Message { subject, headers, payload: cloudevents::single(record) }
    }
}

/// What the stream says of a message; why it is for later, if it is.
fn fate(answer: Answer, subject: &str) -> Result<Fate, String> {
    match answer {
        Answer::Stored => Ok(Fate::Accepted),
        Answer::TooLarge(most) => Ok(Fate::Refused(format!("it is larger than the server's {most} bytes"))),
        Answer::Refused { code: TOO_LARGE, what } => Ok(Fate::Refused(what)),
        Answer::Refused { code, what } => Err(format!("the stream refuses `{subject}`: {what} ({code})")),
        Answer::NoStream => Err(format!("no stream takes `{subject}`")),
        Answer::Strange => Err(format!("who answered on `{subject}` is no stream")),
    }
}

/// A name as one part of a subject, which is a text without blanks, dots and wildcards; nobody is `_`.
fn token(name: &str) -> String {
    if name.is_empty() {
        return "_".to_owned();
    }
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'.' | b'*' | b'>' | b'%' | b'{' | b'}') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A text as a header's value: whatever is not printable ASCII is percent-encoded.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metering::export::format::testing::{directory, tokens};

    #[test]
    fn a_message_is_written_to_the_letter() {
        let place = "nats://127.0.0.1".parse().unwrap();
        let target = NatsTarget { place, subject: "usage.{meter}.{consumer}".into() };
        let sender = NatsSender::new(target, Duration::from_secs(1), None);
        let (directory, mut event) = (directory(), tokens());
        event.consumer = "a.b c*".into();
        event.request = "x\r\ny%".into();
        let message = sender.message(&directory.record(&event).unwrap());
        assert_eq!(message.subject, "usage.tokens.a%2Eb%20c%2A");
        assert_eq!(
            message.headers,
            "NATS/1.0\r\nNats-Msg-Id: edge-1/x%0D%0Ay%25/tokens\r\nContent-Type: application/cloudevents+json\r\n\r\n"
        );
        assert!(message.payload.starts_with(b"{\"specversion\":\"1.0\""));
        assert_eq!(token(""), "_");
    }
}
