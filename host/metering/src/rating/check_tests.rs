//! What is refused of a plan, where, and why.

use std::time::Duration;

use rust_decimal::Decimal;

use super::samples::{charge, flat, package, per_unit, plan, tier};
use super::{ChargeField, FeeField, Place};
use crate::meter::Aggregation;
use crate::period::Every;
use crate::plan::{Charge, Fee, Plan, Prepaid, Price, Quota};

fn said(charge: &Charge) -> Vec<(ChargeField, String)> {
    charge.check().into_iter().map(|it| (it.field, it.to_string())).collect()
}

#[test]
fn charges_that_cannot_be_exact_are_refused() {
    let expected = |field, message: &str| vec![(field, message.to_owned())];
    for (wrong, field, message) in [
        (charge(flat("-0.01")), ChargeField::Amount, "must not be negative"),
        (charge(flat("1000000000")), ChargeField::Amount, "must be below 1000000000"),
        (charge(per_unit("0.0000000000001")), ChargeField::Unit, "has 13 decimals; 12 are the most"),
        (charge(package(0, "1")), ChargeField::Size, "must be more than 0"),
        (charge(package(1, "-1")), ChargeField::Price, "must not be negative"),
        (
            Charge { decimals: 7, ..charge(flat("1")) },
            ChargeField::Meter,
            "a meter has at most 6 decimals, not 7",
        ),
        (Charge { included: -1, ..charge(flat("1")) }, ChargeField::Included, "must not be negative"),
    ] {
        assert_eq!(said(&wrong), expected(field, message));
    }
    for right in
        [flat("0"), flat("999999999.999999999999"), per_unit("0.0000000000010"), package(i64::MAX, "0")]
    {
        assert_eq!(said(&charge(right)), []);
    }
}

#[test]
fn tiers_ascend_and_the_last_has_no_end() {
    let up_to = |index, message: &str| vec![(ChargeField::TierUpTo(index), message.to_owned())];
    let before = |it: i64| format!("must be more than {it}, where the tier before it ends");
    let last = "the last tier must be without `up_to`: it takes all that the others do not";
    let free = |end| tier(end, "0", "0");
    for (tiers, expected) in [
        (vec![], vec![(ChargeField::Tiers, "there has to be a tier".to_owned())]),
        (vec![free(None); 101], vec![(ChargeField::Tiers, "at most 100 tiers".to_owned())]),
        (vec![free(Some(1))], up_to(0, last)),
        (vec![free(Some(0)), free(None)], up_to(0, &before(0))),
        (vec![free(Some(5)), free(Some(5)), free(None)], up_to(1, &before(5))),
        // The third is after the first, which is the one that counts.
        (vec![free(Some(5)), free(Some(3)), free(Some(6)), free(None)], up_to(1, &before(5))),
        (vec![free(None), free(None)], up_to(0, "only the last tier may be without `up_to`")),
        (vec![free(None)], vec![]),
        (vec![free(Some(1)), free(Some(2)), free(None)], vec![]),
    ] {
        assert_eq!(said(&charge(Price::Graduated { tiers: tiers.clone() })), expected);
        assert_eq!(said(&charge(Price::Volume { tiers })), expected);
    }
    let dear = vec![tier(Some(1), "-1", "0"), tier(None, "0", "0.1234567890123")];
    assert_eq!(
        said(&charge(Price::Volume { tiers: dear })),
        [
            (ChargeField::TierUnit(0), "must not be negative".to_owned()),
            (ChargeField::TierFlat(1), "has 13 decimals; 12 are the most".to_owned()),
        ]
    );
}

#[test]
fn every_piece_of_a_plan_is_looked_at() {
    let fee = |amount: i64, every| Fee { name: String::new(), amount: amount.into(), every, prorate: true };
    let quota = Quota { meter: "tokens".into(), limit: -1, per: Every::Day, hard: true };
    let century = Duration::from_secs(101 * 366 * 86_400);
    let wrong = Plan {
        fees: vec![fee(5, Every::Month), fee(-5, Every::Hour), fee(1_000_000_000_000, Every::Year)],
        charges: vec![charge(flat("1")), charge(package(-1, "1"))],
        quotas: vec![quota],
        minimum: Some(Decimal::NEGATIVE_ONE),
        trial: Some(century),
        prepaid: Some(Prepaid { grant: Some(Decimal::new(1, 10)), expires: Some(century) }),
        exhausted: 403,
        ..plan("pro")
    };
    let said: Vec<(Place, String)> = wrong.check().into_iter().map(|it| (it.place, it.to_string())).collect();
    let expected = [
        (Place::Fee(1, FeeField::Amount), "must not be negative"),
        (Place::Fee(1, FeeField::Every), "a fee is due every `month` or every `year`"),
        (Place::Fee(2, FeeField::Amount), "must be below 1000000000000"),
        (Place::Charge(1, ChargeField::Size), "must be more than 0"),
        (Place::Quota(0), "must not be negative"),
        (Place::Minimum, "must not be negative"),
        (Place::Trial, "at most a hundred years"),
        (Place::Grant, "has 10 decimals; 9 are the most"),
        (Place::GrantExpires, "at most a hundred years"),
        (Place::Exhausted, "402 or 429, not 403"),
    ];
    assert_eq!(said, expected.map(|(place, message)| (place, message.to_owned())));
    assert_eq!(plan("pro").check(), []);
}

#[test]
fn credit_is_drawn_from_only_by_what_adds_up_in_nanos() {
    let problems = |charge: Charge| -> Vec<(Place, String)> {
        let prepaid = Some(Prepaid { grant: None, expires: None });
        let plan = Plan { charges: vec![charge.clone()], ..plan("pro") };
        assert_eq!(plan.check(), [], "without credit it is fine");
        let found = Plan { prepaid, ..plan }.check();
        found.into_iter().map(|it| (it.place, it.to_string())).collect()
    };
    let at = |field, message: &str| vec![(Place::Charge(0, field), message.to_owned())];

    let volume = charge(Price::Volume { tiers: vec![tier(None, "1", "0")] });
    let message = "`volume` cannot be drawn from credit: with one more unit, all that were drawn before have another price";
    assert_eq!(problems(volume), at(ChargeField::Model, message));
    for aggregation in [Aggregation::Max, Aggregation::Unique, Aggregation::Latest] {
        let other = Charge { aggregation, ..charge(flat("1")) };
        let message =
            "only what adds up, `count` or `sum`, can be drawn from credit while it is used: the meter is `";
        assert_eq!(problems(other), at(ChargeField::Meter, &format!("{message}{}`", aggregation.name())));
    }

    // Eight of the price and two of the meter are ten.
    let fine = Charge { decimals: 2, ..charge(per_unit("0.00000001")) };
    let message = "has 8 decimals and its meter 2; in a prepaid plan they may be 9 together";
    assert_eq!(problems(fine.clone()), at(ChargeField::Unit, message));
    assert_eq!(problems(Charge { decimals: 1, ..fine }), []);
    // What is paid once is not divided by the meter's places.
    assert_eq!(problems(Charge { decimals: 6, ..charge(flat("0.000000001")) }), []);
    let message = "has 10 decimals and its meter 0; in a prepaid plan they may be 9 together";
    assert_eq!(problems(charge(package(5, "0.0000000001"))), at(ChargeField::Price, message));
}
