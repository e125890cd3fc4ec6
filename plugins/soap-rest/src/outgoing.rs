//! The request in REST that a call becomes.

use percent_encoding::utf8_percent_encode;
use sluice_sdk::path::{MAX_TARGET, has_dot_segments};
use sluice_sdk::prelude::*;

use crate::bounds::Bounds;
use crate::failure::Failure;
use crate::json::Json;
use crate::operation::{BodyPart, Operation, Stands};
use crate::route::ENCODED;
use crate::stop::Stop;

/// A request in REST.
pub(crate) struct Outgoing {
    pub(crate) operation: usize,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(HeaderName, Vec<String>)>,
    pub(crate) body: Option<String>,
}

impl Outgoing {
    /// Puts the members of the input where they stand in REST.
    pub(crate) fn new(
        index: usize,
        operation: &Operation,
        mut document: Json,
        bounds: &Bounds,
    ) -> Result<Self, Failure> {
        let (mut in_path, mut query, mut headers) = (Vec::new(), String::new(), Vec::new());
        for param in operation.params() {
            let texts = param.write(document.take(&param.at))?;
            match &param.stands {
                Stands::Path => match &texts[..] {
                    [text] if !text.is_empty() => in_path.push(text.clone()),
                    _ => {
                        let detail = format!("`{}` is empty, and stands in the path", param.at);
                        return Err(Failure {
                            field: Some(param.at.to_string()),
                            ..Failure::new(422, "body-mismatch", detail)
                        });
                    }
                },
                Stands::Query(name) => texts.iter().for_each(|text| push_pair(&mut query, name, text)),
                Stands::Header(name) => headers.push((name.clone(), texts)),
            }
        }
        let path = operation.path.fill(&in_path);
        if has_dot_segments(&path) {
            return Err(Failure::new(422, "body-mismatch", "a segment of the path would be `.` or `..`"));
        }
        if path.len() + query.len() + 1 > MAX_TARGET {
            return Err(Failure::new(
                422,
                "body-mismatch",
                format!("path and query come to more than {MAX_TARGET} bytes"),
            ));
        }
        let body = match &operation.body {
            BodyPart::None => None,
            BodyPart::All => Some(document),
            BodyPart::Member(at) => document.take(at),
        };
        let body = body.map(|body| body.write());
        if body.as_ref().is_some_and(|body| body.len() > bounds.size) {
            return Err(Stop::TooLarge(bounds.too_large()).into());
        }
        Ok(Outgoing { operation: index, path, query, headers, body })
    }
}

/// As forms write it.
fn push_pair(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.extend(utf8_percent_encode(name, ENCODED));
    query.push('=');
    query.extend(utf8_percent_encode(value, ENCODED));
}
