//! What goes over the wire, as far as a publisher needs it: <https://docs.nats.io/reference/protocols/client>. Pure but for reading.

use std::io;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

/// Of a line; that of `INFO` names the servers of a cluster.
const LONGEST_LINE: u64 = 64 << 10;

/// Of a message to us, which is an acknowledgement.
const LONGEST_MESSAGE: usize = 64 << 10;

/// What the server says of itself first.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    pub(super) headers: bool,
    pub(super) tls_required: bool,
    pub(super) tls_available: bool,
    pub(super) max_payload: usize,
}

/// What we say of ourselves.
#[derive(Serialize)]
pub(super) struct Connect<'a> {
    pub(super) verbose: bool,
    pub(super) pedantic: bool,
    pub(super) tls_required: bool,
    pub(super) name: &'static str,
    pub(super) lang: &'static str,
    pub(super) version: &'static str,
    pub(super) protocol: u8,
    pub(super) headers: bool,
    pub(super) no_responders: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auth_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pass: Option<&'a str>,
}

/// What a server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Info(String),
    Ping,
    Pong,
    Ok,
    Error(String),
    /// To a subject of ours, with the status line of its headers, if it has any.
    Message {
        subject: String,
        status: Option<String>,
        payload: Vec<u8>,
    },
}

/// The answer of a stream: <https://docs.nats.io/reference/jetstream/api/stream/pub-ack>.
#[derive(Debug, Deserialize)]
pub(super) struct Acknowledgement {
    #[serde(default)]
    pub(super) error: Option<Refusal>,
    #[serde(default)]
    pub(super) stream: Option<String>,
    #[serde(default)]
    pub(super) seq: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) code: u64,
    #[serde(default)]
    pub(super) err_code: u64,
    #[serde(default)]
    pub(super) description: String,
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The next thing that the server says.
pub(super) async fn read(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Said> {
    let mut line = Vec::new();
    (&mut *reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
    if !line.ends_with(b"\n") {
        return Err(if line.len() as u64 == LONGEST_LINE {
            broken("the server's line is too long")
        } else {
            io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")
        });
    }
    let line = std::str::from_utf8(&line).map_err(|_| broken("the server's line is no text"))?.trim_end();
    let (verb, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    match verb.to_ascii_uppercase().as_str() {
        "INFO" => Ok(Said::Info(rest.to_owned())),
        "PING" => Ok(Said::Ping),
        "PONG" => Ok(Said::Pong),
        "+OK" => Ok(Said::Ok),
        "-ERR" => Ok(Said::Error(rest.trim().trim_matches('\'').to_owned())),
        verb @ ("MSG" | "HMSG") => {
            let words: Vec<&str> = rest.split_ascii_whitespace().collect();
            message(reader, &words, verb == "HMSG").await
        }
        _ => Err(broken("the server says something that is not of the protocol")),
    }
}

/// `subject sid [reply] [bytes of headers] bytes`, then as many.
async fn message(
    reader: &mut (impl AsyncBufRead + Unpin),
    words: &[&str],
    with_headers: bool,
) -> io::Result<Said> {
    let strange = || broken("the server's message is not of the protocol");
    let number = |word: &&str| word.parse::<usize>().ok().filter(|number| *number <= LONGEST_MESSAGE);
    let subject = (*words.first().ok_or_else(strange)?).to_owned();
    let (headers, total) = match words {
        [.., headers, total] if with_headers && matches!(words.len(), 4 | 5) => {
            (number(headers), number(total))
        }
        [.., total] if !with_headers && matches!(words.len(), 3 | 4) => (Some(0), number(total)),
        _ => return Err(strange()),
    };
    let (headers, total) =
        headers.zip(total).filter(|(headers, total)| headers <= total).ok_or_else(strange)?;
    let mut whole = vec![0; total + 2];
    reader.read_exact(&mut whole).await?;
    if !whole.ends_with(b"\r\n") {
        return Err(strange());
    }
    whole.truncate(total);
    let payload = whole.split_off(headers);
    let head = String::from_utf8_lossy(&whole);
    let status = head.lines().next().map(|line| line.trim_start_matches("NATS/1.0").trim().to_owned());
    Ok(Said::Message { subject, status, payload })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(text: &str) -> Vec<io::Result<Said>> {
        let mut reader = text.as_bytes();
        let mut found = Vec::new();
        loop {
            let said = read(&mut reader).await;
            let last = said.is_err();
            found.push(said);
            if last {
                return found;
            }
        }
    }

    #[tokio::test]
    async fn everything_that_a_server_says_is_read() {
        let text = "INFO {\"a\":1}\r\nPING\r\npong\r\n+OK\r\n-ERR 'Authorization Violation'\r\n\
                    MSG a.1 1 2\r\nhi\r\nMSG a.2 1 re 0\r\n\r\nHMSG a.3 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\nHMSG a.4 1 r 12 14\r\n\
                    NATS/1.0\r\n\r\nhi\r\n";
        let message = |subject: &str, status: Option<&str>, payload: &[u8]| Said::Message {
            subject: subject.into(),
            status: status.map(Into::into),
            payload: payload.into(),
        };
        let expected = [
            Said::Info("{\"a\":1}".into()),
            Said::Ping,
            Said::Pong,
            Said::Ok,
            Said::Error("Authorization Violation".into()),
            message("a.1", None, b"hi"),
            message("a.2", None, b""),
            message("a.3", Some("503"), b""),
            message("a.4", Some(""), b"hi"),
        ];
        let mut found = all(text).await;
        let last = found.pop().unwrap().unwrap_err();
        assert_eq!(last.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(found.into_iter().map(Result::unwrap).collect::<Vec<_>>(), expected);
    }

    #[tokio::test]
    async fn what_is_not_of_the_protocol_is_an_error_and_takes_no_room() {
        let long = "x".repeat(100_000);
        for text in [
            "HTTP/1.1 400 Bad Request\r\n",
            "MSG\r\n",
            "MSG a 1\r\n",
            "MSG a 1 99999999999\r\n",
            "MSG a 1 70000\r\n",
            "MSG a 1 2\r\nhiho",
            "HMSG a 1 4 2\r\nhi\r\n",
            "MSG a 1 2\r\nh",
            "PIN",
            &long,
        ] {
            assert!(all(text).await[0].is_err(), "{text}");
        }
    }
}
