//! One case: what goes in, and what has to come of it.

use std::collections::BTreeMap;

use serde::Deserialize;
use sluice_sdk_grpc::frame;
use sluice_sdk_testing::{Exchange, Request, Response, TestPlugin, Value};

use crate::common::frames;
use crate::set::{Method, Types};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// The case's name in its suite.
    pub(crate) of: String,
    #[serde(default)]
    pub(crate) config: Value,
    /// `limits.body` of the step.
    pub(crate) limit: Option<usize>,
    /// Methods of its own.
    pub(crate) methods: Option<Vec<Method>>,
    /// A descriptor set that is none.
    pub(crate) set: Option<String>,
    /// Why the configuration is refused.
    pub(crate) unloadable: Option<String>,
    /// Method and target, such as `GET /a?b=c`.
    #[serde(default)]
    pub(crate) request: String,
    #[serde(default)]
    headers: BTreeMap<String, Values>,
    body: Option<String>,
    /// The body, in hexadecimal digits.
    bytes: Option<String>,
    /// The body, in pieces.
    chunks: Option<Vec<String>>,

    /// The method that is called, with these messages.
    calls: Option<String>,
    #[serde(default)]
    messages: Vec<Value>,
    /// Headers of the call; those that are null are not there.
    #[serde(default)]
    metadata: BTreeMap<String, Option<Values>>,
    /// The request goes on as it is.
    #[serde(default)]
    passes: bool,
    /// The status of the answer, and the type of the problem.
    refused: Option<u16>,
    problem: Option<String>,

    answer: Option<Answer>,
    response: Option<Expected>,
    /// What the suite expects, where Sluice differs on purpose.
    pub(crate) theirs: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Several(Vec<String>),
}

/// What the service answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    messages: Vec<Value>,
    /// Of another type than the method gives.
    message_type: Option<String>,
    /// The body, in hexadecimal digits.
    bytes: Option<String>,
    /// The body comes in pieces of this size.
    pieces: Option<usize>,
    trailers: Option<BTreeMap<String, String>>,
}

/// What the client gets.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    body: Option<String>,
    json: Option<Value>,
    /// One JSON text in each line.
    lines: Option<Vec<Value>>,
    /// Why the body breaks off: what is told holds this.
    fails: Option<String>,
    #[serde(default)]
    trailers: BTreeMap<String, Option<String>>,
}

fn ok() -> u16 {
    200
}

impl Values {
    fn all(&self) -> Vec<&str> {
        match self {
            Self::One(value) => vec![value],
            Self::Several(values) => values.iter().map(String::as_str).collect(),
        }
    }
}

impl Case {
    pub(crate) fn check(&self, plugin: &TestPlugin, methods: &[Method], types: &Types) -> Result<(), String> {
        let mut exchange = plugin.send(self.request());
        if let Some(failure) = exchange.failure().or(exchange.fault()) {
            return Err(format!("it fails: {failure}"));
        }
        if let Some(status) = self.refused {
            return self.check_refusal(&exchange, status);
        }
        if !exchange.is_forwarded() {
            return Err(format!(
                "it is refused: {} {}",
                exchange.answer().status(),
                exchange.answer().text()
            ));
        }
        let method = if self.passes {
            self.check_passage(&exchange)?;
            None
        } else {
            let name = self.calls.as_deref().ok_or("nothing is expected")?;
            let method =
                methods.iter().find(|method| method.name == name).ok_or("there is no such method")?;
            self.check_call(&exchange, method, types)?;
            Some(method)
        };
        let (answer, expected) = match (&self.answer, &self.response) {
            (Some(answer), Some(expected)) => (answer, expected),
            (None, None) => return Ok(()),
            _ => return Err("an answer wants a response, and the reverse".to_owned()),
        };
        let response = exchange.respond(answer.response(method, types));
        match (exchange.failure().or(exchange.fault()), &expected.fails) {
            (None, None) => {}
            (Some(told), Some(reason)) if told.contains(reason) => {}
            (told, _) => return Err(format!("the response fails: {told:?}")),
        }
        expected.check(&response)
    }

