//! What host functions may reach at the moment, with the gateway's refusals and budgets.

use std::collections::HashMap;

use http::HeaderMap as Fields;
use sluice_abi::harness::{Bytes, Sent};
use sluice_abi::{
    Code, FetchError, FetchRequest, FetchResponse, HeaderMap, Identity, MeterKind, Phase, Recorded, Scope,
};

use super::crypto::{self, Key};
use super::head;
use super::state::{Activity, ExchangeState, State};

impl State {
    pub(super) fn exchange(&mut self) -> &mut ExchangeState {
        match self.call.activity {
            Activity::Phase(exchange, _) => {
                self.exchanges.get_mut(&exchange).expect("a phase runs only in an open exchange")
            }
            Activity::Load => panic!("there is no exchange in `new` and `self_test`"),
        }
    }

    pub(super) fn phase(&self) -> Option<Phase> {
        if let Activity::Phase(_, phase) = self.call.activity { Some(phase) } else { None }
    }

    pub(super) fn in_body_phase(&self) -> Result<(), Code> {
        match self.phase() {
            Some(Phase::RequestBody | Phase::RequestChunk | Phase::ResponseBody | Phase::ResponseChunk) => {
                Ok(())
            }
            _ => Err(Code::WrongPhase),
        }
    }

    /// An asset of the world, while the plugin is configured.
    pub(super) fn asset(&self, name: &[u8]) -> Result<&[u8], Code> {
        if self.call.activity != Activity::Load {
            return Err(Code::WrongPhase);
        }
        let name = std::str::from_utf8(name).map_err(|_| Code::None)?;
        self.world.assets.get(name).map(Bytes::as_slice).ok_or(Code::None)
    }

    pub(super) fn spend_header_bytes(&mut self, bytes: usize) -> Result<(), Code> {
        self.call.header_bytes = self.call.header_bytes.checked_sub(bytes).ok_or(Code::TooLarge)?;
        Ok(())
    }

    pub(super) fn key(&self, handle: i32) -> Result<&Key, Code> {
        usize::try_from(handle).ok().and_then(|handle| self.keys.get(handle)).ok_or(Code::Invalid)
    }

    pub(super) fn keep(&mut self, key: Key) -> i32 {
        self.keys.push(key);
        i32::try_from(self.keys.len() - 1).unwrap_or(i32::MAX)
    }

    /// A meter's number is its place among the world's.
    pub(super) fn open_meter(&mut self, name: &[u8]) -> Result<i32, Code> {
        if self.call.activity != Activity::Load {
            return Err(Code::WrongPhase);
        }
        let place = self.world.meters.keys().position(|known| known.as_bytes() == name).ok_or(Code::None)?;
        let number = i32::try_from(place).map_err(|_| Code::TooLarge)?;
        self.opened.insert(number);
        Ok(number)
    }

    /// A meter that the plugin has opened, and its name.
    pub(super) fn meter(&self, number: i32) -> Result<(String, MeterKind), Code> {
        let place = usize::try_from(number).ok().filter(|_| self.opened.contains(&number));
        let meter = place.and_then(|place| self.world.meters.iter().nth(place)).ok_or(Code::Denied)?;
        Ok((meter.0.clone(), meter.1.clone()))
    }

    /// Records on a meter of the exchange at hand.
    pub(super) fn record(
        &mut self,
        number: i32,
        record: impl FnOnce(&MeterKind, &mut Recorded) -> Result<(), Code>,
    ) -> Result<(), Code> {
        let (name, kind) = self.meter(number)?;
        if matches!(self.phase(), None | Some(Phase::Complete)) {
            return Err(Code::WrongPhase);
        }
        record(&kind, self.exchange().recorded.entry(name).or_default())
    }

