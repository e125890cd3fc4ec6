//! `meter`: what a plugin records of an exchange. Which calls are refused, and what they do, is `sluice_abi::Recorded`'s.

use std::sync::Arc;

use sluice_abi::{Code, Measure, MeterKind, Phase, Recorded, import};
use sluice_metering::meter::Meter;
use wasmtime::{Caller, Linker};

use super::guest::{known, open, slice};
use crate::metering::number;
use crate::wasm::state::{Activity, HostState};

type Call<'a> = Caller<'a, HostState>;

/// The phases in which it is not known yet what is to be reserved.
const BEFORE: &[Phase] = &[Phase::Request, Phase::RequestBody];

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker
        .func_wrap(import::METER, "open", open_meter)?
        .func_wrap(import::METER, "describe", describe)?
        .func_wrap(import::METER, "add", add)?
        .func_wrap(import::METER, "seen", seen)?
        .func_wrap(import::METER, "measure", measure)?
        .func_wrap(import::METER, "expect", expect)?
        .func_wrap(import::METER, "dimension", dimension)?
        .func_wrap(import::METER, "cancel", cancel)?;
    Ok(())
}

fn open_meter(mut caller: Call<'_>, name: u32, length: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "meter.open")?;
    if !matches!(guest.state.activity, Activity::Load) {
        return Ok(Code::WrongPhase.number());
    }
    let name = slice(guest.memory, guest.call, name, length)?;
    let meters = &guest.state.services(guest.call)?.meters;
    let Some(place) = meters.iter().position(|meter| meter.name.as_bytes() == name) else {
        return Ok(Code::None.number());
    };
    if !guest.state.meters.contains(&place) {
        guest.state.meters.push(place);
    }
    Ok(i32::try_from(place).unwrap_or(Code::TooLarge.number()))
}

fn describe(mut caller: Call<'_>, meter: i32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "meter.describe")?;
    Ok(match opened(guest.state, guest.call, meter)? {
        Some((_, meter)) => MeterKind::describe(number(meter.aggregation), meter.decimals),
        None => Code::Denied.number(),
    })
}

fn add(mut caller: Call<'_>, meter: i32, value: i64) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "meter.add")?;
    record(guest.state, guest.call, meter, |meter, recorded| recorded.add(number(meter.aggregation), value))
}

fn seen(mut caller: Call<'_>, meter: i32, text: u32, length: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "meter.seen")?;
    let text = slice(guest.memory, guest.call, text, length)?;
    record(guest.state, guest.call, meter, |meter, recorded| recorded.seen(number(meter.aggregation), text))
}

fn measure(mut caller: Call<'_>, meter: i32, what: i32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "meter.measure")?;
    let what = known(guest.call, "measure", what, Measure::from_number(what))?;
    record(guest.state, guest.call, meter, |meter, recorded| {
        recorded.measure(number(meter.aggregation), what)
    })
}

fn expect(mut caller: Call<'_>, meter: i32, value: i64) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "meter.expect")?;
    if !guest.state.in_phase(BEFORE) {
        return Ok(Code::WrongPhase.number());
    }
    record(guest.state, guest.call, meter, |meter, recorded| {
        recorded.expect(number(meter.aggregation), value)
    })
}

fn dimension(
    mut caller: Call<'_>,
    meter: i32,
    name: u32,
    name_length: u32,
    value: u32,
    value_length: u32,
) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "meter.dimension")?;
    let name = slice(guest.memory, guest.call, name, name_length)?;
    let value = slice(guest.memory, guest.call, value, value_length)?;
    // Also while it is configured, when nothing can be set: so a plugin learns whether there is such a one.
    let Some((_, known)) = opened(guest.state, guest.call, meter)? else { return Ok(Code::Denied.number()) };
    if !known.dimensions.iter().any(|known| known.as_bytes() == name) {
        return Ok(Code::None.number());
    }
    record(guest.state, guest.call, meter, |meter, recorded| {
        recorded.dimension(&meter.dimensions, name, value)
    })
}

fn cancel(mut caller: Call<'_>, meter: i32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "meter.cancel")?;
    record(guest.state, guest.call, meter, |_, recorded| {
        recorded.cancel();
        Ok(())
    })
}

/// A meter that this plugin has opened, with its place.
fn opened<'a>(
    state: &'a HostState,
    call: &'static str,
    meter: i32,
) -> Result<Option<(usize, &'a Arc<Meter>)>, crate::wasm::fault::Refusal> {
    let Some(place) = usize::try_from(meter).ok().filter(|place| state.meters.contains(place)) else {
        return Ok(None);
    };
    Ok(state.services(call)?.meters.get(place).map(|meter| (place, meter)))
}

/// Changes what is recorded of a meter in this exchange.
fn record(
    state: &HostState,
    call: &'static str,
    meter: i32,
    change: impl FnOnce(&Meter, &mut Recorded) -> Result<(), Code>,
) -> wasmtime::Result<i32> {
    let Some((place, meter)) = opened(state, call, meter)? else { return Ok(Code::Denied.number()) };
    let tab = match (&state.activity, state.view.as_deref()) {
        (Activity::Phase(phase), Some(view)) if *phase != Phase::Complete => view.tab.as_ref(),
        _ => None,
    };
    let Some(tab) = tab else { return Ok(Code::WrongPhase.number()) };
    Ok(tab.record(place, |recorded| change(meter, recorded)).map_or_else(Code::number, |()| 0))
}
