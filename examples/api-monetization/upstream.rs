//! What is sold: the weather, and a language model that talks of it in the shape of OpenAI's API. It needs nothing but `std`:
//!
//! `rustc --edition 2024 -o target/weather examples/api-monetization/upstream.rs && target/weather`
//!
//! A token is a word. The model `forecast-deep` thinks before it answers: 60,000 tokens that nobody sees, and that cost.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

#[path = "../../tests/harness/echo.rs"]
#[allow(
    dead_code,
    clippy::duplicate_mod,
    reason = "its reading of requests is all that is wanted, and this is one file to rustc"
)]
mod echo;

use echo::Received;

const ANSWER: &str = "Yes: light rain from the west until noon, then sun.";
const THINKING: usize = 60_000;

#[allow(dead_code, reason = "the example's test calls `start`")]
fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:9201")?;
    eprintln!("The weather is on http://{}; Ctrl-C stops.", listener.local_addr()?);
    serve(&listener, Duration::from_millis(100));
    Ok(())
}

/// Starts it beside the caller, with no pauses in its streams.
#[allow(dead_code, reason = "`main` stays in front")]
pub(crate) fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || serve(&listener, Duration::ZERO));
    Ok(address)
}

/// `pace` is how long a word of a stream takes.
fn serve(listener: &TcpListener, pace: Duration) {
    for stream in listener.incoming().flatten() {
        thread::spawn(move || converse(&stream, pace));
    }
}

fn converse(stream: &TcpStream, pace: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = echo::read(&mut reader)? {
        let path = request.line.get(1).and_then(|target| target.split('?').next()).unwrap_or("/");
        match path.strip_prefix("/weather/") {
            Some(city) if !city.is_empty() => whole(stream, "200 OK", &weather(city))?,
            None if path == "/v1/chat/completions" => Completion::of(&request).send(stream, pace)?,
            _ => whole(stream, "404 Not Found", r#"{"error":"there is nothing here"}"#)?,
        }
    }
    Ok(())
}

/// The same on each day.
fn weather(city: &str) -> String {
    let celsius = city.bytes().map(u32::from).sum::<u32>() % 30;
    format!(r#"{{"city":"{}","celsius":{celsius},"sky":"light rain"}}"#, city.escape_default())
}

fn whole(mut stream: &TcpStream, status: &str, json: &str) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: ");
    stream.write_all(format!("{head}{}\r\n\r\n{json}\n", json.len() + 1).as_bytes())
}

/// `POST /v1/chat/completions`.
struct Completion {
    model: String,
    words: Vec<&'static str>,
    /// As JSON.
    usage: String,
    stream: bool,
    /// A stream tells its usage to who asks for it.
    include_usage: bool,
}

impl Completion {
    fn of(request: &Received) -> Self {
        let body = String::from_utf8_lossy(&request.body);
        let is = |name: &str| values(&body, name).any(|value| value.starts_with("true"));
        let model = values(&body, "model").next().map_or("forecast-mini", text).to_owned();
        let most = values(&body, "max_completion_tokens").chain(values(&body, "max_tokens")).find_map(number);
        let most = most.unwrap_or(usize::MAX);
        let prompt: usize =
            values(&body, "content").map(|value| text(value).split_whitespace().count()).sum();
        let thinking = if model == "forecast-deep" { THINKING.min(most) } else { 0 };
        let words: Vec<_> = ANSWER.split_inclusive(' ').take(most - thinking).collect();
        let completion = thinking + words.len();
        let total = prompt + completion;
        let usage = format!(
            r#"{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{total},"completion_tokens_details":{{"reasoning_tokens":{thinking}}}}}"#
        );
        Self { model, words, usage, stream: is("stream"), include_usage: is("include_usage") }
    }

    fn send(&self, stream: &TcpStream, pace: Duration) -> io::Result<()> {
        if self.stream {
            return self.send_events(stream, pace);
        }
        let (words, usage) = (self.words.concat(), &self.usage);
        let message = format!(r#"{{"role":"assistant","content":"{words}"}}"#);
        let choice = format!(r#"{{"index":0,"message":{message},"finish_reason":"stop"}}"#);
        whole(stream, "200 OK", &self.document("", &choice, &format!(r#","usage":{usage}"#)))
    }

    fn send_events(&self, mut stream: &TcpStream, pace: Duration) -> io::Result<()> {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes())?;
        let not_yet = if self.include_usage { r#","usage":null"# } else { "" };
        for word in &self.words {
            let choice = format!(r#"{{"index":0,"delta":{{"content":"{word}"}},"finish_reason":null}}"#);
            event(stream, &self.document(".chunk", &choice, not_yet))?;
            pause(pace);
        }
        let stop = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#;
        event(stream, &self.document(".chunk", stop, not_yet))?;
        if self.include_usage {
            event(stream, &self.document(".chunk", "", &format!(r#","usage":{}"#, self.usage)))?;
        }
        event(stream, "[DONE]")?;
        stream.write_all(b"0\r\n\r\n")
    }

    fn document(&self, kind: &str, choice: &str, rest: &str) -> String {
        let model = &self.model;
        format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion{kind}","created":1700000000,"model":"{model}","choices":[{choice}]{rest}}}"#
        )
    }
}

/// One event, in a chunk of its own.
fn event(mut stream: &TcpStream, data: &str) -> io::Result<()> {
    let event = format!("data: {data}\n\n");
    stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
}

/// What follows the members of this name, wherever they are: as much of JSON as a stand-in needs.
fn values<'a>(body: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let name = format!("\"{name}\"");
    let ends: Vec<usize> = body.match_indices(&name).map(|(at, name)| at + name.len()).collect();
    ends.into_iter().map(|end| body[end..].trim_start_matches([' ', ':', '\n']))
}

fn text(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.split('"').next()).unwrap_or_default()
}

fn number(value: &str) -> Option<usize> {
    value.split(|it: char| !it.is_ascii_digit()).next()?.parse().ok()
}

#[allow(clippy::disallowed_methods, reason = "so that one sees the stream run")]
fn pause(pace: Duration) {
    thread::sleep(pace);
}
