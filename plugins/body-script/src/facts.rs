//! What scripts know beside the body: `$request` and `$headers`.

use sluice_sdk::prelude::*;

use crate::value::{Map, Val};

/// Method, path, query, headers, consumer, request id and route.
pub(crate) fn of_request(request: &Request, ctx: &Context) -> Val {
    let text = |text: String| Val::from(text);
    let members = [
        ("method", text(request.method().to_string())),
        ("path", text(request.path())),
        ("query", query(&request.query().unwrap_or_default())),
        ("headers", headers(request.headers())),
        ("consumer", ctx.consumer_name().map_or(Val::Null, text)),
        ("request_id", text(ctx.request_id())),
        ("route", text(ctx.route())),
    ];
    Val::object(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

/// Lower-case names and values. Values of one name are joined as RFC 9110 section 5.3 has it, except those of `Set-Cookie`, of
/// which the last counts.
pub(crate) fn headers(headers: Headers<'_>) -> Val {
    let mut members = Map::new();
    for (name, value) in headers {
        let value = value.to_string();
        let value = match members.get(name.as_str()) {
            Some(Val::Str(before)) if name != "set-cookie" => format!("{before}, {value}"),
            _ => value,
        };
        members.insert(name.into(), Val::from(value));
    }
    Val::object(members)
}

/// Names and first values, decoded.
fn query(query: &str) -> Val {
    let mut members = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        members.entry(decode(name).into()).or_insert_with(|| Val::from(decode(value)));
    }
    Val::object(members)
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|hex| byte == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        let coded = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        rest = if coded.is_some() { &tail[2..] } else { tail };
        bytes.push(coded.unwrap_or(if byte == b'+' { b' ' } else { byte }));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_and_its_first_values_count() {
        let expected = r#"{"a":"1 2","b":"","c":"é&=","d":"%zz%"}"#;
        assert_eq!(query("a=1+2&b&&c=%c3%A9%26=&a=9&d=%zz%").to_string(), expected);
    }
}