    pub(super) fn consumer_message(&self, name: &str, credential: Option<String>) -> Option<Vec<u8>> {
        let known = self.world.consumers.iter().find(|consumer| consumer.name == name)?;
        let consumer = sluice_abi::Consumer {
            name: known.name.clone(),
            id: known.id.clone().unwrap_or_else(|| known.name.clone()),
            custom_id: known.custom_id.clone(),
            groups: known.groups.clone(),
            credential,
            plan: known.plan.clone(),
            limits: known.limits.clone(),
        };
        Some(consumer.encode())
    }

    /// The consumer whom `identify` finds, and which of its credentials that was.
    pub(super) fn identified(&self, by: Identity, wanted: &str) -> Option<(String, Option<String>)> {
        let now = self.world.now_ms;
        self.world.consumers.iter().find_map(|consumer| {
            let found = |credential: Option<&str>| (consumer.name.clone(), credential.map(str::to_owned));
            match by {
                Identity::Name => (consumer.name == wanted).then(|| found(None)),
                Identity::CustomId => (consumer.custom_id.as_deref() == Some(wanted)).then(|| found(None)),
                Identity::Key => {
                    let mut keys = consumer.keys.iter();
                    let key =
                        keys.find(|key| key.key == wanted && key.expires_ms.is_none_or(|end| end > now))?;
                    Some((
                        consumer.name.clone(),
                        Some(key.id.clone().unwrap_or_else(|| crypto::short_digest(wanted))),
                    ))
                }
                Identity::Password => {
                    let mut known = consumer.passwords.iter();
                    known
                        .find(|known| format!("{}:{}", known.user, known.password) == wanted)
                        .map(|known| found(Some(&known.user)))
                }
                Identity::Token => {
                    let (issuer, subject) = wanted.split_once('\n')?;
                    let issuer = Some(issuer).filter(|issuer| !issuer.is_empty());
                    let mut known = consumer.tokens.iter();
                    known
                        .find(|(by, of)| by.as_deref() == issuer && of == subject)
                        .map(|(_, of)| found(Some(of)))
                }
                Identity::Certificate => {
                    consumer.certificates.iter().find(|name| *name == wanted).map(|name| found(Some(name)))
                }
                Identity::Signature => {
                    consumer.signatures.iter().find(|key| key.id == wanted).map(|key| found(Some(&key.id)))
                }
            }
        })
    }

    pub(super) fn fetch_one(&mut self, request: &FetchRequest) -> Result<FetchResponse, FetchError> {
        let failed = |code: Code, message: String| FetchError { code: code.number(), message };
        match self.call.fetches.checked_sub(1) {
            Some(left) => self.call.fetches = left,
            None => {
                let message = format!("more than {} fetches in one call", self.world.limits.fetches);
                return Err(failed(Code::TooLarge, message));
            }
        }
        let fields = request.headers.iter().map(|(name, value)| head::field(name, value));
        let is_valid = fields.into_iter().all(|field| field.is_ok()) && request.path.starts_with('/');
        if !is_valid {
            return Err(failed(Code::Invalid, "no valid method, path or header".to_owned()));
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_lowercase();
        self.call.sent.push(Sent {
            upstream: request.upstream.clone(),
            method: request.method.clone(),
            path: request.path.clone(),
            headers: request.headers.iter().map(|(name, value)| (text(name), Bytes::from(value))).collect(),
            body: Bytes::from(&request.body),
        });
        self.fetches.answer(request)
    }
}

impl ExchangeState {
    pub(super) fn fields(&mut self, map: HeaderMap) -> Result<&mut Fields, Code> {
        match map {
            HeaderMap::Request if !self.sent => Ok(&mut self.request.headers),
            HeaderMap::Response => self.response.as_mut().map(|(_, headers)| headers).ok_or(Code::WrongPhase),
            HeaderMap::Request => Err(Code::WrongPhase),
            HeaderMap::Trailers => self.trailers.as_mut().ok_or(Code::WrongPhase),
        }
    }

    pub(super) fn values(&mut self, scope: Scope) -> &mut HashMap<Vec<u8>, Vec<u8>> {
        match scope {
            Scope::Step => &mut self.step_values,
            Scope::Exchange => &mut self.exchange_values,
        }
    }
}
