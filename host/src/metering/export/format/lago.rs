//! Lago's batch of events, `POST /api/v1/events/batch`, and what it says of one that it refuses.
//!
//! <https://getlago.com/docs/api-reference/events/batch>. A batch has at most 100 events and is taken whole or not at all: an event that
//! Lago has already makes it refuse the others with it, so its answer has to be read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::json_of;
use crate::metering::export::outcome::Fate;
use crate::metering::export::record::Record;

/// Events in a request.
pub(in super::super) const MOST: usize = 100;

#[derive(Serialize)]
struct Batch<'a> {
    events: Vec<Event<'a>>,
}

#[derive(Serialize)]
struct Event<'a> {
    transaction_id: &'a str,
    external_subscription_id: &'a str,
    code: &'a str,
    timestamp: String,
    properties: Properties<'a>,
}

/// Lago filters by properties of the first level, so dimensions stand beside our own.
struct Properties<'a>(&'a Record<'a>);

/// Of our own.
const OWN: [&str; 4] = ["value", "seen", "plan", "route"];

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = self.0;
        let mut all: Vec<(String, String)> = vec![("value".to_owned(), record.value.to_string())];
        all.extend(record.seen().map(|seen| ("seen".to_owned(), seen)));
        all.push(("plan".to_owned(), record.event.plan.to_string()));
        all.push(("route".to_owned(), record.event.route.to_string()));
        for (name, value) in &record.event.dimensions {
            let prefix = if OWN.contains(&&**name) { "dimension_" } else { "" };
            all.push((format!("{prefix}{name}"), value.to_string()));
        }
        serializer.collect_map(all)
    }
}

/// Many events.
pub(in super::super) fn batch(records: &[Record<'_>]) -> Vec<u8> {
    let events = records.iter().map(|record| {
        let milliseconds = record.event.at.as_millisecond();
        Event {
            transaction_id: &record.id,
            external_subscription_id: &record.customer,
            code: &record.event.meter,
            timestamp: format!("{}.{:03}", milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000)),
            properties: Properties(record),
        }
    });
    json_of(&Batch { events: events.collect() })
}

#[derive(Deserialize)]
struct Errors {
    error_details: BTreeMap<String, Value>,
}

/// What the body of a 422 says of each of so many events: those that Lago has are done with, and those that it does not complain of
/// were not taken for the others' sake. None if it says nothing of single events.
pub(in super::super) fn fates(body: &[u8], events: usize) -> Option<Vec<Fate>> {
    let Errors { error_details } = serde_json::from_slice(body).ok()?;
    let mut fates: Vec<Fate> = (0..events).map(|_| Fate::Later).collect();
    for (index, complaint) in &error_details {
        let fate = fates.get_mut(index.parse::<usize>().ok()?)?;
        *fate = if is_known(complaint) { Fate::Accepted } else { Fate::Refused(complaint.to_string()) };
    }
    (!error_details.is_empty()).then_some(fates)
}

/// Whether the only complaint is that there is such an event.
fn is_known(complaint: &Value) -> bool {
    let Some(complaints) = complaint.as_object() else { return false };
    complaints.len() == 1
        && complaints.get("transaction_id").and_then(Value::as_array).is_some_and(|reasons| {
            !reasons.is_empty() && reasons.iter().all(|reason| reason == "value_already_exist")
        })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{directory, tokens, users};
    use super::*;

    #[test]
    fn events_are_written_to_the_letter() {
        let (directory, mut tokens, users) = (directory(), tokens(), users());
        tokens.dimensions.push(("route".into(), "x".into()));
        let records = [directory.record(&tokens).unwrap(), directory.record(&users).unwrap()];
        let expected = concat!(
            r#"{"events":[{"transaction_id":"edge-1/0190-a/tokens","external_subscription_id":"cus_42","code":"tokens","#,
            r#""timestamp":"1795454517.123","properties":{"value":"1.5","plan":"pro","route":"chat","model":"o1 \"mini\"","#,
            r#""region":"eu,west","dimension_route":"x"}},"#,
            r#"{"transaction_id":"edge-1/0190-a/users","external_subscription_id":"","code":"users","#,
            r#""timestamp":"1795478400.000","properties":{"value":"1","seen":"abababababababababababababababab","plan":"","#,
            r#""route":"chat"}}]}"#
        );
        assert_eq!(String::from_utf8(batch(&records)).unwrap(), expected);
    }

    #[test]
    fn complaints_are_told_apart() {
        let refused = r#"{"status":422,"error":"Unprocessable Entity","code":"validation_errors","error_details":{
            "0":{"transaction_id":["value_already_exist"]},"2":{"timestamp":["invalid_format"]},
            "3":{"transaction_id":["value_already_exist"],"code":["x"]}}}"#;
        let fates = fates(refused.as_bytes(), 4).unwrap();
        assert_eq!(fates[0], Fate::Accepted);
        assert_eq!(fates[1], Fate::Later);
        assert_eq!(fates[2], Fate::Refused(r#"{"timestamp":["invalid_format"]}"#.into()));
        assert!(matches!(&fates[3], Fate::Refused(_)));
    }

    #[test]
    fn what_is_not_of_single_events_says_nothing() {
        for body in [
            "",
            "{}",
            r#"{"error_details":{}}"#,
            r#"{"error_details":{"events":["too_many_events"]}}"#,
            r#"{"error_details":{"7":{"transaction_id":["value_already_exist"]}}}"#,
        ] {
            assert_eq!(fates(body.as_bytes(), 2), None, "{body}");
        }
    }
}
