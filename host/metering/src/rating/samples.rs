//! Plans and charges for tests.

use crate::meter::Aggregation;
use crate::plan::{Charge, Currency, Plan, Price, Rounding, Tier};

pub(crate) fn plan(name: &str) -> Plan {
    Plan {
        name: name.into(),
        currency: Currency::new("EUR").unwrap(),
        rounding: Rounding::HalfUp,
        fees: Vec::new(),
        charges: Vec::new(),
        quotas: Vec::new(),
        minimum: None,
        trial: None,
        prepaid: None,
        limits: Vec::new(),
        exhausted: 429,
    }
}

pub(crate) fn charge(price: Price) -> Charge {
    Charge {
        meter: "tokens".into(),
        aggregation: Aggregation::Sum,
        decimals: 0,
        name: "Tokens".to_owned(),
        included: 0,
        price,
    }
}

pub(crate) fn tier(up_to: Option<i64>, unit: &str, flat: &str) -> Tier {
    Tier { up_to, unit: unit.parse().unwrap(), flat: flat.parse().unwrap() }
}

pub(crate) fn flat(amount: &str) -> Price {
    Price::Flat { amount: amount.parse().unwrap() }
}

pub(crate) fn per_unit(unit: &str) -> Price {
    Price::PerUnit { unit: unit.parse().unwrap() }
}

pub(crate) fn package(size: i64, price: &str) -> Price {
    Price::Package { size, price: price.parse().unwrap() }
}
