//! Comma-separated values, as RFC 4180 has them: a header, and lines that end in CR LF.

use sluice_metering::text::is_formula;

use super::{Dimensions, json_of};
use crate::metering::export::record::Record;

/// The first line of a file.
pub(in super::super) const HEADER: &str =
    "id,time,gateway,request,meter,consumer,customer,plan,route,value,unit,seen,dimensions\r\n";

/// The place of the value among them.
const VALUE: usize = 9;

/// One event. Dimensions, which differ from meter to meter, are an object of JSON in the last field.
pub(in super::super) fn line(record: &Record<'_>, out: &mut Vec<u8>) {
    let event = record.event;
    let dimensions = Dimensions(event);
    let dimensions = if dimensions.is_empty() { Vec::new() } else { json_of(&dimensions) };
    let (time, value) = (event.at.to_string(), record.value.to_string());
    let seen = record.seen().unwrap_or_default();
    let fields: [&str; 13] = [
        &record.id,
        &time,
        &event.gateway,
        &event.request,
        &event.meter,
        &event.consumer,
        &record.customer,
        &event.plan,
        &event.route,
        &value,
        record.unit.as_deref().unwrap_or_default(),
        &seen,
        std::str::from_utf8(&dimensions).expect("JSON is UTF-8"),
    ];
    for (at, text) in fields.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        // A negative number is none.
        field(text, at != VALUE && is_formula(text), out);
    }
    out.extend_from_slice(b"\r\n");
}

/// In quotes where it must be. What a client chose may look like a formula, which spreadsheets run: an apostrophe keeps them from it.
fn field(text: &str, is_formula: bool, out: &mut Vec<u8>) {
    let has_to_be_quoted = text.contains(['"', ',', '\r', '\n']);
    if has_to_be_quoted {
        out.push(b'"');
    }
    if is_formula {
        out.push(b'\'');
    }
    if has_to_be_quoted {
        out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{directory, tokens, users};
    use super::*;

    #[test]
    fn events_are_written_to_the_letter() {
        let (directory, mut tokens, users) = (directory(), tokens(), users());
        tokens.route = "line\r\nbreak".into();
        tokens.plan = "=1+1".into();
        let mut out = Vec::new();
        line(&directory.record(&tokens).unwrap(), &mut out);
        line(&directory.record(&users).unwrap(), &mut out);
        let expected = concat!(
            "edge-1/0190-a/tokens,2026-11-23T17:21:57.123456789Z,edge-1,0190-a,tokens,acme,cus_42,'=1+1,\"line\r\nbreak\",1.5,token,,",
            r#""{""model"":""o1 \""mini\"""",""region"":""eu,west""}""#,
            "\r\nedge-1/0190-a/users,2026-11-24T00:00:00Z,edge-1,0190-a,users,,,,chat,1,,abababababababababababababababab,\r\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert_eq!(HEADER.trim_end().split(',').count(), 13);
    }
}
