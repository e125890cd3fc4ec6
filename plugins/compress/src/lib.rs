//! Compresses responses for clients that accept it, and decompresses requests for upstreams that cannot.

mod config;
mod head;
mod media;
mod requests;

use std::cell::{Cell, RefCell};

use sluice_sdk::prelude::*;
use sluice_sdk_coding::{Choice, Coding, Encoder, negotiate};

pub use config::{CodingName, Config, DecodeRequests, Levels};
use media::MediaTypes;

/// The policy, and the one exchange that passes through this instance.
pub struct Compress {
    codings: Vec<Coding>,
    levels: Vec<u8>,
    min_length: u64,
    max_length: u64,
    types: MediaTypes,
    /// The largest decoded request.
    decode_requests: Option<usize>,
    /// The coding that the client wants; none before its request was seen.
    wanted: Cell<Option<Coding>>,
    /// The client's `If-None-Match`.
    known: RefCell<Vec<HeaderValue>>,
    response: RefCell<Option<Compressing>>,
}

/// A response on its way.
struct Compressing {
    encoder: Encoder,
    /// Whether somebody may wait for each piece.
    flushes: bool,
    /// How many bytes are still compressed.
    left: u64,
}

/// What is compressed in one call, which has 10 ms. A whole body that another step has rewritten is one chunk.
const PER_CALL: u64 = 256 << 10;

const NOT_MODIFIED: u16 = 304;

#[plugin(isolation = "exchange", dispensable)]
impl Plugin for Compress {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        config.check()?;
        let max = config.decode_requests.map(|decode| usize::try_from(decode.max.bytes()));
        Ok(Self {
            codings: config.codings.iter().map(|name| name.coding()).collect(),
            levels: config.codings.iter().map(|&name| config.level.of(name)).collect(),
            min_length: config.min_length.bytes(),
            max_length: config.max_length.bytes(),
            types: MediaTypes::new(&config.types)?,
            decode_requests: max.transpose().context("`decode_requests.max`")?,
            wanted: Cell::new(None),
            known: RefCell::default(),
            response: RefCell::new(None),
        })
    }

    fn skips(&self, phase: Phase) -> bool {
        phase == Phase::RequestBody && self.decode_requests.is_none()
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        // A client that takes neither a coding nor the plain body gets the plain body: it cannot be served better.
        let choice = negotiate(request.headers().get_all("accept-encoding"), &self.codings);
        self.wanted.set(if let Choice::Encode(coding) = choice { Some(coding) } else { None });
        self.known.replace(request.headers().get_all("if-none-match"));
        if self.decode_requests.is_some() {
            match requests::wants_decoding(request) {
                Ok(true) => {}
                Ok(false) => ctx.skip_body(),
                Err(problem) => return Ok(Verdict::respond(problem)),
            }
        }
        Ok(Verdict::Continue)
    }

    fn on_request_body(&self, request: &mut Request, body: &mut Body, _: &mut Context) -> Result<Verdict> {
        match self.decode_requests {
            Some(max) => requests::decode_body(request, body, max),
            None => Ok(Verdict::Continue),
        }
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        // What a 304 says of a length is not to be relied on.
        let length = head::length(response.headers()).filter(|_| response.status() != NOT_MODIFIED);
        if !self.is_worth_it(response, length) || !head::may_change(response) {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        }
        head::vary(response)?;
        let is_not_modified = response.status() == NOT_MODIFIED;
        let has_plain = is_not_modified && head::is_known_plain(&self.known.borrow(), response);
        let Some(coding) = self.wanted.get().filter(|_| !has_plain) else {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        };
        // A cache could make nothing fresh with the head of another response than it has (RFC 9110 sections 9.3.2 and 15.4.5).
        if is_not_modified {
            response.mark_rewritten()?;
            return Ok(Verdict::Continue);
        }
        head::encoded(response, coding)?;
        if response.describes_absent_body(ctx) {
            return Ok(Verdict::Continue);
        }
        let encoder = Encoder::new(coding, self.level(coding))?;
        // A body whose end is not known yet may be made while it is sent: then nothing is held back.
        let compressing = Compressing { encoder, flushes: length.is_none(), left: self.max_length };
        self.response.replace(Some(compressing));
        Ok(Verdict::Continue)
    }

    fn on_response_chunk(&self, chunk: &mut Chunk, _: &mut Context) -> Result<()> {
        let mut response = self.response.borrow_mut();
        if chunk.is_last() {
            let Some(Compressing { mut encoder, .. }) = response.take() else { return Ok(()) };
            let mut encoded = encoder.push(&chunk.bytes()?);
            encoded.extend(encoder.finish());
            return chunk.set(encoded);
        }
        match response.as_mut() {
            Some(compressing) => chunk.set(compressing.push(&chunk.bytes()?)),
            None => Ok(()),
        }
    }
}

impl Compress {
    /// Whether compressing makes it smaller without taking too long. What a 304 does not say of its body may be so.
    fn is_worth_it(&self, response: &Response, length: Option<u64>) -> bool {
        let fits = length.is_none_or(|length| (self.min_length.max(1)..=self.max_length).contains(&length));
        let content_type = response.headers().get("content-type");
        let is_listed = match content_type.as_ref().map(HeaderValue::as_str) {
            Some(text) => text.is_some_and(|text| self.types.contain(text)),
            None => response.status() == NOT_MODIFIED,
        };
        fits && is_listed
    }

    fn level(&self, coding: Coding) -> u8 {
        let known = self.codings.iter().zip(&self.levels).find(|(known, _)| **known == coding);
        known.map_or(1, |(_, level)| *level)
    }
}

impl Compressing {
    fn push(&mut self, input: &[u8]) -> Vec<u8> {
        let most = usize::try_from(self.left.min(PER_CALL)).unwrap_or(usize::MAX);
        let (compressed, stored) = input.split_at(input.len().min(most));
        let mut encoded = self.encoder.push(compressed);
        self.left -= compressed.len() as u64;
        if !stored.is_empty() {
            encoded.extend(self.encoder.store());
            encoded.extend(self.encoder.push(stored));
        } else if self.flushes {
            encoded.extend(self.encoder.flush());
        }
        encoded
    }
}
