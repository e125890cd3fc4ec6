//! `sluice:v1/http`, everyone's: method, path, status and headers of the request and the response.

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};
use sluice_abi::{Code, Number, Phase, RESERVED_HEADERS, Text, Writer, encode_pairs, import};
use wasmtime::{Caller, Linker};

use super::guest::{code, give, give_list, known, open, slice};
use crate::net::is_authority;
use crate::wasm::fault::Refusal;
use crate::wasm::state::HostState;
use crate::wasm::view::ExchangeView;

type Call<'a> = Caller<'a, HostState>;

/// The most fields that plugins can bring a head to; the map itself could not hold 25,000.
pub(super) const MAX_FIELDS: usize = 1000;

/// The phases that have the request's head before it is sent, and the response's.
const REQUEST_HEAD: &[Phase] = &[Phase::Request, Phase::RequestBody];
const RESPONSE_HEAD: &[Phase] = &[Phase::Response, Phase::ResponseBody];

/// The phases that may have the end of a body.
const BODY_END: &[Phase] =
    &[Phase::RequestBody, Phase::RequestChunk, Phase::ResponseBody, Phase::ResponseChunk];

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker
        .func_wrap(import::HTTP, "text_get", text_get)?
        .func_wrap(import::HTTP, "text_set", text_set)?
        .func_wrap(import::HTTP, "path_param", path_param)?
        .func_wrap(import::HTTP, "number_get", number_get)?
        .func_wrap(import::HTTP, "number_set", number_set)?
        .func_wrap(import::HTTP, "header_get", header_get)?
        .func_wrap(import::HTTP, "header_values", header_values)?
        .func_wrap(import::HTTP, "header_list", header_list)?
        .func_wrap(import::HTTP, "header_set", header_set)?
        .func_wrap(import::HTTP, "header_append", header_append)?
        .func_wrap(import::HTTP, "header_remove", header_remove)?
        .func_wrap(import::HTTP, "header_remove_prefix", header_remove_prefix)?;
    Ok(())
}

fn text_get(mut caller: Call<'_>, text: i32, pointer: u32, capacity: u32) -> wasmtime::Result<i64> {
    let guest = open(&mut caller, "text_get")?;
    let text = known(guest.call, "text", text, Text::from_number(text))?;
    let HostState { view, kept, step, .. } = &mut *guest.state;
    let view = view.as_deref().ok_or(Refusal::NoExchange { call: "text_get" })?;
    let client;
    let bytes: Option<&[u8]> = match text {
        Text::Method => line(view).map(|(method, _)| method.as_str().as_bytes()),
        Text::Path => line(view).map(|(_, uri)| uri.path().as_bytes()),
        Text::Query => line(view).and_then(|(_, uri)| uri.query()).map(str::as_bytes),
        Text::Scheme => Some(view.scheme.as_bytes()),
        Text::Authority => Some(view.authority.as_bytes()),
        Text::ClientAddress => {
            client = view.client.to_string();
            Some(client.as_bytes())
        }
        Text::RequestId => Some(view.request_id.as_bytes()),
        Text::Route => Some(view.route.as_bytes()),
        Text::Step => Some(step.1.as_bytes()),
        Text::Consumer => view.consumer.as_ref().map(|consumer| consumer.name.as_bytes()),
        Text::Protocol => Some(protocol(view.protocol).as_bytes()),
    };
    match bytes {
        Some(bytes) => Ok(give(guest.memory, kept, guest.call, (pointer, capacity), bytes)?),
        None => Ok(code(Code::None)),
    }
}

/// A protocol as plugins know it: HTTP/2 has no minor version (RFC 9113).
const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}

/// Method and target, whether the request is still here or has left.
fn line(view: &ExchangeView) -> Option<(&Method, &Uri)> {
    match (&view.request, &view.sent) {
        (Some(request), _) => Some((&request.method, &request.uri)),
        (None, Some((method, uri))) => Some((method, uri)),
        (None, None) => None,
    }
}

