//! Messages with more than one part: answers, fetches, outcomes.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Reader, WireError, Writer, decode_list, decode_pairs, encode_list, encode_pairs};

/// Header name and value as bytes, in order.
pub type Headers = Vec<(Vec<u8>, Vec<u8>)>;

fn write_headers(writer: &mut Writer, headers: &Headers) {
    encode_pairs(writer, headers.iter().map(|(name, value)| (&name[..], &value[..])));
}

fn read_headers(reader: &mut Reader<'_>) -> Result<Headers, WireError> {
    Ok(decode_pairs(reader)?.into_iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect())
}

/// The answer that a step gives instead of the upstream: the argument of `respond`.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Status, headers and body as they are.
    Plain {
        /// 200 to 599.
        status: u16,
        /// The response's headers.
        headers: Headers,
        /// The response's body.
        body: Vec<u8>,
    },
    /// A problem document, which the host completes with the request id and the step's name.
    Problem {
        /// Headers beside `Content-Type`.
        headers: Headers,
        /// The document.
        problem: Problem,
    },
}

/// A problem document (RFC 9457) as a plugin states it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// 400 to 599.
    pub status: u16,
    /// A URI or a short kebab-case name of the kind of problem; `about:blank` if empty.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The kind in a few words; the status's phrase if empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What happened this time, for the caller.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Further members.
    #[serde(flatten, default)]
    pub extensions: serde_json::Map<String, serde_json::Value>,
}

impl Reply {
    /// As a message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        match self {
            Self::Plain { status, headers, body } => {
                writer.u8(0).u16(*status);
                write_headers(&mut writer, headers);
                writer.bytes(body);
            }
            Self::Problem { headers, problem } => {
                writer.u8(1);
                write_headers(&mut writer, headers);
                writer.bytes(serde_json::to_string(problem).unwrap_or_default().as_bytes());
            }
        }
        writer.finish()
    }

    /// The reverse of [`encode`](Self::encode).
    pub fn decode(message: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(message);
        let reply = match reader.u8()? {
            0 => Self::Plain {
                status: reader.u16()?,
                headers: read_headers(&mut reader)?,
                body: reader.bytes()?.to_vec(),
            },
            1 => Self::Problem {
                headers: read_headers(&mut reader)?,
                problem: serde_json::from_str(reader.text()?).map_err(|_| WireError)?,
            },
            _ => return Err(WireError),
        };
        reader.end()?;
        Ok(reply)
    }
}

/// Someone who is known to the gateway: what `identify` and `consumer` give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consumer {
    /// The name under which the operator configured it.
    pub name: String,
    /// The id by which upstreams know it; the name if the operator gave none.
    pub id: String,
    /// What the operator's own systems call it.
    pub custom_id: Option<String>,
    /// The groups it belongs to.
    pub groups: Vec<String>,
    /// Which of its credentials was shown, if one was: an identifier, never the credential itself.
    pub credential: Option<String>,
    /// The plan that it is on, if it is on one.
    pub plan: Option<String>,
    /// The plan's rate limits: so much in so many milliseconds.
    pub limits: Vec<(u64, u64)>,
}

fn write_optional(writer: &mut Writer, text: Option<&str>) {
    writer.u8(u8::from(text.is_some())).bytes(text.unwrap_or_default().as_bytes());
}

fn read_optional(reader: &mut Reader<'_>) -> Result<Option<String>, WireError> {
    let given = reader.u8()? != 0;
    let text = reader.text()?;
    Ok(given.then(|| text.to_string()))
}

impl Consumer {
    /// As a message: name, id, optional custom id, list of groups, optional credential, optional plan, and the plan's limits: a `u32`
    /// count, then quota and window in milliseconds of each, both `u64`. What is optional is a `u8`, whether it is given, and bytes.
    ///
    /// # Panics
    /// If there are 2^32 limits, which no memory holds.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.bytes(self.name.as_bytes()).bytes(self.id.as_bytes());
        write_optional(&mut writer, self.custom_id.as_deref());
        encode_list(&mut writer, self.groups.iter().map(String::as_bytes));
        write_optional(&mut writer, self.credential.as_deref());
        write_optional(&mut writer, self.plan.as_deref());
        writer.u32(u32::try_from(self.limits.len()).expect("fewer than 2^32 limits"));
        for (quota, window_ms) in &self.limits {
            writer.u64(*quota).u64(*window_ms);
        }
        writer.finish()
    }

    /// The reverse of [`encode`](Self::encode).
    pub fn decode(message: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(message);
        let (name, id) = (reader.text()?.to_string(), reader.text()?.to_string());
        let custom_id = read_optional(&mut reader)?;
        let groups = decode_list(&mut reader)?.into_iter();
        let groups = groups.map(|group| core::str::from_utf8(group).map(ToString::to_string));
        let groups = groups.collect::<Result<_, _>>().map_err(|_| WireError)?;
        let credential = read_optional(&mut reader)?;
        let plan = read_optional(&mut reader)?;
        let limits = (0..reader.count(16)?).map(|_| Ok((reader.u64()?, reader.u64()?)));
        let limits = limits.collect::<Result<_, WireError>>()?;
        reader.end()?;
        Ok(Self { name, id, custom_id, groups, credential, plan, limits })
    }
}

