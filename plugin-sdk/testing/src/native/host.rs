//! The host functions over the fake gateway's state, with the gateway's own refusals.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;

use http::HeaderMap as Fields;
use sluice_abi::harness::LogLine;
use sluice_abi::{
    BodyMode, Code, Digest, FetchRequest, FetchResponse, HeaderMap, Hold, Identity, LogLevel, Measure,
    MeterKind, Number, Phase, Reply, Scope, Signature, Take, Taken, Text, Writer, encode_list, encode_pairs,
};
use sluice_sdk::host::Host;

use super::crypto::{self, Key};
use super::head;
use super::state::{Activity, ExchangeState, State};

/// The longest reason that a plugin can give for failing, in bytes.
const MAX_REASON: usize = 4 << 10;
/// Bytes of context values, keys included, that one exchange may hold.
const MAX_CONTEXT: usize = 64 << 10;
/// Bytes of randomness in one call.
const MAX_RANDOM: usize = 64 << 10;

/// The fake gateway, as plugin code reaches it.
pub(super) struct FakeHost(Rc<RefCell<State>>);

impl FakeHost {
    pub(super) fn new(state: Rc<RefCell<State>>) -> Self {
        Self(state)
    }

    /// Opens the state for one host call, which it counts.
    fn open(&self) -> RefMut<'_, State> {
        let mut state = self.0.borrow_mut();
        let limit = state.world.limits.host_calls;
        match state.call.host_calls.checked_sub(1) {
            Some(left) => state.call.host_calls = left,
            None => panic!("more than {limit} host calls in one call"),
        }
        state
    }

    /// As `open`, for what has to be granted.
    fn granted(&self, capability: &str) -> RefMut<'_, State> {
        let state = self.open();
        assert!(
            state.capabilities.contains(&capability),
            "the plugin uses `{capability}` without saying so: write `#[plugin(capabilities({capability}))]`"
        );
        state
    }

    fn exchange(&self) -> RefMut<'_, ExchangeState> {
        RefMut::map(self.open(), State::exchange)
    }
}

fn write_header(
    host: &FakeHost,
    map: HeaderMap,
    name: &[u8],
    value: &[u8],
    write: impl FnOnce(&mut Fields, http::HeaderName, http::HeaderValue),
) -> Result<(), Code> {
    let mut state = host.open();
    state.spend_header_bytes(name.len() + value.len())?;
    let fields = state.exchange().fields(map)?;
    let (name, value) = head::field(name, value)?;
    write(fields, name, value);
    Ok(())
}

impl Host for FakeHost {
    fn config_read(&mut self) -> Result<Vec<u8>, Code> {
        Ok(self.open().config.clone())
    }

    fn text_get(&mut self, text: Text) -> Result<Vec<u8>, Code> {
        let exchange = self.exchange();
        let open = &exchange.open;
        let found = match text {
            Text::Method => Some(exchange.request.method.as_str()),
            Text::Path => Some(exchange.request.uri.path()),
            Text::Query => exchange.request.uri.query(),
            Text::Scheme => Some(open.scheme.as_str()),
            Text::Authority => Some(open.authority.as_str()),
            Text::ClientAddress => Some(open.client_address.as_str()),
            Text::RequestId => Some(open.request_id.as_str()),
            Text::Route => Some(open.route.as_str()),
            Text::Step => Some(open.step.as_str()),
            Text::Consumer => exchange.consumer.as_deref(),
            Text::Protocol => Some(open.protocol.as_str()),
        };
        found.map(|text| text.as_bytes().to_vec()).ok_or(Code::None)
    }

    fn text_set(&mut self, text: Text, value: &[u8]) -> Result<(), Code> {
        let mut state = self.open();
        state.spend_header_bytes(value.len())?;
        let exchange = state.exchange();
        if exchange.sent { Err(Code::WrongPhase) } else { exchange.request.set(text, value) }
    }

    fn number_get(&mut self, number: Number) -> Result<i64, Code> {
        let exchange = self.exchange();
        match number {
            Number::ResponseStatus => exchange
                .response
                .as_ref()
                .map(|(status, _)| i64::from(status.as_u16()))
                .ok_or(Code::WrongPhase),
            Number::BodyLength => Ok(i64::try_from(exchange.body.len()).unwrap_or(i64::MAX)),
            Number::RequestBody => Ok(i64::from(exchange.open.has_body)),
            Number::ResponseOrigin => Ok(i64::from(exchange.origin.number())),
        }
    }

