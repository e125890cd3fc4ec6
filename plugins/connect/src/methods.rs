//! The services' methods, and their messages in JSON.

use std::collections::HashMap;

use sluice_sdk::prelude::*;
use sluice_sdk_protobuf::{ErrorKind, Fields, MessageId, Pool, ReadOptions, Value, WriteOptions};

use crate::config::{Config, UnknownFields};

/// What is known of the services.
#[derive(Default)]
pub(crate) struct Methods {
    pool: Option<Pool>,
    /// By `package.Service/Method`.
    by_name: HashMap<String, u32>,
    list: Vec<Method>,
    /// What may be called with GET beside what says so itself.
    get: Vec<String>,
    reading: ReadOptions,
}

/// A method of the descriptors.
pub(crate) struct Method {
    input: MessageId,
    output: MessageId,
    /// Whether it takes or answers a stream.
    pub(crate) is_streaming: bool,
    has_no_side_effects: bool,
}

/// Of a method, by which it is found again.
pub(crate) type MethodId = u32;

/// `idempotency_level` in `MethodOptions`, and its `NO_SIDE_EFFECTS`.
const IDEMPOTENCY_LEVEL: u32 = 34;
const NO_SIDE_EFFECTS: u64 = 1;

impl Methods {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let reading = ReadOptions {
            ignore_unknown: config.unknown_fields == UnknownFields::Ignore,
            ..ReadOptions::default()
        };
        let mut methods = Self { get: config.get.clone(), reading, ..Self::default() };
        if let Some(asset) = &config.descriptors {
            methods.load(Pool::new(&asset.bytes()?).context("`descriptors`")?)?;
        }
        Ok(methods)
    }

    fn load(&mut self, pool: Pool) -> Result<()> {
        for service in pool.services() {
            for method in &service.methods {
                let id = MethodId::try_from(self.list.len()).context("`descriptors` has too many methods")?;
                self.by_name.insert(format!("{}/{}", service.name, method.name), id);
                self.list.push(Method {
                    input: method.input,
                    output: method.output,
                    is_streaming: method.client_streaming || method.server_streaming,
                    has_no_side_effects: has_no_side_effects(&method.options),
                });
            }
        }
        ensure!(!self.list.is_empty(), "`descriptors` has no service");
        self.pool = Some(pool);
        Ok(())
    }

    pub(crate) fn has_descriptors(&self) -> bool {
        self.pool.is_some()
    }

    /// The method that a path names, whatever stands before it.
    pub(crate) fn find(&self, path: &str) -> Option<(MethodId, &Method)> {
        let id = *self.by_name.get(procedure(path)?)?;
        Some((id, self.get_by_id(id)?))
    }

    fn get_by_id(&self, id: MethodId) -> Option<&Method> {
        self.list.get(usize::try_from(id).ok()?)
    }

    /// Whether a GET may call it.
    pub(crate) fn may_get(&self, path: &str) -> bool {
        let marked = self.find(path).is_some_and(|(_, method)| method.has_no_side_effects);
        let Some(name) = procedure(path) else { return false };
        let service = name.split('/').next().unwrap_or_default();
        marked || self.get.iter().any(|entry| entry == name || entry.strip_suffix("/*") == Some(service))
    }

    /// A request's message as Protobuf writes it.
    pub(crate) fn read(&self, id: MethodId, json: &[u8]) -> Result<Vec<u8>, Problem> {
        let known = self.pool.as_ref().zip(self.get_by_id(id));
        let Some((pool, method)) = known else { return Err(Problem::new(500, "the method is gone")) };
        let mut wire = Vec::with_capacity(json.len());
        match pool.to_wire(method.input, json, &self.reading, &mut wire) {
            Ok(()) => Ok(wire),
            Err(error) if error.kind() == ErrorKind::Bound => {
                Err(Problem::content_too_large(error.to_string()).kind("connect-message-too-large"))
            }
            Err(error) => Err(Problem::bad_request(error.to_string()).kind("connect-message-invalid")),
        }
    }

    /// A response's message in JSON.
    pub(crate) fn write(&self, id: MethodId, wire: &[u8]) -> Result<Vec<u8>> {
        let (pool, method) = self.pool.as_ref().zip(self.get_by_id(id)).context("the method is gone")?;
        let mut json = Vec::with_capacity(wire.len() * 2);
        pool.to_json(method.output, wire, &WriteOptions::default(), &mut json)?;
        Ok(json)
    }

    /// A message of any known type in JSON, for people to read.
    pub(crate) fn show(&self, type_name: &str, wire: &[u8]) -> Option<serde_json::Value> {
        let pool = self.pool.as_ref()?;
        let mut json = Vec::new();
        pool.to_json(pool.message(type_name)?, wire, &WriteOptions::default(), &mut json).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

/// The last two segments of a path: service and method.
fn procedure(path: &str) -> Option<&str> {
    let before_method = path.rfind('/')?;
    let before_service = path[..before_method].rfind('/')?;
    Some(&path[before_service + 1..])
}

fn has_no_side_effects(options: &[u8]) -> bool {
    let levels = Fields::new(options).map_while(|field| field.ok()).filter_map(|field| match field {
        (IDEMPOTENCY_LEVEL, Value::Varint(value)) => Some(value),
        _ => None,
    });
    levels.last() == Some(NO_SIDE_EFFECTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_method_whatever_stands_before_it() {
        assert_eq!(procedure("/shop.v1.Books/Get"), Some("shop.v1.Books/Get"));
        assert_eq!(procedure("/api/v1/shop.v1.Books/Get"), Some("shop.v1.Books/Get"));
        assert_eq!((procedure("/Get"), procedure("")), (None, None));
    }

    #[test]
    fn get_is_for_methods_that_are_named() {
        let get = vec!["shop.v1.Books/Get".to_owned(), "shop.v1.Shelves/*".to_owned()];
        let methods = Methods { get, ..Methods::default() };
        for (path, may) in [
            ("/shop.v1.Books/Get", true),
            ("/shop.v1.Books/Delete", false),
            ("/shop.v1.Shelves/List", true),
            ("/api/shop.v1.Shelves/List", true),
            ("/xshop.v1.Shelves/List", false),
            ("/", false),
        ] {
            assert_eq!(methods.may_get(path), may, "{path}");
        }
    }

    #[test]
    fn methods_say_that_they_have_no_side_effects() {
        assert!(has_no_side_effects(&[0x90, 0x02, 1]));
        assert!(!has_no_side_effects(&[0x90, 0x02, 2]));
        assert!(!has_no_side_effects(&[]));
        assert!(!has_no_side_effects(&[0x90]));
    }
}