/// A request that a plugin sends through a named upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// A granted upstream.
    pub upstream: String,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers; `Host` is the upstream's unless given.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// Milliseconds to wait; 0 for the plugin's `fetch_timeout`, which also caps it.
    pub timeout_ms: u32,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchResponse {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The whole body, bounded by the plugin's `body` limit.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchError {
    /// [`Code`](crate::Code) as a number.
    pub code: i32,
    /// For people.
    pub message: String,
}

impl FetchRequest {
    /// Several requests, to run side by side, as one message.
    #[must_use]
    pub fn encode_all(all: &[Self]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u32(u32::try_from(all.len()).expect("fewer than 2^32 requests"));
        for request in all {
            writer
                .bytes(request.upstream.as_bytes())
                .bytes(request.method.as_bytes())
                .bytes(request.path.as_bytes());
            write_headers(&mut writer, &request.headers);
            writer.bytes(&request.body).u32(request.timeout_ms);
        }
        writer.finish()
    }

    /// The reverse of [`encode_all`](Self::encode_all).
    pub fn decode_all(message: &[u8]) -> Result<Vec<Self>, WireError> {
        let mut reader = Reader::new(message);
        let count = reader.count(24)?;
        let all = (0..count)
            .map(|_| {
                Ok(Self {
                    upstream: reader.text()?.to_string(),
                    method: reader.text()?.to_string(),
                    path: reader.text()?.to_string(),
                    headers: read_headers(&mut reader)?,
                    body: reader.bytes()?.to_vec(),
                    timeout_ms: reader.u32()?,
                })
            })
            .collect::<Result<_, WireError>>()?;
        reader.end()?;
        Ok(all)
    }
}

impl FetchResponse {
    /// Several outcomes, in the order of their requests, as one message.
    #[must_use]
    pub fn encode_all(all: &[Result<Self, FetchError>]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u32(u32::try_from(all.len()).expect("fewer than 2^32 responses"));
        for result in all {
            match result {
                Ok(response) => {
                    writer.u8(0).u16(response.status);
                    write_headers(&mut writer, &response.headers);
                    writer.bytes(&response.body);
                }
                Err(error) => {
                    writer.u8(1).u32(error.code.cast_unsigned()).bytes(error.message.as_bytes());
                }
            }
        }
        writer.finish()
    }

    /// The reverse of [`encode_all`](Self::encode_all).
    pub fn decode_all(message: &[u8]) -> Result<Vec<Result<Self, FetchError>>, WireError> {
        let mut reader = Reader::new(message);
        let count = reader.count(9)?;
        let all = (0..count)
            .map(|_| {
                Ok(match reader.u8()? {
                    0 => Ok(Self {
                        status: reader.u16()?,
                        headers: read_headers(&mut reader)?,
                        body: reader.bytes()?.to_vec(),
                    }),
                    1 => Err(FetchError {
                        code: reader.u32()?.cast_signed(),
                        message: reader.text()?.to_string(),
                    }),
                    _ => return Err(WireError),
                })
            })
            .collect::<Result<_, WireError>>()?;
        reader.end()?;
        Ok(all)
    }
}

/// How an exchange ended: what `outcome` gives in the complete phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The status the client was sent; 0 if none was.
    pub status: u16,
    /// Whether the response reached its end.
    pub finished: bool,
    /// Body bytes received from the client.
    pub request_bytes: u64,
    /// Body bytes sent to the client.
    pub response_bytes: u64,
    /// From the request's head to the response's last byte, in microseconds.
    pub duration_us: u64,
    /// Of that, waiting for the upstream's response head, in microseconds.
    pub upstream_us: u64,
}

impl Outcome {
    /// As a message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer
            .u16(self.status)
            .u8(u8::from(self.finished))
            .u64(self.request_bytes)
            .u64(self.response_bytes)
            .u64(self.duration_us)
            .u64(self.upstream_us);
        writer.finish()
    }

    /// The reverse of [`encode`](Self::encode).
    pub fn decode(message: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(message);
        let outcome = Self {
            status: reader.u16()?,
            finished: reader.u8()? != 0,
            request_bytes: reader.u64()?,
            response_bytes: reader.u64()?,
            duration_us: reader.u64()?,
            upstream_us: reader.u64()?,
        };
        reader.end()?;
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_consumer_reads_back_and_no_part_of_one_does() {
        let text = ToString::to_string;
        let consumer = Consumer {
            name: text("acme"),
            id: text("17"),
            custom_id: None,
            groups: vec![text("gold"), text("eu")],
            credential: Some(text("laptop")),
            plan: Some(text("pro")),
            limits: vec![(100, 1_000), (u64::MAX, 60_000)],
        };
        let message = consumer.encode();
        assert_eq!(Consumer::decode(&message), Ok(consumer));
        for length in 0..message.len() {
            assert_eq!(Consumer::decode(&message[..length]), Err(WireError));
        }
    }
}
