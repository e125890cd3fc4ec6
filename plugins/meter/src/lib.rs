//! Counts what consumers use: exchanges, bytes, time, messages, and what requests and responses say of themselves.

mod config;
mod found;
mod grpc;
mod json;
mod media;
mod noted;
mod path;
mod record;
mod rules;
mod statuses;
mod stream;
#[cfg(test)]
mod tests;
mod text;

use sluice_sdk::Code;
use sluice_sdk::prelude::*;

pub use config::{
    Amount, Config, DimensionConfig, ExpectConfig, MeterConfig, Missing, Pick, SaidConfig, ValueConfig,
};

use found::Found;
use grpc::{Frames, is_grpc};
use noted::{Entries, MESSAGES, Noted, REQUEST, RESPONSE, Reading};
use rules::{Dimension, Entry, Rules, Source};
use stream::Stream;

/// The policy.
pub struct Metering(Rules);

/// A part of a body, which begins in the midst of a document.
const PARTIAL: u16 = 206;

#[plugin(capabilities(meter), optional(log))]
impl Plugin for Metering {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        Rules::new(config).map(Self)
    }

    fn skips(&self, phase: Phase) -> bool {
        let rules = &self.0;
        match phase {
            Phase::Request => !self.cares_for_requests(),
            Phase::RequestBody => rules.request.is_empty(),
            Phase::RequestChunk => !rules.has(&Source::RequestMessages),
            Phase::ResponseChunk => !self.reads_responses(),
            _ => false,
        }
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let rules = &self.0;
        if !rules.response.is_empty() {
            // What is encoded cannot be read as it passes, and of a part it is not known what it is a part of: nobody is to get what
            // counts by asking for it so.
            request.headers_mut().set("accept-encoding", "identity")?;
            request.headers_mut().remove("range")?;
            request.headers_mut().remove("if-range")?;
        }
        let headers = request.headers();
        let mut noted = Noted::new(rules.entries.len());
        for (entry, (value, expected)) in
            rules.entries.iter().zip(noted.values.iter_mut().zip(&mut noted.expected))
        {
            *expected = entry.expect_by_head(&headers)?;
            entry.describe_request(&headers, ctx)?;
            if let Source::RequestHeader(name) = &entry.source {
                *value = headers.get(name).and_then(|value| entry.read(value.as_str()?));
            }
        }
        let reads_json =
            !rules.request.is_empty() && request.has_body() && media::framing(&headers).is_some();
        let reads_messages = rules.has(&Source::RequestMessages) && is_grpc(&headers);
        let has_phase = !rules.request.is_empty() || rules.has(&Source::RequestMessages);
        if has_phase && !(reads_json || reads_messages) {
            ctx.skip_body();
        }
        if self.notes() {
            ctx.set(&REQUEST, &noted)?;
        }
        Ok(Verdict::Continue)
    }

    fn on_request_body(&self, request: &mut Request, body: &mut Body, ctx: &mut Context) -> Result<Verdict> {
        let Rules { entries, request: targets, .. } = &self.0;
        let Some(framing) = media::framing(&request.headers()) else { return Ok(Verdict::Continue) };
        let (mut stream, mut findings) = (Stream::new(framing), targets.nothing());
        targets.feed(&mut stream, &body.bytes()?, &mut findings);
        targets.end(&mut stream, &mut findings);
        let mut noted = self.noted(ctx)?;
        for (entry, (value, expected)) in entries.iter().zip(noted.values.iter_mut().zip(&mut noted.expected))
        {
            if let Some(said) = entry.expect_by_body(&findings)? {
                *expected = Some(said);
            }
            for (name, dimension) in &entry.dimensions {
                if let Dimension::RequestJson(range) = dimension {
                    entry.set_dimension(name, findings.first(range).and_then(Found::text))?;
                }
            }
            if let Source::RequestJson(range) = &entry.source {
                *value = findings.first(range).cloned();
            }
        }
        if self.notes() {
            ctx.set(&REQUEST, &noted)?;
        }
        Ok(Verdict::Continue)
    }

    fn on_request_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<Verdict> {
        let mut messages = ctx.get(&MESSAGES)?.unwrap_or_default();
        let ended = messages.frames.feed(&chunk.bytes()?)?;
        match messages.counted {
            None => messages.pending = messages.pending.saturating_add(ended),
            Some(counted) => match self.add_messages(&Source::RequestMessages, counted, ended) {
                // The response was at its end before the request.
                Err(error) if error.code() == Some(Code::WrongPhase) => {}
                added => added?,
            },
        }
        ctx.set(&MESSAGES, &messages)?;
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let counted = self.counted(response);
        if self.0.has(&Source::RequestMessages) {
            let mut messages = ctx.get(&MESSAGES)?.unwrap_or_default();
            self.add_messages(&Source::RequestMessages, counted, messages.pending)?;
            (messages.pending, messages.counted) = (0, Some(counted));
            ctx.set(&MESSAGES, &messages)?;
        }
        let noted = self.noted(ctx)?;
        let headers = response.headers();
        for (place, entry) in self.entries(counted) {
            entry.describe_response(response)?;
            let (value, expected) = (noted.values[place].clone(), noted.expected[place]);
            entry.count_head(&headers, ctx, value, expected)?;
        }
        if !self.reads_responses() {
            return Ok(Verdict::Continue);
        }
        let mut reading = self.reading(counted, response, ctx, noted);
        self.settle(&mut reading)?;
        if reading.stream.is_none() && reading.frames.is_none() {
            ctx.skip_body();
        } else {
            ctx.set(&RESPONSE, &reading)?;
        }
        Ok(Verdict::Continue)
    }

    fn on_response_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<()> {
        let Some(mut reading) = ctx.get(&RESPONSE)? else { return Ok(()) };
        let piece = chunk.bytes()?;
        if let Some(frames) = &mut reading.frames {
            let ended = frames.feed(&piece)?;
            self.add_messages(&Source::ResponseMessages, reading.counted, ended)?;
        }
        if let Some(mut stream) = reading.stream.take() {
            let (targets, before) = (&self.0.response, reading.findings.clone());
            targets.feed(&mut stream, &piece, &mut reading.findings);
            if chunk.is_last() {
                targets.end(&mut stream, &mut reading.findings);
            } else {
                reading.stream = Some(stream);
            }
            self.describe_body(&reading, &before)?;
            self.settle(&mut reading)?;
        }
        if !chunk.is_last() {
            return ctx.set(&RESPONSE, &reading);
        }
        if let Some(path) = reading.findings.unusable(&self.0.response) {
            warn!("the response has a value at `{path}` that cannot be counted");
        }
        ctx.remove(&RESPONSE)
    }
}

