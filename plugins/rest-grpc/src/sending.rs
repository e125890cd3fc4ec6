//! Requests that come as streams: from values of JSON, or data as it is, to messages one by one.

use sluice_sdk::Code as HostCode;
use sluice_sdk::prelude::*;
use sluice_sdk_grpc::HEAD;

use crate::finding::{Finding, Place};
use crate::request::{close, too_large};
use crate::rules::{BodyRule, Route};
use crate::stream::{Next, Scan};
use crate::{PER_CALL, RestGrpc, SENDING};

/// From so many calls on, a value that does not end is not waited for byte by byte.
const PATIENCE: usize = 64;

/// A request that comes as a stream.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Sending {
    /// What the path and the query say, for the first message: before the body and after it, in hexadecimal digits.
    #[serde(rename = "b", default)]
    before: String,
    #[serde(rename = "a", default)]
    after: String,
    #[serde(rename = "t", default)]
    content_type: String,
    #[serde(rename = "n", default)]
    has_sent: bool,
    #[serde(rename = "s", default)]
    scan: Scan,
    /// Calls in which the value at hand did not come to its end.
    #[serde(rename = "w", default)]
    waits: usize,
}

impl Sending {
    pub(crate) fn new(before: &[u8], after: &[u8], content_type: String) -> Self {
        Self { before: digits(before), after: digits(after), content_type, ..Self::default() }
    }
}

impl RestGrpc {
    /// A piece of a stream: values of JSON, or data as it is.
    pub(crate) fn send_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<Verdict> {
        let Some((_, route)) = self.call(ctx)? else { return Ok(Verdict::Continue) };
        if chunk.is_last() {
            chunk.trailers_mut().retain(|_| false)?;
        }
        let mut sending = ctx.get(&SENDING)?.unwrap_or_default();
        let bytes = chunk.bytes()?;
        let mut out = Vec::with_capacity(bytes.len() + 64);
        let mut at = 0;
        if matches!(route.body, BodyRule::None) {
            at = bytes.len();
            // The path and the query are all there is: one message, at the end.
            if let Err(finding) = self.put_first(route, chunk, &mut sending, &mut out) {
                return Ok(finding.into());
            }
        } else if matches!(route.body, BodyRule::Raw(_)) {
            if !bytes.is_empty() {
                at = bytes.len().min(PER_CALL);
                if let Err(finding) = self.put_message(route, &mut sending, &bytes[..at], &mut out) {
                    return Ok(finding.into());
                }
            } else if let Err(finding) = self.put_first(route, chunk, &mut sending, &mut out) {
                return Ok(finding.into());
            }
        } else {
            // At the end it looks on, for whether it is one.
            while out.len() < PER_CALL || (chunk.is_last() && at == bytes.len()) {
                match sending.scan.next(&bytes, at, chunk.is_last()) {
                    Next::Value(start, end) if end - start > self.max_message => {
                        return Ok(too_large().into());
                    }
                    Next::Value(start, end) => {
                        sending.waits = 0;
                        if let Err(finding) =
                            self.put_message(route, &mut sending, &bytes[start..end], &mut out)
                        {
                            return Ok(finding.into());
                        }
                        at = end;
                    }
                    Next::More(from) => {
                        if let Err(finding) = self.put_first(route, chunk, &mut sending, &mut out) {
                            return Ok(finding.into());
                        }
                        return self.wait(chunk, ctx, sending, &out, from, bytes.len());
                    }
                    Next::Wrong(what) => return Ok(Finding::new(Place::Body, "", what).into()),
                }
            }
        }
        ctx.set(&SENDING, &sending)?;
        if at > 0 && at < bytes.len() {
            chunk.again(at)?;
        }
        put(chunk, &out)
    }

    /// Sends what there is, and has the host keep the beginning of a value until there is more.
    fn wait(
        &self,
        chunk: &mut Chunk,
        ctx: &mut Context,
        mut sending: Sending,
        out: &[u8],
        from: usize,
        length: usize,
    ) -> Result<Verdict> {
        let held = length - from;
        if held > self.max_message {
            return Ok(too_large().into());
        }
        sending.waits += 1;
        // Each call is shown all of it again: a client that sends byte by byte must not have it copied as often.
        let more = if sending.waits > PATIENCE { 1 + held / 8 } else { 1 };
        ctx.set(&SENDING, &sending)?;
        if held > 0 && !chunk.is_last() {
            // A byte too many tells that the value is too long, and no more is wanted.
            match chunk.hold(from, (held + more).min(self.max_message + 1)) {
                Err(error) if error.code() == Some(HostCode::TooLarge) => return Ok(too_large().into()),
                hold => hold?,
            }
        }
        put(chunk, out)
    }

    /// At the end of a body without values: the message that the path and the query are, if they say anything.
    fn put_first(
        &self,
        route: &Route,
        chunk: &Chunk,
        sending: &mut Sending,
        out: &mut Vec<u8>,
    ) -> Result<(), Finding> {
        let is_all = matches!(route.body, BodyRule::None);
        let is_said = !sending.before.is_empty() || !sending.after.is_empty();
        if chunk.is_last() && !sending.has_sent && (is_all || is_said) {
            return self.put_message(route, sending, b"", out);
        }
        Ok(())
    }

    /// One message of a stream. The first has what the path and the query say.
    fn put_message(
        &self,
        route: &Route,
        sending: &mut Sending,
        value: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Finding> {
        let start = out.len();
        out.extend_from_slice(&[0; HEAD]);
        sending.has_sent = true;
        // Only the first has them: behind it there is nothing more to keep.
        out.extend(bytes_of(&std::mem::take(&mut sending.before)));
        let content_type = std::mem::take(&mut sending.content_type);
        let body = out.len();
        self.put_body(route, value, || content_type, out)?;
        if !sending.after.is_empty() {
            route.yield_to_path(&self.api.pool, out, body)?;
        }
        out.extend(bytes_of(&std::mem::take(&mut sending.after)));
        close(out, start);
        Ok(())
    }
}

/// Sends a piece of a stream on.
fn put(chunk: &mut Chunk, out: &[u8]) -> Result<Verdict> {
    match chunk.set(out) {
        Err(error) if error.code() == Some(HostCode::TooLarge) => Ok(too_large().into()),
        set => set.map(|()| Verdict::Continue),
    }
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(digits: &str) -> impl Iterator<Item = u8> {
    let digit =
        |digit: u8| u8::try_from(char::from(digit).to_digit(16).unwrap_or_default()).unwrap_or_default();
    digits.as_bytes().chunks_exact(2).map(move |pair| digit(pair[0]) << 4 | digit(pair[1]))
}
