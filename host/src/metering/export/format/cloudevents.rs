//! CloudEvents 1.0 in JSON, single and in batches, as OpenMeter takes them.
//!
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>,
//! <https://openmeter.io/docs/metering/events/usage-events>. Values are texts: OpenMeter reads them as numbers, and no reader on the
//! way rounds them.

use serde::Serialize;

use super::{Dimensions, json_of};
use crate::metering::export::record::Record;

/// Of a batch.
pub(in super::super) const BATCH: &str = "application/cloudevents-batch+json";

/// Of one event.
pub(in super::super) const SINGLE: &str = "application/cloudevents+json";

#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: &'a str,
    source: String,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: String,
    datacontenttype: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
    consumer: &'a str,
    plan: &'a str,
    route: &'a str,
    #[serde(skip_serializing_if = "Dimensions::is_empty")]
    dimensions: Dimensions<'a>,
}

impl<'a> CloudEvent<'a> {
    fn new(record: &'a Record<'a>) -> Self {
        let event = record.event;
        Self {
            specversion: "1.0",
            id: &record.id,
            source: format!("urn:sluice:gateway:{}", event.gateway),
            r#type: &event.meter,
            subject: Some(&*record.customer).filter(|customer| !customer.is_empty()),
            time: event.at.to_string(),
            datacontenttype: "application/json",
            data: Data {
                value: record.value.to_string(),
                unit: record.unit.as_deref(),
                seen: record.seen(),
                consumer: &event.consumer,
                plan: &event.plan,
                route: &event.route,
                dimensions: Dimensions(event),
            },
        }
    }
}

/// Many events: an array of JSON.
pub(in super::super) fn batch(records: &[Record<'_>]) -> Vec<u8> {
    json_of(&records.iter().map(CloudEvent::new).collect::<Vec<_>>())
}

/// One event: an object of JSON.
pub(in super::super) fn single(record: &Record<'_>) -> Vec<u8> {
    json_of(&CloudEvent::new(record))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{directory, tokens, users};
    use super::*;

    const TOKENS: &str = concat!(
        r#"{"specversion":"1.0","id":"edge-1/0190-a/tokens","source":"urn:sluice:gateway:edge-1","type":"tokens","#,
        r#""subject":"cus_42","time":"2026-11-23T17:21:57.123456789Z","datacontenttype":"application/json","#,
        r#""data":{"value":"1.5","unit":"token","consumer":"acme","plan":"pro","route":"chat","#,
        r#""dimensions":{"model":"o1 \"mini\"","region":"eu,west"}}}"#
    );
    const USERS: &str = concat!(
        r#"{"specversion":"1.0","id":"edge-1/0190-a/users","source":"urn:sluice:gateway:edge-1","type":"users","#,
        r#""time":"2026-11-24T00:00:00Z","datacontenttype":"application/json","#,
        r#""data":{"value":"1","seen":"abababababababababababababababab","consumer":"","plan":"","route":"chat"}}"#
    );

    #[test]
    fn events_are_written_to_the_letter() {
        let (directory, tokens, users) = (directory(), tokens(), users());
        let records = [directory.record(&tokens).unwrap(), directory.record(&users).unwrap()];
        assert_eq!(String::from_utf8(single(&records[0])).unwrap(), TOKENS);
        assert_eq!(String::from_utf8(batch(&records)).unwrap(), format!("[{TOKENS},{USERS}]"));
    }
}