fn text_set(mut caller: Call<'_>, text: i32, pointer: u32, length: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "text_set")?;
    let text = known(guest.call, "text", text, Text::from_number(text))?;
    let value = slice(guest.memory, guest.call, pointer, length)?;
    if !guest.state.budget.spend_header_bytes(value.len()) {
        return Ok(Code::TooLarge.number());
    }
    if !guest.state.in_phase(REQUEST_HEAD) {
        return Ok(Code::WrongPhase.number());
    }
    let view = guest.state.view("text_set")?;
    let Some(request) = &mut view.request else { return Ok(Code::WrongPhase.number()) };
    let done = match text {
        Text::Method => method(value).map(|method| request.method = method),
        Text::Path => {
            let query = request.uri.query().map(str::as_bytes);
            target(value, query).map(|uri| request.uri = uri)
        }
        Text::Query => {
            let query = (!value.is_empty()).then_some(value);
            target(request.uri.path().as_bytes(), query).map(|uri| request.uri = uri)
        }
        _ => return Ok(Code::Denied.number()),
    };
    view.wrote |= done.is_some();
    Ok(done.map_or(Code::Invalid.number(), |()| 0))
}

/// A method that may leave for an upstream: CONNECT and TRACE mean something else to a gateway.
pub(super) fn method(bytes: &[u8]) -> Option<Method> {
    Method::from_bytes(bytes).ok().filter(|method| *method != Method::CONNECT && *method != Method::TRACE)
}

fn target(path: &[u8], query: Option<&[u8]>) -> Option<Uri> {
    if path.first() != Some(&b'/') || path.contains(&b'?') || path.contains(&b'#') {
        return None;
    }
    let mut bytes = path.to_vec();
    if let Some(query) = query {
        if query.contains(&b'#') {
            return None;
        }
        bytes.push(b'?');
        bytes.extend_from_slice(query);
    }
    let target = PathAndQuery::from_maybe_shared(bytes::Bytes::from(bytes)).ok()?;
    Some(Uri::from(target))
}

fn path_param(
    mut caller: Call<'_>,
    name: u32,
    length: u32,
    pointer: u32,
    capacity: u32,
) -> wasmtime::Result<i64> {
    let guest = open(&mut caller, "path_param")?;
    let HostState { view, kept, .. } = &mut *guest.state;
    let view = view.as_deref().ok_or(Refusal::NoExchange { call: "path_param" })?;
    let name = slice(guest.memory, guest.call, name, length)?;
    match view.path_params.iter().find(|(known, _)| known.as_bytes() == name) {
        Some((_, value)) => Ok(give(guest.memory, kept, guest.call, (pointer, capacity), value.as_bytes())?),
        None => Ok(code(Code::None)),
    }
}

fn number_get(mut caller: Call<'_>, number: i32) -> wasmtime::Result<i64> {
    let guest = open(&mut caller, "number_get")?;
    let number = known(guest.call, "number", number, Number::from_number(number))?;
    let view = guest.state.view("number_get")?;
    Ok(match number {
        Number::ResponseStatus => match &view.response {
            Some(response) => i64::from(response.status.as_u16()),
            None => code(Code::WrongPhase),
        },
        Number::BodyLength => {
            i64::try_from(view.written.as_ref().unwrap_or(&view.body).len()).unwrap_or(i64::MAX)
        }
        Number::RequestBody => i64::from(view.has_body),
        Number::ResponseOrigin => i64::from(view.origin.number()),
    })
}

fn number_set(mut caller: Call<'_>, number: i32, value: i64) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "number_set")?;
    let number = known(guest.call, "number", number, Number::from_number(number))?;
    if number != Number::ResponseStatus {
        return Ok(Code::Denied.number());
    }
    if !guest.state.in_phase(RESPONSE_HEAD) {
        return Ok(Code::WrongPhase.number());
    }
    let view = guest.state.view("number_set")?;
    let Some(response) = &mut view.response else { return Ok(Code::WrongPhase.number()) };
    let status = u16::try_from(value).ok().filter(|status| (200..=599).contains(status));
    Ok(match status.and_then(|status| StatusCode::from_u16(status).ok()) {
        Some(status) => {
            response.status = status;
            view.wrote = true;
            0
        }
        None => Code::Invalid.number(),
    })
}

