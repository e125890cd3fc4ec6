//! A gateway of a few values, with a store that answers as it is told.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use sluice_abi::{
    BodyMode, Code, Digest, HeaderMap, Identity, LogLevel, Measure, Number, Outcome, Scope, Signature, Take,
    Taken, Text,
};
use sluice_sdk::host::{Host, install};

type Store = Box<dyn FnMut(&[Take]) -> Result<Vec<Taken>, Code>>;

/// One exchange. A clone is the same one.
#[derive(Clone)]
pub(super) struct World(Rc<RefCell<State>>);

struct State {
    /// Nothing while it answers.
    store: Option<Store>,
    asked: Vec<Vec<Take>>,
    values: HashMap<Vec<u8>, Vec<u8>>,
    request: Option<(String, String)>,
    response: HashMap<String, Vec<u8>>,
    consumer: Option<sluice_abi::Consumer>,
}

impl World {
    /// A new one, under all that this thread's plugin does.
    pub(super) fn install(store: impl FnMut(&[Take]) -> Result<Vec<Taken>, Code> + 'static) -> Self {
        let world = Self(Rc::new(RefCell::new(State {
            store: Some(Box::new(store)),
            asked: Vec::new(),
            values: HashMap::new(),
            request: None,
            response: HashMap::new(),
            consumer: None,
        })));
        install(Some(Box::new(world.clone())));
        world
    }

    /// What the store answers from now on.
    pub(super) fn answer(&self, store: impl FnMut(&[Take]) -> Result<Vec<Taken>, Code> + 'static) {
        self.0.borrow_mut().store = Some(Box::new(store));
    }

    /// What the store was asked for.
    pub(super) fn asked(&self) -> Vec<Vec<Take>> {
        self.0.borrow().asked.clone()
    }

    /// The consumer's name, and which of its credentials was shown.
    pub(super) fn identify(&self, consumer: Option<(&str, &str)>) {
        self.0.borrow_mut().consumer = consumer.map(|(name, credential)| sluice_abi::Consumer {
            name: name.to_owned(),
            id: name.to_owned(),
            custom_id: None,
            groups: Vec::new(),
            credential: Some(credential.to_owned()),
            plan: None,
            limits: Vec::new(),
        });
    }

    /// The one header of the request.
    pub(super) fn request(&self, name: &str, value: &str) {
        self.0.borrow_mut().request = Some((name.to_owned(), value.to_owned()));
    }

    /// A header of the upstream's response.
    pub(super) fn respond(&self, name: &str, value: &str) {
        self.0.borrow_mut().response.insert(name.to_owned(), value.as_bytes().to_vec());
    }