impl Metering {
    /// The entries of a set, with their places.
    fn entries(&self, set: Entries) -> impl Iterator<Item = (usize, &Entry)> {
        self.0.entries.iter().enumerate().filter(move |(place, _)| set & (1 << place) != 0)
    }

    /// The entries to which this response counts.
    fn counted(&self, response: &Response) -> Entries {
        if response.is_refusal() {
            return 0;
        }
        let status = response.status();
        let counts = self.entries(Entries::MAX).filter(|(_, entry)| entry.statuses.hold(status));
        counts.fold(0, |set, (place, _)| set | 1 << place)
    }

    /// Whether there is anything to do with a request's head.
    fn cares_for_requests(&self) -> bool {
        let Rules { entries, request, response } = &self.0;
        let is_concerned = |entry: &Entry| {
            let is_known = |(_, dimension): &(String, Dimension)| dimension.is_of_request();
            entry.expect.is_some() || entry.dimensions.iter().any(is_known)
        };
        let messages = self.0.has(&Source::RequestMessages);
        messages
            || self.notes()
            || !request.is_empty()
            || !response.is_empty()
            || entries.iter().any(is_concerned)
    }

    /// Whether the response needs to know what the request told.
    fn notes(&self) -> bool {
        let is_noted = |entry: &Entry| {
            entry.counts_expected || matches!(entry.source, Source::RequestHeader(_) | Source::RequestJson(_))
        };
        self.0.entries.iter().any(is_noted)
    }

    fn noted(&self, ctx: &Context) -> Result<Noted> {
        let noted = if self.notes() { ctx.get(&REQUEST)? } else { None };
        Ok(noted.unwrap_or_else(|| Noted::new(self.0.entries.len())))
    }

    fn reads_responses(&self) -> bool {
        !self.0.response.is_empty() || self.0.has(&Source::ResponseMessages)
    }

    /// How this response is going to be read.
    fn reading(&self, counted: Entries, response: &Response, ctx: &Context, noted: Noted) -> Reading {
        let headers = response.headers();
        let is_read = !response.describes_absent_body(ctx);
        let wants_json = self.entries(counted).any(|(_, entry)| entry.reads_response());
        let wants_messages = self.entries(counted).any(|(_, entry)| entry.source == Source::ResponseMessages);
        let framing = Some(&headers).filter(|_| is_read && wants_json && response.status() != PARTIAL);
        Reading {
            counted,
            stream: framing.and_then(media::framing).map(Stream::new),
            frames: (is_read && wants_messages && is_grpc(&headers)).then(Frames::default),
            findings: self.0.response.nothing(),
            expected: noted.expected,
            told: vec![None; self.0.entries.len()],
        }
    }

    fn add_messages(&self, source: &Source, counted: Entries, count: u64) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        for (_, entry) in self.entries(counted).filter(|(_, entry)| entry.source == *source) {
            entry.count_units(count)?;
        }
        Ok(())
    }
}