/// The map that a number means, if this phase has it.
fn headers<'a>(
    state: &'a mut HostState,
    call: &'static str,
    map: i32,
) -> Result<Option<&'a mut HeaderMap>, Refusal> {
    let map = known(call, "header map", map, sluice_abi::HeaderMap::from_number(map))?;
    // A chunk of one direction may pass while the head of the other is still being made.
    let phases = match map {
        sluice_abi::HeaderMap::Request => REQUEST_HEAD,
        sluice_abi::HeaderMap::Response => RESPONSE_HEAD,
        sluice_abi::HeaderMap::Trailers => BODY_END,
    };
    let here = state.in_phase(phases);
    let view = state.view(call)?;
    if !here {
        return Ok(None);
    }
    Ok(match map {
        sluice_abi::HeaderMap::Request => view.request.as_mut().map(|request| &mut request.headers),
        sluice_abi::HeaderMap::Response => view.response.as_mut().map(|response| &mut response.headers),
        sluice_abi::HeaderMap::Trailers => view.trailers.as_mut(),
    })
}

fn header_get(
    mut caller: Call<'_>,
    map: i32,
    name: u32,
    name_length: u32,
    pointer: u32,
    capacity: u32,
) -> wasmtime::Result<i64> {
    let guest = open(&mut caller, "header_get")?;
    let mut kept = std::mem::take(&mut guest.state.kept);
    let Some(headers) = headers(guest.state, guest.call, map)? else { return Ok(code(Code::WrongPhase)) };
    // A lookup by text finds what a name finds, in any case, and what is no name is not there.
    let value = std::str::from_utf8(slice(guest.memory, guest.call, name, name_length)?)
        .ok()
        .and_then(|name| headers.get(name));
    let given = match value {
        Some(value) => give(guest.memory, &mut kept, guest.call, (pointer, capacity), value.as_bytes())?,
        None => code(Code::None),
    };
    guest.state.kept = kept;
    Ok(given)
}

fn header_values(
    mut caller: Call<'_>,
    map: i32,
    name: u32,
    name_length: u32,
    pointer: u32,
    capacity: u32,
) -> wasmtime::Result<i64> {
    let guest = open(&mut caller, "header_values")?;
    let mut kept = std::mem::take(&mut guest.state.kept);
    let Some(headers) = headers(guest.state, guest.call, map)? else { return Ok(code(Code::WrongPhase)) };
    // What is no name is not there, as is the empty one.
    let name = std::str::from_utf8(slice(guest.memory, guest.call, name, name_length)?).unwrap_or_default();
    let values = headers.get_all(name);
    let values = || values.iter().map(HeaderValue::as_bytes);
    let given = give_list(guest.memory, &mut kept, guest.call, (pointer, capacity), values)?;
    guest.state.kept = kept;
    Ok(given)
}

/// Names removed. Those that plugins may not remove stay.
fn header_remove_prefix(
    mut caller: Call<'_>,
    map: i32,
    prefix: u32,
    prefix_length: u32,
) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "header_remove_prefix")?;
    let prefix = slice(guest.memory, guest.call, prefix, prefix_length)?;
    let Some(headers) = headers(guest.state, guest.call, map)? else { return Ok(Code::WrongPhase.number()) };
    let begins = |name: &&HeaderName| {
        name.as_str().as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let removable = |name: &&HeaderName| !is_reserved(name) && **name != header::HOST;
    // Collecting an empty vector does not allocate, and most requests have none.
    let names: Vec<HeaderName> = headers.keys().filter(begins).filter(removable).cloned().collect();
    for name in &names {
        headers.remove(name);
    }
    guest.state.view("header_remove_prefix")?.wrote |= !names.is_empty();
    Ok(i32::try_from(names.len()).unwrap_or(i32::MAX))
}

fn header_list(mut caller: Call<'_>, map: i32, pointer: u32, capacity: u32) -> wasmtime::Result<i64> {
    let mut guest = open(&mut caller, "header_list")?;
    let Some(headers) = headers(guest.state, guest.call, map)? else { return Ok(code(Code::WrongPhase)) };
    let pairs: Vec<(&[u8], &[u8])> =
        headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())).collect();
    let mut writer = Writer::new();
    encode_pairs(&mut writer, pairs.into_iter());
    let message = writer.finish();
    Ok(guest.give(pointer, capacity, &message)?)
}

/// Fields that frame the message or belong to one connection: the host's alone.
pub(super) fn is_reserved(name: &HeaderName) -> bool {
    RESERVED_HEADERS.contains(&name.as_str())
}