    fn request(&self) -> Request {
        let (method, target) = self.request.split_once(' ').expect("a method and a target");
        let mut request = Request::new(method, target);
        for (name, values) in &self.headers {
            for value in values.all() {
                request = request.with_header(name, value);
            }
        }
        match (&self.body, &self.bytes, &self.chunks) {
            (Some(body), ..) => request.with_body(body),
            (_, Some(bytes), _) => request.with_body(from_hex(bytes)),
            (.., Some(chunks)) => request.with_chunks(chunks),
            _ => request,
        }
    }

    fn check_refusal(&self, exchange: &Exchange<'_>, status: u16) -> Result<(), String> {
        if exchange.is_forwarded() {
            return Err(format!("it is taken, as {}", exchange.forwarded().path()));
        }
        let answer = exchange.answer();
        same("the status", &answer.status(), &status)?;
        match &self.problem {
            Some(problem) => same("the problem", &answer.problem()["type"], &Value::from(problem.as_str())),
            None => Ok(()),
        }
    }

    fn check_passage(&self, exchange: &Exchange<'_>) -> Result<(), String> {
        let forwarded = exchange.forwarded();
        let target = match forwarded.query() {
            Some(query) => format!("{} {}?{query}", forwarded.method(), forwarded.path()),
            None => format!("{} {}", forwarded.method(), forwarded.path()),
        };
        same("the target", &target, &self.request)?;
        same("the body", &forwarded.text(), &self.body.clone().unwrap_or_default())
    }

    fn check_call(&self, exchange: &Exchange<'_>, method: &Method, types: &Types) -> Result<(), String> {
        let forwarded = exchange.forwarded();
        same("the method", &forwarded.path(), &format!("/suites.Service/{}", method.name).as_str())?;
        same("the query", &forwarded.query(), &None)?;
        same("the content type", &forwarded.header("content-type"), &Some("application/grpc"))?;
        let messages = frames(&forwarded.body());
        let messages = messages.iter().map(|message| types.read(&method.takes, message));
        same("what is called", &messages.collect::<Result<Vec<_>, _>>()?, &self.messages)?;
        for (name, values) in &self.metadata {
            let values = values.as_ref().map(Values::all).unwrap_or_default();
            same(name, &forwarded.header_all(name), &values)?;
        }
        Ok(())
    }
}

impl Answer {
    fn response(&self, method: Option<&Method>, types: &Types) -> Response {
        let mut response = Response::new(self.status);
        if !self.headers.contains_key("content-type") {
            response = response.with_header("content-type", "application/grpc");
        }
        for (name, value) in &self.headers {
            response = response.with_header(name, value);
        }
        let mut body = self.bytes.as_deref().map(from_hex).unwrap_or_default();
        for message in &self.messages {
            let gives = self.message_type.as_ref().or(method.map(|method| &method.gives));
            body.extend(frame(0, &types.wire(gives.expect("a type"), message)));
        }
        response = match self.pieces {
            Some(size) => response.with_chunks(body.chunks(size)),
            None => response.with_body(body),
        };
        match &self.trailers {
            None => response.with_trailer("grpc-status", "0"),
            Some(trailers) => {
                trailers.iter().fold(response, |response, (name, value)| response.with_trailer(name, value))
            }
        }
    }
}

impl Expected {
    fn check(&self, response: &Response) -> Result<(), String> {
        let text = response.text();
        same(&format!("the status of {text}"), &response.status(), &self.status)?;
        for (name, value) in &self.headers {
            same(name, &response.header(name), &value.as_deref())?;
        }
        for (name, value) in &self.trailers {
            same(name, &response.trailer(name), &value.as_deref())?;
        }
        if let Some(body) = &self.body {
            same("the body", &text, body)?;
        }
        if let Some(json) = &self.json {
            same("the body", &parsed(&text)?, json)?;
        }
        if let Some(lines) = &self.lines {
            same("the lines", &text.lines().map(parsed).collect::<Result<Vec<_>, _>>()?, lines)?;
        }
        Ok(())
    }
}

fn parsed(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{text}: {error}"))
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: &T, should: &T) -> Result<(), String> {
    if is == should { Ok(()) } else { Err(format!("{what} is {is:?}, not {should:?}")) }
}

fn from_hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks_exact(2).map(|pair| str::from_utf8(pair).expect("digits"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("digits")).collect()
}
