//! The cases of the protobuf project's conformance suite (`tests/data/README.md`), in proto3, in proto2 and in editions.

use serde::Deserialize;
use serde_json::Value;
use sluice_sdk_protobuf::{Error, MessageId, Pool, ReadOptions, WriteOptions};

/// The message types that cases of a syntax are tried with.
const PROTO3: [&str; 2] = ["test.conformance.All", "test.conformance.edition.All"];
const PROTO2: [&str; 2] = ["test.conformance.two.All", "test.conformance.editiontwo.All"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The case's name in the suite.
    of: String,
    /// Where it is not one of proto3 and of proto2.
    syntax: Option<Syntax>,
    /// What comes in: a message in JSON, or on the wire in hexadecimal digits.
    json: Option<String>,
    wire: Option<String>,
    #[serde(default)]
    ignore_unknown: bool,
    #[serde(default)]
    refused: bool,
    #[serde(flatten)]
    outcome: Outcome,
    /// What differs in proto2.
    #[serde(default)]
    proto2: Outcome,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Syntax {
    Proto3,
    Proto2,
    Edition2,
}

/// What a message is.
#[derive(Clone, Default, Deserialize)]
struct Outcome {
    /// In canonical JSON.
    is: Option<Value>,
    /// On the wire, as canonical JSON is read.
    becomes: Option<String>,
}

struct Suite {
    pool: Pool,
    wrong: Vec<String>,
}

#[test]
fn every_case_of_the_conformance_suite() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("data/conformance/cases.json")).unwrap();
    assert_eq!(cases.len(), 938);
    let pool = Pool::new(include_bytes!("data/conformance/all.binpb")).unwrap();
    let mut suite = Suite { pool, wrong: Vec::new() };
    for case in &cases {
        let proto2 = Outcome {
            is: case.proto2.is.clone().or_else(|| case.outcome.is.clone()),
            becomes: case.proto2.becomes.clone().or_else(|| case.outcome.becomes.clone()),
        };
        let (three, two) = match case.syntax {
            None => (&PROTO3[..], &PROTO2[..]),
            Some(Syntax::Proto3) => (&PROTO3[..], &[][..]),
            Some(Syntax::Proto2) => (&[][..], &PROTO2[..]),
            Some(Syntax::Edition2) => (&[][..], &PROTO2[1..]),
        };
        for name in three {
            suite.check(case, name, &case.outcome);
        }
        for name in two {
            suite.check(case, name, &proto2);
        }
    }
    assert!(suite.wrong.is_empty(), "{} cases:\n{}", suite.wrong.len(), suite.wrong.join("\n"));
}

impl Suite {
    fn check(&mut self, case: &Case, name: &str, outcome: &Outcome) {
        let id = self.pool.message(name).expect("a message of the set");
        let told = match (&case.json, &case.wire) {
            (Some(json), None) => {
                // The extension has a name of its own in each file.
                let json = json.replace("test.conformance.two.", name.trim_end_matches("All"));
                self.json(case, id, &json, outcome)
            }
            (None, Some(wire)) => self.wire(case, id, &bytes(wire), outcome),
            _ => Err("it has not one input".to_owned()),
        };
        if let Err(what) = told {
            self.wrong.push(format!("{} of `{name}`: {what}", case.of));
        }
    }

    fn json(&self, case: &Case, id: MessageId, json: &str, outcome: &Outcome) -> Result<(), String> {
        let options = ReadOptions { ignore_unknown: case.ignore_unknown, ..ReadOptions::default() };
        let mut wire = Vec::new();
        let read = self.pool.to_wire(id, json.as_bytes(), &options, &mut wire);
        if case.refused {
            return if read.is_err() { Ok(()) } else { Err("it is taken".to_owned()) };
        }
        read.map_err(|error| error.to_string())?;
        if let Some(becomes) = &outcome.becomes
            && wire != bytes(becomes)
        {
            return Err(format!("it becomes {wire:02x?}, not {becomes}"));
        }
        self.is(id, &wire, outcome).map(drop)
    }

    fn wire(&self, case: &Case, id: MessageId, wire: &[u8], outcome: &Outcome) -> Result<(), String> {
        if case.refused {
            return if self.write(id, wire).is_err() { Ok(()) } else { Err("it is taken".to_owned()) };
        }
        let json = self.is(id, wire, outcome)?;
        if let Some(becomes) = &outcome.becomes {
            let mut back = Vec::new();
            let read = self.pool.to_wire(id, json.as_bytes(), &ReadOptions::default(), &mut back);
            read.map_err(|error| format!("{json} is not read: {error}"))?;
            if back != bytes(becomes) {
                return Err(format!("{json} becomes {back:02x?}, not {becomes}"));
            }
        }
        Ok(())
    }

    /// The JSON of a message, which has to be the one that is expected.
    fn is(&self, id: MessageId, wire: &[u8], outcome: &Outcome) -> Result<String, String> {
        let json = self.write(id, wire).map_err(|error| format!("it is not written: {error}"))?;
        let written: Value = serde_json::from_str(&json).map_err(|error| format!("{json}: {error}"))?;
        let expected = outcome.is.as_ref().ok_or("nothing is expected")?;
        let package = self.pool[id].name.trim_end_matches("All");
        let expected: Value =
            serde_json::from_str(&expected.to_string().replace("test.conformance.two.", package))
                .expect("JSON with another name in it");
        if same(&written, &expected) { Ok(json) } else { Err(format!("it is {json}, not {expected}")) }
    }

    fn write(&self, id: MessageId, wire: &[u8]) -> Result<String, Error> {
        let mut out = Vec::new();
        self.pool.to_json(id, wire, &WriteOptions::default(), &mut out)?;
        Ok(String::from_utf8(out).expect("JSON is text"))
    }
}

/// Whether two values are the same, numbers by what they are and not by how they are written.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| same(value, other)))
        }
        (one, other) => one == other,
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).expect("digits"), 16).expect("digits"))
        .collect()
}