/// A name and value that a plugin may write.
pub(super) fn field(name: &[u8], value: &[u8]) -> Result<(HeaderName, HeaderValue), Code> {
    let name = HeaderName::from_bytes(name).map_err(|_| Code::Invalid)?;
    let value = HeaderValue::from_bytes(value).map_err(|_| Code::Invalid)?;
    if is_reserved(&name) {
        return Err(Code::Denied);
    }
    // As strict as with clients: upstreams go by it.
    if name == header::HOST && !is_authority(value.as_bytes()) {
        return Err(Code::Invalid);
    }
    Ok((name, value))
}

fn header_write(
    caller: &mut Call<'_>,
    call: &'static str,
    map: i32,
    (name, name_length): (u32, u32),
    (value, value_length): (u32, u32),
    write: impl FnOnce(&mut HeaderMap, HeaderName, HeaderValue) -> bool,
) -> wasmtime::Result<i32> {
    let guest = open(caller, call)?;
    let name = slice(guest.memory, call, name, name_length)?;
    let value = slice(guest.memory, call, value, value_length)?;
    if !guest.state.budget.spend_header_bytes(name.len() + value.len()) {
        return Ok(Code::TooLarge.number());
    }
    let Some(headers) = headers(guest.state, call, map)? else { return Ok(Code::WrongPhase.number()) };
    Ok(match field(name, value) {
        Ok((name, value)) => {
            if write(headers, name, value) {
                guest.state.view(call)?.wrote = true;
                0
            } else {
                Code::TooLarge.number()
            }
        }
        Err(code) => code.number(),
    })
}

fn header_set(mut caller: Call<'_>, map: i32, n: u32, nl: u32, v: u32, vl: u32) -> wasmtime::Result<i32> {
    header_write(&mut caller, "header_set", map, (n, nl), (v, vl), |headers, name, value| {
        (headers.len() < MAX_FIELDS || headers.contains_key(&name)) && headers.try_insert(name, value).is_ok()
    })
}

fn header_append(mut caller: Call<'_>, map: i32, n: u32, nl: u32, v: u32, vl: u32) -> wasmtime::Result<i32> {
    header_write(&mut caller, "header_append", map, (n, nl), (v, vl), |headers, name, value| {
        headers.len() < MAX_FIELDS && name != header::HOST && headers.try_append(name, value).is_ok()
    })
}

fn header_remove(mut caller: Call<'_>, map: i32, name: u32, name_length: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "header_remove")?;
    let name = HeaderName::from_bytes(slice(guest.memory, guest.call, name, name_length)?);
    let Some(headers) = headers(guest.state, guest.call, map)? else { return Ok(Code::WrongPhase.number()) };
    let Ok(name) = name else { return Ok(0) };
    // A request goes nowhere without `Host`; it can be set to another, not taken away.
    if is_reserved(&name) || name == header::HOST {
        return Ok(Code::Denied.number());
    }
    let removed = match headers.entry(name) {
        header::Entry::Occupied(entry) => entry.remove_entry_mult().1.count(),
        header::Entry::Vacant(_) => 0,
    };
    guest.state.view("header_remove")?.wrote |= removed > 0;
    Ok(i32::try_from(removed).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_path_and_a_query_and_nothing_else() {
        assert_eq!(target(b"/a", Some(b"b=c")).unwrap().to_string(), "/a?b=c");
        assert_eq!(target(b"/a", None).unwrap().to_string(), "/a");
        for (path, query) in [
            (&b"a"[..], None),
            (b"/a?b", None),
            (b"/a#b", None),
            (b"/a", Some(&b"b#c"[..])),
            (b"", None),
            (b"/a b", None),
        ] {
            assert!(target(path, query).is_none(), "{path:?} {query:?}");
        }
    }

    #[test]
    fn framing_is_not_a_plugins_to_write() {
        assert_eq!(field(b"Content-Length", b"1"), Err(Code::Denied));
        assert_eq!(field(b"x a", b"1"), Err(Code::Invalid));
        assert_eq!(field(b"x-a", b"1\r\nx-b: 2"), Err(Code::Invalid));
        assert!(field(b"X-A", b"1").is_ok());
        assert!(field(b"Host", b"shop.example:8080").is_ok());
        for host in ["", "a b", "a/b", "user@a", "a:b", "a:1:2"] {
            assert_eq!(field(b"Host", host.as_bytes()), Err(Code::Invalid), "{host}");
        }
    }
}
