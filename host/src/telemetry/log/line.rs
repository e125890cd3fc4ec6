//! What a line looks like: those that the log writes by itself, and what no line may hold.

use std::fmt::Write as _;
use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::config::LogFormat;
use crate::telemetry::rfc3339;

/// What stands before each line of an event but its first.
const INDENT: &str = "    ";

/// The field that goes over several lines, and therefore comes last.
pub(super) const BACKTRACE: &str = "backtrace";

/// The control characters from U+0080 to U+009F begin with this byte in UTF-8, as some others do.
const FIRST_OF_C1: u8 = 0xc2;

/// An event as it is written: one that came whole from `tracing`, or from [`own`].
///
/// Values in it come from plugins and from traffic. In text, what continues an event is therefore indented:
/// only the gateway begins a line at the margin. Other control characters are escaped, also those that JSON
/// lets through.
pub(super) fn shielded(format: LogFormat, event: &[u8]) -> Vec<u8> {
    let harmless = |byte: &u8| !byte.is_ascii_control() && *byte != FIRST_OF_C1;
    let inside = event.strip_suffix(b"\n").unwrap_or(event);
    if inside.iter().all(harmless) {
        return [inside, b"\n"].concat();
    }
    let mut text = String::with_capacity(event.len() + 64);
    for character in String::from_utf8_lossy(inside).chars() {
        match (format, character) {
            (_, other) if !other.is_control() => text.push(other),
            (LogFormat::Text, '\n') => {
                text.push('\n');
                text.push_str(INDENT);
            }
            (LogFormat::Text, control) => text.extend(control.escape_unicode()),
            (LogFormat::Json, control) => {
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
        }
    }
    text.push('\n');
    text.into_bytes()
}

/// A line of the log's own, in the shape that `tracing` gives the others.
///
/// It passes no filter, and `tracing` by: that may be what panics.
pub(super) fn own(format: LogFormat, level: &str, message: &str, fields: &[(&str, Value)]) -> Vec<u8> {
    let time = rfc3339(SystemTime::now());
    let event = match format {
        LogFormat::Text => {
            let mut text = format!("{} {level:>5} {message}", &*time);
            for (name, value) in fields {
                let _ = match value {
                    Value::String(lines) if *name == BACKTRACE => write!(text, " {name}=\n{lines}"),
                    value => write!(text, " {name}={value}"),
                };
            }
            text
        }
        LogFormat::Json => {
            let standing = [("timestamp", &*time), ("level", level), ("message", message), ("target", "log")];
            let standing = standing.into_iter().map(|(name, text)| (name.to_owned(), text.into()));
            let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            Value::Object(standing.chain(fields).collect::<Map<_, _>>()).to_string()
        }
    };
    shielded(format, event.as_bytes())
}
