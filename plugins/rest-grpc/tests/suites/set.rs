//! Descriptor sets of the suites' messages, with the methods of a case.

use serde::Deserialize;
use serde_json::Map;
use sluice_sdk_protobuf::{Pool, ReadOptions, WriteOptions, put_bytes};
use sluice_sdk_testing::Value;

const MESSAGES: &[u8] = include_bytes!("../data/suites/messages.binpb");

/// `google.api.http` of `MethodOptions`.
const HTTP: u32 = 72_295_728;

/// A method, and `google.api.HttpRule`s in JSON.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) takes: String,
    pub(crate) gives: String,
    #[serde(default)]
    rules: Vec<Map<String, Value>>,
    #[serde(default)]
    takes_stream: bool,
    #[serde(default)]
    gives_stream: bool,
}

/// The messages.
pub(crate) struct Types(Pool);

impl Types {
    pub(crate) fn new() -> Self {
        Self(Pool::new(MESSAGES).expect("a descriptor set"))
    }

    /// A set in which the service `suites.Service` has these methods.
    pub(crate) fn set(&self, methods: &[Method]) -> Vec<u8> {
        let mut service = Vec::new();
        put_bytes(&mut service, 1, b"Service");
        for method in methods {
            put_bytes(&mut service, 2, &self.method(method));
        }
        let mut file = Vec::new();
        put_bytes(&mut file, 1, b"service.proto");
        put_bytes(&mut file, 2, b"suites");
        for import in
            ["messages.proto", "old.proto", "google/api/httpbody.proto", "google/protobuf/empty.proto"]
        {
            put_bytes(&mut file, 3, import.as_bytes());
        }
        put_bytes(&mut file, 6, &service);
        put_bytes(&mut file, 12, b"proto3");
        let mut set = MESSAGES.to_vec();
        put_bytes(&mut set, 1, &file);
        set
    }

    fn method(&self, method: &Method) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, 1, method.name.as_bytes());
        put_bytes(&mut out, 2, format!(".{}", full(&method.takes)).as_bytes());
        put_bytes(&mut out, 3, format!(".{}", full(&method.gives)).as_bytes());
        if let Some((first, others)) = method.rules.split_first() {
            let mut http = rule(first);
            for other in others {
                put_bytes(&mut http, 11, &rule(other));
            }
            let mut options = Vec::new();
            put_bytes(&mut options, HTTP, &http);
            put_bytes(&mut out, 4, &options);
        }
        out.extend([0x28, u8::from(method.takes_stream), 0x30, u8::from(method.gives_stream)]);
        out
    }

    /// The wire form of a message.
    pub(crate) fn wire(&self, name: &str, message: &Value) -> Vec<u8> {
        let id = self.0.message(&full(name)).expect("a message of the set");
        let mut out = Vec::new();
        let read = self.0.to_wire(id, message.to_string().as_bytes(), &ReadOptions::default(), &mut out);
        read.expect("a message");
        out
    }

    /// What a message says.
    pub(crate) fn read(&self, name: &str, wire: &[u8]) -> Result<Value, String> {
        let id = self.0.message(&full(name)).expect("a message of the set");
        let mut out = Vec::new();
        let written = self.0.to_json(id, wire, &WriteOptions::default(), &mut out);
        written.map_err(|error| error.to_string())?;
        serde_json::from_slice(&out).map_err(|error| error.to_string())
    }
}

fn full(name: &str) -> String {
    if name.starts_with("google.") { name.to_owned() } else { format!("suites.{name}") }
}

fn rule(rule: &Map<String, Value>) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in rule {
        let text = value.as_str().expect("a text");
        let number = match key.as_str() {
            "get" => 2,
            "put" => 3,
            "post" => 4,
            "delete" => 5,
            "patch" => 6,
            "body" => 7,
            "response_body" => 12,
            kind => {
                let mut custom = Vec::new();
                put_bytes(&mut custom, 1, kind.as_bytes());
                put_bytes(&mut custom, 2, text.as_bytes());
                put_bytes(&mut out, 8, &custom);
                continue;
            }
        };
        put_bytes(&mut out, number, text.as_bytes());
    }
    out
}
