//! What is measured of the call path: one list, for time (`call_path`) and for instructions (`instructions`).

pub(crate) mod guests;

use sluice::measure::{Routes, Takes, Workshop};

use guests::MANY;

/// Something that is measured.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// How often one turn does it.
    pub(crate) times: u32,
    /// The operation that a turn does once besides.
    pub(crate) beside: Option<&'static str>,
    /// Makes what it needs.
    pub(crate) prepare: fn(&Workshop) -> Turn,
}

/// Does it once, or as often as the operation says.
pub(crate) type Turn = Box<dyn FnMut()>;

const CALL: &str = "call of a plugin, empty";

/// In the order of the report.
pub(crate) const OPERATIONS: &[Operation] = &[
    one(CALL, |workshop| call(workshop, &guests::noop())),
    one("exchange through 1 empty step", |workshop| chain(workshop, 1)),
    one("exchange through 5 empty steps", |workshop| chain(workshop, 5)),
    one("exchange through 20 empty steps", |workshop| chain(workshop, 20)),
    many("header_get", |workshop| call(workshop, &guests::header_get())),
    many("header_set", |workshop| call(workshop, &guests::header_set())),
    many("store.take", |workshop| call(workshop, &guests::store_take())),
    one("a take, without a plugin", |_| {
        let takes = Takes::new(guests::take());
        Box::new(move || takes.take())
    }),
    one("fresh instance, configured and dropped", |workshop| {
        let plugin = workshop.plugin(&guests::noop());
        Box::new(move || plugin.instantiate())
    }),
    one("route lookup among 10", |_| lookup(10)),
    one("route lookup among 1,000", |_| lookup(1_000)),
    one("route lookup among 100,000", |_| lookup(100_000)),
];

const fn one(name: &'static str, prepare: fn(&Workshop) -> Turn) -> Operation {
    Operation { name, times: 1, beside: None, prepare }
}

/// Many host calls in one call.
const fn many(name: &'static str, prepare: fn(&Workshop) -> Turn) -> Operation {
    Operation { name, times: MANY, beside: Some(CALL), prepare }
}

fn call(workshop: &Workshop, guest: &[u8]) -> Turn {
    let exchange = workshop.plugin(guest).exchange();
    Box::new(move || exchange.call())
}

fn chain(workshop: &Workshop, steps: usize) -> Turn {
    let mut steps = workshop.chain(&workshop.plugin(&guests::noop()), steps);
    Box::new(move || steps.pass())
}

fn lookup(count: usize) -> Turn {
    let mut routes = Routes::new(count);
    Box::new(move || routes.find())
}
