//! `traceparent` of W3C Trace Context: read, continued, or begun.

use sluice_sdk::prelude::*;

use crate::id::hex;

pub(crate) const TRACEPARENT: &str = "traceparent";
pub(crate) const TRACESTATE: &str = "tracestate";

const SAMPLED: u8 = 1;
/// Level 2: the right half of the trace id is random. Whoever continues the trace passes that on.
const RANDOM: u8 = 2;

/// `00-<32 digits>-<16 digits>-<2 digits>`.
const LENGTH: usize = 55;

/// What becomes of the trace context.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceConfig {
    /// Whether a trace that the client began is continued. `never` begins a new one and takes `tracestate` away.
    #[serde(default)]
    accept: crate::Accept,
    /// Whether a continued `traceparent` keeps its parent id or gets a new one.
    #[serde(default)]
    parent: Parent,
    /// How many of the traces that begin here are marked as sampled, in percent.
    #[serde(default = "default_sampled")]
    #[schemars(range(max = 100))]
    sampled: u8,
}

fn default_sampled() -> u8 {
    100
}

/// What a continued `traceparent` says of its sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Parent {
    /// The header goes on as it came: the gateway reports no span that a new parent id could name.
    #[default]
    Keep,
    /// A new parent id, for upstreams that must not see the client's.
    New,
}

/// Checked configuration.
pub(crate) struct Trace {
    accept: crate::Accept,
    parent: Parent,
    /// Sampled are traces whose last 56 bits are at least this, as OpenTelemetry does it.
    threshold: u64,
}

/// What a `traceparent` says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Traceparent {
    trace_id: String,
    flags: u8,
}

impl Traceparent {
    /// Reads a header; none if the trace cannot be continued from it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (fields, rest) = (text.get(..LENGTH)?, text.get(LENGTH..)?);
        let mut parts = fields.split('-');
        let version = digits(parts.next()?, 2)?;
        let trace_id = digits(parts.next()?, 32)?;
        let parent_id = digits(parts.next()?, 16)?;
        let flags = digits(parts.next()?, 2)?;
        let ends = match version {
            "ff" => false,
            "00" => rest.is_empty(),
            // A later version may go on, behind a dash.
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        let zero = |id: &str| id.bytes().all(|digit| digit == b'0');
        if !ends || zero(trace_id) || zero(parent_id) {
            return None;
        }
        Some(Self { trace_id: trace_id.to_owned(), flags: u8::from_str_radix(flags, 16).ok()? })
    }

    fn to_header(&self, parent_id: [u8; 8]) -> String {
        // Flags that this version does not know are 0 in what is written.
        format!("00-{}-{}-{:02x}", self.trace_id, hex(&parent_id), self.flags & (SAMPLED | RANDOM))
    }
}

/// Exactly so many lower-case hexadecimal digits.
fn digits(text: &str, count: usize) -> Option<&str> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == count && text.bytes().all(is_digit)).then_some(text)
}

/// Random, and not all zero: that would be no id.
fn random_id<const N: usize>() -> [u8; N] {
    let mut id: [u8; N] = random::bytes();
    if id == [0; N] {
        id[N - 1] = 1;
    }
    id
}

impl Trace {
    pub(crate) fn new(config: &TraceConfig) -> Result<Self> {
        ensure!(config.sampled <= 100, "`trace.sampled` is a percentage: at most 100");
        let threshold = (u64::from(100 - config.sampled) << 56) / 100;
        Ok(Self { accept: config.accept, parent: config.parent, threshold })
    }

    /// Makes the request carry a good `traceparent`.
    pub(crate) fn apply(&self, headers: &mut HeadersMut<'_>) -> Result<()> {
        let received = match self.accept {
            crate::Accept::Always => crate::single(headers, TRACEPARENT),
            crate::Accept::Never => None,
        };
        match (received.as_deref().and_then(Traceparent::parse), self.parent) {
            (Some(_), Parent::Keep) => Ok(()),
            (Some(received), Parent::New) => headers.set(TRACEPARENT, received.to_header(random_id())),
            // The vendors' state belongs to the trace that ends here.
            (None, _) => {
                headers.remove(TRACESTATE)?;
                headers.set(TRACEPARENT, self.begin().to_header(random_id()))
            }
        }
    }

    fn begin(&self) -> Traceparent {
        let id: [u8; 16] = random_id();
        let flags = if self.samples(id) { SAMPLED } else { 0 };
        Traceparent { trace_id: hex(&id), flags }
    }

    fn samples(&self, id: [u8; 16]) -> bool {
        u128::from_be_bytes(id) & ((1 << 56) - 1) >= u128::from(self.threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &str = include_str!("../tests/data/traceparents.txt");

    #[test]
    fn values_are_read_as_the_specification_has_them() {
        let mut count = 0;
        for line in CASES.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (expected, text) = line.split_once(' ').unwrap();
            let parsed = Traceparent::parse(text);
            assert_eq!(parsed.is_some(), expected == "continue", "{text}");
            assert!(parsed.is_none_or(|parsed| text.contains(&parsed.trace_id)), "{text}");
            count += 1;
        }
        assert_eq!(count, 88);
    }

    #[test]
    fn only_known_flags_are_written() {
        let parsed = Traceparent::parse("00-7c1e0a95d2f84b6390ab5ef4c8d12760-b3d9027e51ac684f-ff").unwrap();
        let header = parsed.to_header([0xab; 8]);
        assert_eq!(header, "00-7c1e0a95d2f84b6390ab5ef4c8d12760-abababababababab-03");
        assert_eq!(Traceparent::parse(&header).unwrap().trace_id, parsed.trace_id);
    }

    #[test]
    fn the_share_of_sampled_traces_is_exact() {
        let samples = |sampled, tail: u64| {
            let config = TraceConfig { accept: crate::Accept::Never, parent: Parent::Keep, sampled };
            Trace::new(&config).unwrap().samples((u128::from(tail) | 1 << 100).to_be_bytes())
        };
        let (quarter, largest) = (1 << 54, (1 << 56) - 1);
        assert!(samples(100, 0) && samples(100, largest));
        assert!(!samples(0, 0) && !samples(0, largest));
        assert!(samples(25, 3 * quarter) && samples(25, largest));
        assert!(!samples(25, 3 * quarter - 1) && !samples(25, 0));
    }
}
