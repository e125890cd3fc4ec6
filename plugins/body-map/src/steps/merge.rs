//! JSON Merge Patch (RFC 7396).

use std::borrow::Cow;

use crate::json::Json;

/// Merges a patch into a document: section 2 of the RFC.
pub(crate) fn merge<'a>(target: &mut Json<'a>, patch: &'a Json<'static>) {
    let Json::Object(changes) = patch else {
        *target = patch.borrowed();
        return;
    };
    if !matches!(target, Json::Object(_)) {
        *target = Json::Object(Vec::new());
    }
    let Json::Object(members) = target else { return };
    for (name, change) in changes {
        let known = members.iter().position(|(known, _)| known == name);
        match (change, known) {
            (Json::Null, None) => {}
            (Json::Null, Some(at)) => drop(members.remove(at)),
            (change, Some(at)) => merge(&mut members[at].1, change),
            (change, None) => {
                let mut value = Json::Null;
                merge(&mut value, change);
                members.push((Cow::Borrowed(&**name), value));
            }
        }
    }
}