    fn number_set(&mut self, number: Number, value: i64) -> Result<(), Code> {
        if number != Number::ResponseStatus {
            return Err(Code::Denied);
        }
        let mut exchange = self.exchange();
        let (status, _) = exchange.response.as_mut().ok_or(Code::WrongPhase)?;
        let wanted =
            u16::try_from(value).ok().filter(|status| (200..=599).contains(status)).ok_or(Code::Invalid)?;
        *status = http::StatusCode::from_u16(wanted).map_err(|_| Code::Invalid)?;
        Ok(())
    }

    fn header_get(&mut self, map: HeaderMap, name: &[u8]) -> Result<Vec<u8>, Code> {
        let mut exchange = self.exchange();
        let values = head::values(exchange.fields(map)?, name);
        values.first().map(|value| value.to_vec()).ok_or(Code::None)
    }

    fn header_values(&mut self, map: HeaderMap, name: &[u8]) -> Result<Vec<u8>, Code> {
        let mut exchange = self.exchange();
        let mut writer = Writer::new();
        encode_list(&mut writer, head::values(exchange.fields(map)?, name).into_iter());
        Ok(writer.finish())
    }

    fn header_list(&mut self, map: HeaderMap) -> Result<Vec<u8>, Code> {
        let mut exchange = self.exchange();
        let fields = exchange.fields(map)?;
        let pairs: Vec<_> =
            fields.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())).collect();
        let mut writer = Writer::new();
        encode_pairs(&mut writer, pairs.into_iter());
        Ok(writer.finish())
    }

    fn header_set(&mut self, map: HeaderMap, name: &[u8], value: &[u8]) -> Result<(), Code> {
        write_header(self, map, name, value, |fields, name, value| drop(fields.insert(name, value)))
    }

    fn header_append(&mut self, map: HeaderMap, name: &[u8], value: &[u8]) -> Result<(), Code> {
        write_header(self, map, name, value, |fields, name, value| {
            fields.append(name, value);
        })
    }

    fn header_remove(&mut self, map: HeaderMap, name: &[u8]) -> Result<i32, Code> {
        head::remove(self.exchange().fields(map)?, name)
    }

    fn header_remove_prefix(&mut self, map: HeaderMap, prefix: &[u8]) -> Result<i32, Code> {
        let mut exchange = self.exchange();
        let fields = exchange.fields(map)?;
        let prefix = prefix.to_ascii_lowercase();
        let names: Vec<_> =
            fields.keys().filter(|name| name.as_str().as_bytes().starts_with(&prefix)).cloned().collect();
        // Those of the host are denied, and stay.
        let removed = names.iter().filter(|name| head::remove(fields, name.as_str().as_bytes()).is_ok());
        Ok(i32::try_from(removed.count()).unwrap_or(i32::MAX))
    }

    fn body_read(&mut self, offset: usize, out: &mut [u8]) -> Result<usize, Code> {
        let mut state = self.open();
        state.in_body_phase()?;
        let rest = state.exchange().body.get(offset..).unwrap_or_default();
        let copied = rest.len().min(out.len());
        out[..copied].copy_from_slice(&rest[..copied]);
        Ok(copied)
    }

    fn body_write(&mut self, data: &[u8]) -> Result<(), Code> {
        let mut state = self.open();
        state.in_body_phase()?;
        if data.len() > state.world.limits.body {
            return Err(Code::TooLarge);
        }
        let exchange = state.exchange();
        (exchange.body, exchange.is_written) = (data.to_vec(), true);
        Ok(())
    }

    fn respond(&mut self, reply: &[u8]) -> Result<(), Code> {
        let mut state = self.open();
        let may = matches!(
            state.phase(),
            Some(
                Phase::Request
                    | Phase::RequestBody
                    | Phase::RequestChunk
                    | Phase::Response
                    | Phase::ResponseBody
            )
        );
        if !may {
            return Err(Code::WrongPhase);
        }
        let reply = Reply::decode(reply).expect("the SDK encodes what the ABI decodes");
        let (status, least, headers, body) = match &reply {
            Reply::Plain { status, headers, body } => (*status, 200, headers, body.len()),
            Reply::Problem { headers, problem } => (problem.status, 400, headers, 0),
        };
        if !(least..=599).contains(&status) {
            return Err(Code::Invalid);
        }
        if body > state.world.limits.body {
            return Err(Code::TooLarge);
        }
        state.spend_header_bytes(headers.iter().map(|(name, value)| name.len() + value.len()).sum())?;
        state.call.reply = Some(reply);
        Ok(())
    }

    fn fail(&mut self, message: &[u8]) -> Result<(), Code> {
        let message = &message[..message.len().min(MAX_REASON)];
        self.open().call.failure = Some(String::from_utf8_lossy(message).into_owned());
        Ok(())
    }

    fn context_get(&mut self, scope: Scope, key: &[u8]) -> Result<Vec<u8>, Code> {
        self.exchange().values(scope).get(key).cloned().ok_or(Code::None)
    }

    fn context_set(&mut self, scope: Scope, key: &[u8], value: &[u8]) -> Result<(), Code> {
        let mut exchange = self.exchange();
        let held = exchange.step_values.iter().chain(&exchange.exchange_values);
        let bytes: usize = held.map(|(key, value)| key.len() + value.len()).sum();
        let freed = exchange.values(scope).get(key).map_or(0, |old| key.len() + old.len());
        if bytes - freed + key.len() + value.len() > MAX_CONTEXT {
            return Err(Code::TooLarge);
        }
        exchange.values(scope).insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn context_remove(&mut self, scope: Scope, key: &[u8]) -> Result<(), Code> {
        self.exchange().values(scope).remove(key).map(drop).ok_or(Code::None)
    }

    fn outcome(&mut self) -> Result<Vec<u8>, Code> {
        let mut state = self.open();
        if state.phase() != Some(Phase::Complete) {
            return Err(Code::WrongPhase);
        }
        state.exchange().outcome.map(|outcome| outcome.encode()).ok_or(Code::None)
    }

    fn path_param(&mut self, name: &[u8]) -> Result<Vec<u8>, Code> {
        let mut state = self.open();
        let params = &state.exchange().open.path_params;
        let param = params.iter().find(|(known, _)| known.as_bytes() == name);
        param.map(|(_, value)| value.clone().into_bytes()).ok_or(Code::None)
    }

    fn consumer(&mut self) -> Result<Vec<u8>, Code> {
        let mut state = self.open();
        let exchange = state.exchange();
        let name = exchange.consumer.clone().ok_or(Code::None)?;
        let credential = exchange.credential.clone();
        state.consumer_message(&name, credential).ok_or(Code::None)
    }

    fn log_write(&mut self, level: LogLevel, message: &[u8]) -> Result<(), Code> {
        let mut state = self.granted("log");
        let limit = state.world.limits.log;
        match state.call.log_bytes.checked_sub(message.len()) {
            Some(left) => state.call.log_bytes = left,
            None => panic!("more than {limit} bytes of log lines in one call"),
        }
        let level = match level {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        };
        let message = String::from_utf8_lossy(message).into_owned();
        state.call.logs.push(LogLine { level: level.to_owned(), message });
        Ok(())
    }

    fn clock_now(&mut self) -> Result<i64, Code> {
        Ok(self.granted("clock").now_ns().cast_signed())
    }

    fn clock_monotonic(&mut self) -> Result<i64, Code> {
        Ok((self.granted("clock").monotonic_ms * 1_000_000).cast_signed())
    }

    fn random_fill(&mut self, out: &mut [u8]) -> Result<(), Code> {
        let mut state = self.granted("random");
        if out.len() > MAX_RANDOM {
            return Err(Code::TooLarge);
        }
        state.random.fill(out);
        Ok(())
    }

    fn store_get(&mut self, key: &[u8]) -> Result<Vec<u8>, Code> {
        let state = self.granted("store");
        state.store.get(state.now_ns(), key)
    }

    fn store_set(&mut self, key: &[u8], value: &[u8], ttl_ms: i64) -> Result<(), Code> {
        let mut state = self.granted("store");
        let now = state.now_ns();
        state.store.set(now, key, value, ttl_ms)
    }

    /// Nothing here is ever full.
    fn store_cache(&mut self, key: &[u8], value: &[u8], ttl_ms: i64) -> Result<(), Code> {
        self.store_set(key, value, ttl_ms)
    }

    fn store_delete(&mut self, key: &[u8]) -> Result<(), Code> {
        let mut state = self.granted("store");
        let now = state.now_ns();
        state.store.delete(now, key)
    }

    fn store_add(&mut self, key: &[u8], delta: i64, ttl_ms: i64) -> Result<i64, Code> {
        let mut state = self.granted("store");
        let now = state.now_ns();
        state.store.add(now, key, delta, ttl_ms)
    }

    fn store_take(&mut self, takes: &[u8]) -> Result<Vec<u8>, Code> {
        let mut state = self.granted("store");
        let takes = Take::decode_all(takes).expect("a quota and a window are at least 1");
        let now = state.now_ns();
        Ok(Taken::encode_all(&state.store.take(now, &takes)?))
    }

    fn store_lead(&mut self, key: &[u8], lease_ms: i64, _: i64) -> Result<Vec<u8>, Code> {
        let mut state = self.granted("store");
        let now = state.now_ns();
        state.store.lead(now, key, lease_ms)
    }

    fn store_release(&mut self, key: &[u8]) -> Result<(), Code> {
        let mut state = self.granted("store");
        let now = state.now_ns();
        state.store.release(now, key)
    }

    fn identify(&mut self, by: Identity, name: &[u8]) -> Result<Vec<u8>, Code> {
        let state = self.granted("consumers");
        let name = std::str::from_utf8(name).map_err(|_| Code::None)?;
        let (consumer, credential) = state.identified(by, name).ok_or(Code::None)?;
        state.consumer_message(&consumer, credential).ok_or(Code::None)
    }

    fn set_consumer(&mut self, name: &[u8], credential: &[u8]) -> Result<(), Code> {
        let mut state = self.granted("consumers");
        let known = state.world.consumers.iter().find(|consumer| consumer.name.as_bytes() == name);
        let name = known.map(|consumer| consumer.name.clone()).ok_or(Code::None)?;
        let credential = String::from_utf8(credential.to_vec()).map_err(|_| Code::Invalid)?;
        let exchange = state.exchange();
        exchange.consumer = Some(name);
        exchange.credential = Some(credential).filter(|credential| !credential.is_empty());
        Ok(())
    }

    fn signature_key(&mut self, id: &[u8]) -> Result<i32, Code> {
        let mut state = self.granted("consumers");
        let mut keys = state.world.consumers.iter().flat_map(|consumer| &consumer.signatures);
        let known = keys.find(|key| key.id.as_bytes() == id).cloned().ok_or(Code::None)?;
        let key = match (known.secret, known.public) {
            (Some(secret), _) => Key::Secret(secret.into_bytes()),
            (None, Some(public)) => Key::public(public.as_bytes())?,
            (None, None) => return Err(Code::None),
        };
        Ok(state.keep(key))
    }

    fn jwks_verify(
        &mut self,
        set: &[u8],
        kid: &[u8],
        signature: Signature,
        data: &[u8],
        bytes: &[u8],
    ) -> Result<(), Code> {
        let state = self.granted("jwks");
        let set =
            std::str::from_utf8(set).ok().and_then(|name| state.world.jwks.get(name)).ok_or(Code::Denied)?;
        crypto::verify_with_set(set, &String::from_utf8_lossy(kid), signature, data, bytes)
    }

    fn certificate(&mut self) -> Result<Vec<u8>, Code> {
        let exchange = self.exchange();
        exchange.open.certificate.as_ref().map(|certificate| certificate.0.clone()).ok_or(Code::None)
    }

    fn body_mode(&mut self, map: HeaderMap, mode: BodyMode) -> Result<(), Code> {
        let mut state = self.open();
        let (whole, chunks) = match (state.phase(), map) {
            (Some(Phase::Request), HeaderMap::Request) => (Phase::RequestBody, Phase::RequestChunk),
            (Some(Phase::Response), HeaderMap::Response) => (Phase::ResponseBody, Phase::ResponseChunk),
            _ => return Err(Code::WrongPhase),
        };
        let fits = match mode {
            BodyMode::Skip => true,
            BodyMode::Whole => state.phases.contains(&whole),
            BodyMode::Chunks => state.phases.contains(&chunks),
        };
        if !fits {
            return Err(Code::Invalid);
        }
        state.exchange().body_mode = Some(mode);
        Ok(())
    }

    fn body_hold(&mut self, from: usize, want: usize) -> Result<(), Code> {
        let mut state = self.open();
        if !state.phase().is_some_and(Phase::is_chunk) {
            return Err(Code::WrongPhase);
        }
        let most = state.world.limits.body;
        let exchange = state.exchange();
        exchange.hold = Some(Hold::new(from, want, exchange.shown, exchange.is_last, most)?);
        Ok(())
    }

    fn asset_length(&mut self, name: &[u8]) -> Result<i64, Code> {
        let state = self.open();
        Ok(i64::try_from(state.asset(name)?.len()).unwrap_or(i64::MAX))
    }

    fn asset_read(&mut self, name: &[u8], offset: usize, out: &mut [u8]) -> Result<usize, Code> {
        let state = self.open();
        let rest = state.asset(name)?.get(offset..).unwrap_or_default();
        let copied = rest.len().min(out.len());
        out[..copied].copy_from_slice(&rest[..copied]);
        Ok(copied)
    }

    fn digest(&mut self, digest: Digest, data: &[u8]) -> Result<Vec<u8>, Code> {
        let _ = self.granted("crypto");
        Ok(crypto::digest(digest, data))
    }

    fn key_secret(&mut self, name: &[u8]) -> Result<i32, Code> {
        let _ = self.granted("secret");
        let mut state = self.granted("crypto");
        let name = std::str::from_utf8(name).map_err(|_| Code::Invalid)?;
        let secret = state.world.secrets.get(name).cloned().ok_or(Code::Denied)?;
        Ok(state.keep(Key::Secret(secret.into_bytes())))
    }

    fn key_raw(&mut self, bytes: &[u8]) -> Result<i32, Code> {
        Ok(self.granted("crypto").keep(Key::Secret(bytes.to_vec())))
    }

    fn key_public(&mut self, bytes: &[u8]) -> Result<i32, Code> {
        let mut state = self.granted("crypto");
        let key = Key::public(bytes)?;
        Ok(state.keep(key))
    }

    fn hmac(&mut self, digest: Digest, key: i32, data: &[u8]) -> Result<Vec<u8>, Code> {
        let state = self.granted("crypto");
        crypto::hmac(digest, state.key(key)?, data)
    }

    fn hmac_verify(&mut self, digest: Digest, key: i32, data: &[u8], tag: &[u8]) -> Result<(), Code> {
        let state = self.granted("crypto");
        crypto::verify(digest, state.key(key)?, data, tag)
    }

    fn equal(&mut self, a: &[u8], b: &[u8]) -> Result<bool, Code> {
        let _ = self.granted("crypto");
        Ok(a == b)
    }

    fn verify(&mut self, signature: Signature, key: i32, data: &[u8], bytes: &[u8]) -> Result<(), Code> {
        let state = self.granted("crypto");
        state.key(key)?.verify(signature, data, bytes)
    }

    fn fetch(&mut self, requests: &[u8]) -> Result<Vec<u8>, Code> {
        let mut state = self.granted("fetch");
        if state.call.activity == Activity::Load {
            return Err(Code::WrongPhase);
        }
        let requests = FetchRequest::decode_all(requests).expect("the SDK encodes what the ABI decodes");
        let answers: Vec<_> = requests.iter().map(|request| state.fetch_one(request)).collect();
        Ok(FetchResponse::encode_all(&answers))
    }

    fn meter_open(&mut self, name: &[u8]) -> Result<i32, Code> {
        self.granted("meter").open_meter(name)
    }

    fn meter_describe(&mut self, meter: i32) -> Result<i32, Code> {
        let state = self.granted("meter");
        let (_, kind) = state.meter(meter)?;
        Ok(MeterKind::describe(kind.aggregation, kind.decimals))
    }

    fn meter_add(&mut self, meter: i32, value: i64) -> Result<(), Code> {
        self.granted("meter").record(meter, |kind, recorded| recorded.add(kind.aggregation, value))
    }

    fn meter_seen(&mut self, meter: i32, subject: &[u8]) -> Result<(), Code> {
        self.granted("meter").record(meter, |kind, recorded| recorded.seen(kind.aggregation, subject))
    }

    fn meter_measure(&mut self, meter: i32, what: Measure) -> Result<(), Code> {
        self.granted("meter").record(meter, |kind, recorded| recorded.measure(kind.aggregation, what))
    }

    fn meter_expect(&mut self, meter: i32, value: i64) -> Result<(), Code> {
        let mut state = self.granted("meter");
        state.meter(meter)?;
        if !matches!(state.phase(), Some(Phase::Request | Phase::RequestBody)) {
            return Err(Code::WrongPhase);
        }
        state.record(meter, |kind, recorded| recorded.expect(kind.aggregation, value))
    }

    fn meter_dimension(&mut self, meter: i32, name: &[u8], value: &[u8]) -> Result<(), Code> {
        let mut state = self.granted("meter");
        let (_, kind) = state.meter(meter)?;
        // Also while it is configured, when nothing can be set: so a plugin learns whether there is such a one.
        if !kind.dimensions.iter().any(|known| known.as_bytes() == name) {
            return Err(Code::None);
        }
        state.record(meter, |kind, recorded| recorded.dimension(&kind.dimensions, name, value))
    }

    fn meter_cancel(&mut self, meter: i32) -> Result<(), Code> {
        self.granted("meter").record(meter, |_, recorded| {
            recorded.cancel();
            Ok(())
        })
    }
}
