//! How events are written, for each of those who read them. Pure.

pub(super) mod cloudevents;
pub(super) mod csv;
pub(super) mod json;
pub(super) mod lago;
pub(super) mod stripe;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use sluice_metering::event::Event;

/// An event's dimensions as an object of JSON.
struct Dimensions<'a>(&'a Event);

impl Dimensions<'_> {
    fn is_empty(&self) -> bool {
        self.0.dimensions.is_empty()
    }
}

impl Serialize for Dimensions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.dimensions.len()))?;
        for (name, value) in &self.0.dimensions {
            map.serialize_entry(&**name, &**value)?;
        }
        map.end()
    }
}

/// JSON of what has nothing that JSON cannot say.
fn json_of(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("maps have texts as keys, and nothing fails to be written")
}

#[cfg(test)]
pub(super) mod testing {
    //! Events to write.

    use std::sync::Arc;

    use sluice_metering::event::Event;

    use crate::metering::export::record::{Directory, Measure};

    /// Of the meter `tokens`, in thousandths.
    pub(crate) fn tokens() -> Event {
        Event {
            gateway: "edge-1".into(),
            request: "0190-a".into(),
            meter: "tokens".into(),
            consumer: "acme".into(),
            plan: "pro".into(),
            route: "chat".into(),
            at: "2026-11-23T17:21:57.123456789Z".parse().unwrap(),
            value: 1_500,
            subject: None,
            dimensions: vec![("model".into(), "o1 \"mini\"".into()), ("region".into(), "eu,west".into())],
        }
    }

    /// Of the unique meter `users`, by nobody who is known.
    pub(crate) fn users() -> Event {
        Event {
            meter: "users".into(),
            consumer: "".into(),
            plan: "".into(),
            at: "2026-11-24T00:00:00Z".parse().unwrap(),
            value: 1,
            subject: Some([0xab; 16]),
            dimensions: Vec::new(),
            ..tokens()
        }
    }

    /// Knows `tokens` and `users`, and that `acme` is `cus_42` elsewhere.
    pub(crate) fn directory() -> Directory {
        Directory::new(
            |meter| match meter {
                "tokens" => Some(Measure { decimals: 3, unit: Some(Arc::from("token")) }),
                "users" => Some(Measure { decimals: 0, unit: None }),
                _ => None,
            },
            |consumer| (consumer == "acme").then(|| Arc::from("cus_42")),
        )
    }
}
