//! JSON, a line for each event.

use serde::Serialize;

use super::{Dimensions, json_of};
use crate::metering::export::record::Record;

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    time: String,
    gateway: &'a str,
    request: &'a str,
    meter: &'a str,
    consumer: &'a str,
    customer: &'a str,
    plan: &'a str,
    route: &'a str,
    /// A text: a reader that has only floating-point numbers would round it.
    value: String,
    unit: Option<&'a str>,
    seen: Option<String>,
    dimensions: Dimensions<'a>,
}

/// One event.
pub(in super::super) fn line(record: &Record<'_>, out: &mut Vec<u8>) {
    let event = record.event;
    out.extend(json_of(&Line {
        id: &record.id,
        time: event.at.to_string(),
        gateway: &event.gateway,
        request: &event.request,
        meter: &event.meter,
        consumer: &event.consumer,
        customer: &record.customer,
        plan: &event.plan,
        route: &event.route,
        value: record.value.to_string(),
        unit: record.unit.as_deref(),
        seen: record.seen(),
        dimensions: Dimensions(event),
    }));
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::super::testing::{directory, tokens, users};
    use super::*;

    #[test]
    fn events_are_written_to_the_letter() {
        let (directory, tokens, users) = (directory(), tokens(), users());
        let mut out = Vec::new();
        line(&directory.record(&tokens).unwrap(), &mut out);
        line(&directory.record(&users).unwrap(), &mut out);
        let expected = concat!(
            r#"{"id":"edge-1/0190-a/tokens","time":"2026-11-23T17:21:57.123456789Z","gateway":"edge-1","request":"0190-a","#,
            r#""meter":"tokens","consumer":"acme","customer":"cus_42","plan":"pro","route":"chat","value":"1.5","unit":"token","#,
            r#""seen":null,"dimensions":{"model":"o1 \"mini\"","region":"eu,west"}}"#,
            "\n",
            r#"{"id":"edge-1/0190-a/users","time":"2026-11-24T00:00:00Z","gateway":"edge-1","request":"0190-a","meter":"users","#,
            r#""consumer":"","customer":"","plan":"","route":"chat","value":"1","unit":null,"#,
            r#""seen":"abababababababababababababababab","dimensions":{}}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