    /// A header of the response as the client gets it.
    pub(super) fn told(&self, name: &str) -> Option<String> {
        self.0.borrow().response.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

/// Functions of the host that this plugin has no use for.
macro_rules! unused {
    ($($name:ident($($argument:ty),*) -> $result:ty;)*) => {
        $(fn $name(&mut self, $(_: $argument),*) -> Result<$result, Code> {
            unreachable!(stringify!($name))
        })*
    };
}

impl Host for World {
    fn text_get(&mut self, text: Text) -> Result<Vec<u8>, Code> {
        match text {
            Text::ClientAddress => Ok(b"192.0.2.1".to_vec()),
            Text::Consumer => {
                let state = self.0.borrow();
                state.consumer.as_ref().map(|consumer| consumer.name.clone().into_bytes()).ok_or(Code::None)
            }
            _ => Err(Code::None),
        }
    }

    fn number_get(&mut self, _: Number) -> Result<i64, Code> {
        Err(Code::None)
    }

    fn header_get(&mut self, map: HeaderMap, name: &[u8]) -> Result<Vec<u8>, Code> {
        let state = self.0.borrow();
        match map {
            HeaderMap::Request => {
                let header = state.request.as_ref().filter(|(known, _)| known.as_bytes() == name);
                header.map(|(_, value)| value.clone().into_bytes())
            }
            HeaderMap::Response => state.response.get(&*String::from_utf8_lossy(name)).cloned(),
            HeaderMap::Trailers => None,
        }
        .ok_or(Code::None)
    }

    fn header_set(&mut self, _: HeaderMap, name: &[u8], value: &[u8]) -> Result<(), Code> {
        let name = String::from_utf8_lossy(name).into_owned();
        self.0.borrow_mut().response.insert(name, value.to_vec());
        Ok(())
    }

    fn header_append(&mut self, map: HeaderMap, name: &[u8], value: &[u8]) -> Result<(), Code> {
        self.header_set(map, name, value)
    }

    fn header_remove(&mut self, _: HeaderMap, name: &[u8]) -> Result<i32, Code> {
        let removed = self.0.borrow_mut().response.remove(&*String::from_utf8_lossy(name));
        Ok(i32::from(removed.is_some()))
    }

    fn context_get(&mut self, _: Scope, key: &[u8]) -> Result<Vec<u8>, Code> {
        self.0.borrow().values.get(key).cloned().ok_or(Code::None)
    }

    fn context_set(&mut self, _: Scope, key: &[u8], value: &[u8]) -> Result<(), Code> {
        self.0.borrow_mut().values.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn context_remove(&mut self, _: Scope, key: &[u8]) -> Result<(), Code> {
        self.0.borrow_mut().values.remove(key).map(drop).ok_or(Code::None)
    }

    fn outcome(&mut self) -> Result<Vec<u8>, Code> {
        let outcome = Outcome {
            status: 200,
            finished: true,
            request_bytes: 0,
            response_bytes: 0,
            duration_us: 1000,
            upstream_us: 0,
        };
        Ok(outcome.encode())
    }

    fn consumer(&mut self) -> Result<Vec<u8>, Code> {
        self.0.borrow().consumer.as_ref().map(sluice_abi::Consumer::encode).ok_or(Code::None)
    }

    fn store_take(&mut self, takes: &[u8]) -> Result<Vec<u8>, Code> {
        let takes = Take::decode_all(takes).expect("the SDK encodes what the ABI decodes");
        let mut store = {
            let mut state = self.0.borrow_mut();
            state.asked.push(takes.clone());
            state.store.take().expect("it has an answer")
        };
        let taken = store(&takes);
        self.0.borrow_mut().store.get_or_insert(store);
        taken.map(|taken| Taken::encode_all(&taken))
    }

    fn store_add(&mut self, _: &[u8], _: i64, _: i64) -> Result<i64, Code> {
        Ok(2)
    }

    unused! {
        config_read() -> Vec<u8>;
        text_set(Text, &[u8]) -> ();
        number_set(Number, i64) -> ();
        header_values(HeaderMap, &[u8]) -> Vec<u8>;
        header_list(HeaderMap) -> Vec<u8>;
        log_write(LogLevel, &[u8]) -> ();
        header_remove_prefix(HeaderMap, &[u8]) -> i32;
        body_read(usize, &mut [u8]) -> usize;
        body_write(&[u8]) -> ();
        respond(&[u8]) -> ();
        fail(&[u8]) -> ();
        path_param(&[u8]) -> Vec<u8>;
        certificate() -> Vec<u8>;
        body_mode(HeaderMap, BodyMode) -> ();
        body_hold(usize, usize) -> ();
        asset_length(&[u8]) -> i64;
        asset_read(&[u8], usize, &mut [u8]) -> usize;
        clock_now() -> i64;
        clock_monotonic() -> i64;
        random_fill(&mut [u8]) -> ();
        store_get(&[u8]) -> Vec<u8>;
        store_set(&[u8], &[u8], i64) -> ();
        store_delete(&[u8]) -> ();
        store_cache(&[u8], &[u8], i64) -> ();
        store_lead(&[u8], i64, i64) -> Vec<u8>;
        store_release(&[u8]) -> ();
        identify(Identity, &[u8]) -> Vec<u8>;
        set_consumer(&[u8], &[u8]) -> ();
        signature_key(&[u8]) -> i32;
        jwks_verify(&[u8], &[u8], Signature, &[u8], &[u8]) -> ();
        digest(Digest, &[u8]) -> Vec<u8>;
        key_secret(&[u8]) -> i32;
        key_raw(&[u8]) -> i32;
        key_public(&[u8]) -> i32;
        hmac(Digest, i32, &[u8]) -> Vec<u8>;
        hmac_verify(Digest, i32, &[u8], &[u8]) -> ();
        equal(&[u8], &[u8]) -> bool;
        verify(Signature, i32, &[u8], &[u8]) -> ();
        fetch(&[u8]) -> Vec<u8>;
        meter_open(&[u8]) -> i32;
        meter_describe(i32) -> i32;
        meter_add(i32, i64) -> ();
        meter_seen(i32, &[u8]) -> ();
        meter_measure(i32, Measure) -> ();
        meter_expect(i32, i64) -> ();
        meter_dimension(i32, &[u8], &[u8]) -> ();
        meter_cancel(i32) -> ();
    }
}
