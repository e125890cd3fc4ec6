//! Amounts worked out by hand, and what holds of all of them.

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use rust_decimal::Decimal;

use super::samples::{charge, flat, package, per_unit, tier};
use super::{RatingError, Step, ceiling, cost, lines, total};
use crate::plan::{Charge, Price, Tier};

fn amounts(charge: &Charge, expected: &[(i64, &str)]) {
    for (quantity, amount) in expected {
        let total = total(charge, *quantity).unwrap();
        assert_eq!(total.to_string(), *amount, "{quantity} of {:?}", charge.price);
        let lines = lines(charge, *quantity).unwrap();
        assert_eq!(lines.iter().map(|it| it.amount).sum::<Decimal>(), total);
        assert_eq!(lines.iter().map(|it| it.quantity).sum::<i64>(), *quantity);
    }
}

#[test]
fn flat_is_paid_once_anything_was_used() {
    amounts(&charge(flat("10.00")), &[(0, "0"), (1, "10"), (2, "10"), (i64::MAX, "10")]);
    // Included units are used first: the amount is due with the sixth.
    let included = Charge { included: 5, ..charge(flat("10.00")) };
    amounts(&included, &[(0, "0"), (4, "0"), (5, "0"), (6, "10")]);
}

#[test]
fn per_unit_begins_after_what_is_included() {
    let plain = charge(per_unit("0.0000015"));
    // 3 × 0.0000015; 2,000,000 × 0.0000015; (2^63 - 1) × 0.0000015 = 13,835,058,055,282.1637105 (i64::MAX = 9,223,372,036,854,775,807).
    amounts(
        &plain,
        &[
            (0, "0"),
            (1, "0.0000015"),
            (3, "0.0000045"),
            (2_000_000, "3"),
            (i64::MAX, "13835058055282.1637105"),
        ],
    );
    // 1001 - 1000 = 1.
    let included = Charge { included: 1_000, ..charge(per_unit("0.25")) };
    amounts(&included, &[(0, "0"), (1, "0"), (999, "0"), (1_000, "0"), (1_001, "0.25"), (1_003, "0.75")]);
}

#[test]
fn a_part_of_a_unit_costs_a_part_of_its_price() {
    // Three decimals: 1,500 is 1.5 units. 1.5 × 0.10 = 0.15; 0.001 × 0.10 = 0.0001.
    let fine = Charge { decimals: 3, ..charge(per_unit("0.10")) };
    amounts(&fine, &[(1, "0.0001"), (1_000, "0.1"), (1_500, "0.15")]);
    // Twelve decimals of the price and six of the meter are eighteen of the amount.
    let finest = Charge { decimals: 6, ..charge(per_unit("0.000000000001")) };
    amounts(&finest, &[(1, "0.000000000000000001"), (1_000_000, "0.000000000001")]);
}

/// `up_to` 100 at 0.50, up to 1,000 at 0.20 and 5 once, beyond at 0.01 and 1 once.
fn tiers() -> Vec<Tier> {
    vec![tier(Some(100), "0.50", "0"), tier(Some(1_000), "0.20", "5.00"), tier(None, "0.01", "1")]
}

#[test]
fn graduated_prices_each_unit_by_its_tier() {
    let graduated = charge(Price::Graduated { tiers: tiers() });
    amounts(
        &graduated,
        &[
            (0, "0"),
            (1, "0.5"),
            (99, "49.5"),
            (100, "50"),
            // 50 + 1 × 0.20 + 5
            (101, "55.2"),
            // 50 + 899 × 0.20 + 5 = 50 + 179.80 + 5
            (999, "234.8"),
            // 50 + 180 + 5
            (1_000, "235"),
            // 235 + 0.01 + 1
            (1_001, "236.01"),
            // 235 + (9,223,372,036,854,775,807 - 1,000) × 0.01 + 1 = 235 + 92,233,720,368,547,748.07 + 1
            (i64::MAX, "92233720368547984.07"),
        ],
    );
    // Tiers count what is beyond the included ten: the first ends at 110.
    let included = Charge { included: 10, ..graduated };
    amounts(&included, &[(9, "0"), (10, "0"), (11, "0.5"), (110, "50"), (111, "55.2"), (1_011, "236.01")]);
}

#[test]
fn volume_prices_all_units_by_the_last_ones_tier_and_may_go_down() {
    let volume = charge(Price::Volume { tiers: tiers() });
    amounts(
        &volume,
        &[
            (0, "0"),
            (1, "0.5"),
            (100, "50"),
            // All 101 at 0.20, and 5: less than 100 cost.
            (101, "25.2"),
            // 1,000 × 0.20 + 5
            (1_000, "205"),
            // 1,001 × 0.01 + 1
            (1_001, "11.01"),
        ],
    );
    assert!(total(&volume, 101).unwrap() < total(&volume, 100).unwrap());
    assert_eq!(cost(&volume, 0, 1), Err(RatingError::Volume));
    assert_eq!(ceiling(&volume, 1), Err(RatingError::Volume));
}

#[test]
fn a_package_that_is_begun_is_paid() {
    let packages = charge(package(100, "5.00"));
    amounts(&packages, &[(0, "0"), (1, "5"), (99, "5"), (100, "5"), (101, "10"), (200, "10"), (201, "15")]);
    // (2^63 - 1) / 100 is 92,233,720,368,547,758.07: one more is begun. × 5 = 461,168,601,842,738,795.
    amounts(&packages, &[(i64::MAX, "461168601842738795")]);
    let included = Charge { included: 50, ..packages };
    amounts(&included, &[(50, "0"), (51, "5"), (150, "5"), (151, "10")]);
}

#[test]
fn lines_tell_how_an_amount_comes_about() {
    let graduated = Charge { included: 10, ..charge(Price::Graduated { tiers: tiers() }) };
    let shown: Vec<String> = lines(&graduated, 1_011)
        .unwrap()
        .iter()
        .map(|part| format!("{:?}: {} x {} = {}", part.step, part.quantity, part.price, part.amount))
        .collect();
    assert_eq!(
        shown,
        [
            "Included: 10 x 0 = 0",
            "Tier { after: 0, up_to: Some(100) }: 100 x 0.5 = 50",
            "Tier { after: 100, up_to: Some(1000) }: 900 x 0.2 = 180",
            "TierFlat { after: 100, up_to: Some(1000) }: 0 x 5 = 5",
            "Tier { after: 1000, up_to: None }: 1 x 0.01 = 0.01",
            "TierFlat { after: 1000, up_to: None }: 0 x 1 = 1",
        ]
    );
    let packages = lines(&charge(package(100, "5")), 101).unwrap();
    assert_eq!(packages[0].step, Step::Packages { count: 2, size: 100 });
}

#[test]
fn what_cannot_be_exact_is_refused() {
    // 999,999,999.999999999999 × (2^63 - 1) is about 9 × 10^27: more digits than there are.
    let dear = charge(per_unit("999999999.999999999999"));
    assert_eq!(total(&dear, i64::MAX), Err(RatingError::Overflow));
    assert_eq!(lines(&dear, i64::MAX), Err(RatingError::Overflow));
    assert_eq!(cost(&dear, 0, i64::MAX), Err(RatingError::Overflow));
    // 79 × 999,999,999.999999999999 still has a place for each digit.
    amounts(&dear, &[(79, "78999999999.999999999921")]);
    // 9,223,372,036 is the last whole amount that is less than 2^63 nanos.
    let one = charge(per_unit("1"));
    assert_eq!(cost(&one, 0, 9_223_372_036), Ok(9_223_372_036_000_000_000));
    assert_eq!(cost(&one, 0, 9_223_372_037), Err(RatingError::Overflow));
    assert_eq!(ceiling(&one, 9_223_372_037), Err(RatingError::Overflow));
    assert_eq!(cost(&one, i64::MAX, 1), Err(RatingError::Overflow));
    assert_eq!(cost(&one, i64::MAX - 1, 1), Ok(1_000_000_000));

    for wrong in
        [total(&one, -1).err(), cost(&one, -1, 1).err(), cost(&one, 1, -1).err(), ceiling(&one, -1).err()]
    {
        assert_eq!(wrong, Some(RatingError::Negative));
    }
    let finer = Decimal::new(1, 13);
    assert_eq!(total(&charge(Price::PerUnit { unit: finer }), 1), Err(RatingError::Price(finer)));
    assert_eq!(total(&charge(per_unit("-1")), 1), Err(RatingError::Price(Decimal::NEGATIVE_ONE)));
    assert_eq!(total(&Charge { decimals: 7, ..charge(per_unit("1")) }, 1), Err(RatingError::Decimals(7)));
    assert_eq!(total(&charge(package(0, "1")), 1), Err(RatingError::Size));
    let open = Price::Graduated { tiers: vec![tier(Some(5), "1", "0")] };
    assert_eq!(total(&charge(open.clone()), 6), Err(RatingError::Tiers));
    assert_eq!(lines(&charge(open), 6), Err(RatingError::Tiers));
    let falling = Price::Graduated { tiers: vec![tier(Some(5), "1", "0"), tier(Some(5), "1", "0")] };
    assert_eq!(total(&charge(falling), 6), Err(RatingError::Tiers));
}

#[test]
fn credit_pays_the_difference() {
    let graduated = Charge { included: 10, ..charge(Price::Graduated { tiers: tiers() }) };
    // From 9 to 12: one is included, two cost 0.50.
    assert_eq!(cost(&graduated, 9, 3), Ok(1_000_000_000));
    // From 109 to 111, a rest of 99 to 101: 0.50, then 0.20 and the flat 5.
    assert_eq!(cost(&graduated, 109, 2), Ok(5_700_000_000));
    // The dearest two: 5.70, where the second tier begins. Of a thousand: rest 0 to 1,000 is 235; rest 1 to 1,001 is 236.01 - 0.50;
    // rest 100 to 1,100 is 180 + 5 + 1 + 1 = 187.
    assert_eq!(ceiling(&graduated, 2), Ok(5_700_000_000));
    assert_eq!(ceiling(&graduated, 1_000), Ok(235_510_000_000));
    assert_eq!(ceiling(&graduated, 0), Ok(0));

    assert_eq!((cost(&charge(flat("3")), 0, 5), cost(&charge(flat("3")), 1, 5)), (Ok(3_000_000_000), Ok(0)));
    assert_eq!(ceiling(&charge(flat("3")), 1), Ok(3_000_000_000));
    // From 99 to 201: the second and the third package are begun.
    assert_eq!(cost(&charge(package(100, "5")), 99, 102), Ok(10_000_000_000));
    assert_eq!(ceiling(&charge(package(100, "5")), 102), Ok(10_000_000_000));
    assert_eq!(ceiling(&charge(package(100, "5")), 100), Ok(5_000_000_000));
}

#[test]
fn what_is_finer_than_a_nano_is_rounded_up_once_in_a_month() {
    // 0.4 nanos each: after 1, 2, 3, .. there are 1, 1, 2, 2, 2 nanos drawn.
    let fine = charge(per_unit("0.0000000004"));
    let steps: Vec<i64> = (0..5).map(|before| cost(&fine, before, 1).unwrap()).collect();
    assert_eq!(steps, [1, 0, 1, 0, 0]);
    assert_eq!(ceiling(&fine, 1), Ok(1));
}

fn price() -> impl Strategy<Value = Decimal> {
    // Small ones, so that tiers compete, and ones with all twelve decimals.
    prop_oneof![
        (0_i64..200).prop_map(|cents| Decimal::new(cents, 2)),
        (0_i64..2_000_000_000_000, 0_u32..=12)
            .prop_map(|(mantissa, scale)| Decimal::new(mantissa % 1_000_000, scale)),
    ]
}

fn some_tiers() -> impl Strategy<Value = Vec<Tier>> {
    let bounds = prop::collection::btree_set(1_i64..300, 0..4);
    bounds.prop_flat_map(|bounds| {
        let ends: Vec<Option<i64>> = bounds.into_iter().map(Some).chain([None]).collect();
        let count = ends.len();
        let amounts = prop::collection::vec((price(), price()), count);
        (Just(ends), amounts).prop_map(|(ends, amounts)| {
            let all = ends.into_iter().zip(amounts);
            all.map(|(up_to, (unit, flat))| Tier { up_to, unit, flat }).collect()
        })
    })
}

/// All models but volume.
fn some_charge() -> impl Strategy<Value = Charge> {
    let price = prop_oneof![
        price().prop_map(|amount| Price::Flat { amount }),
        price().prop_map(|unit| Price::PerUnit { unit }),
        (1_i64..50, price()).prop_map(|(size, price)| Price::Package { size, price }),
        some_tiers().prop_map(|tiers| Price::Graduated { tiers }),
        some_tiers().prop_map(|tiers| Price::Graduated { tiers }),
    ];
    let included = prop_oneof![Just(0_i64), 1_i64..100];
    (price, included, 0_u8..=6).prop_map(|(price, included, decimals)| Charge {
        included,
        decimals,
        ..charge(price)
    })
}

/// Unit by unit, as a person would.
fn walked(tiers: &[Tier], rest: i64, decimals: u8) -> Decimal {
    let mut sum = Decimal::ZERO;
    for unit in 1..=rest {
        let index = tiers.iter().position(|tier| tier.up_to.is_none_or(|up_to| unit <= up_to)).unwrap();
        if unit == 1 || tiers[index - usize::from(index > 0)].up_to == Some(unit - 1) {
            sum += tiers[index].flat;
        }
        sum += tiers[index].unit * Decimal::new(1, decimals.into());
    }
    sum
}

proptest! {
    #[test]
    fn checked_charges_are_rated(charge in some_charge()) {
        prop_assert_eq!(charge.check(), []);
    }

    #[test]
    fn parts_add_up(charge in some_charge(), quantity in 0_i64..1_000_000_000) {
        let lines = lines(&charge, quantity).unwrap();
        prop_assert_eq!(lines.iter().map(|it| it.amount).sum::<Decimal>(), total(&charge, quantity).unwrap());
        prop_assert_eq!(lines.iter().map(|it| it.quantity).sum::<i64>(), quantity);
    }

    #[test]
    fn more_never_costs_less(charge in some_charge(), quantity in 0_i64..500, more in 0_i64..500) {
        prop_assert!(total(&charge, quantity).unwrap() <= total(&charge, quantity + more).unwrap());
    }

    #[test]
    fn graduated_is_what_one_gets_unit_by_unit(tiers in some_tiers(), rest in 0_i64..400, decimals in 0_u8..=6) {
        let charge = Charge { decimals, ..charge(Price::Graduated { tiers: tiers.clone() }) };
        prop_assert_eq!(total(&charge, rest).unwrap(), walked(&tiers, rest, decimals));
    }

    #[test]
    fn steps_cost_what_the_whole_costs(charge in some_charge(), before in 0_i64..500, a in 0_i64..500, b in 0_i64..500) {
        let steps = cost(&charge, before, a).unwrap() + cost(&charge, before + a, b).unwrap();
        prop_assert_eq!(steps, cost(&charge, before, a + b).unwrap());
        let drawn = cost(&charge, 0, before).unwrap() + steps;
        let due = total(&charge, before + a + b).unwrap() * Decimal::from(1_000_000_000);
        prop_assert_eq!(Decimal::from(drawn), due.ceil());
    }

    #[test]
    fn nothing_costs_more_than_the_ceiling_and_something_as_much(charge in some_charge(), added in 0_i64..400) {
        let ceiling = ceiling(&charge, added).unwrap();
        let dearest = (0..800).map(|before| cost(&charge, before, added).unwrap()).max().unwrap();
        // What is finer than a nano may be rounded up at another place.
        prop_assert!(dearest <= ceiling && ceiling <= dearest + 1, "{} {}", dearest, ceiling);
    }

    #[test]
    fn nothing_far_out_costs_more_than_the_ceiling(charge in some_charge(), before in any::<u32>(), added in 0_i64..1_000) {
        prop_assert!(cost(&charge, before.into(), added).unwrap() <= ceiling(&charge, added).unwrap());
    }

    #[test]
    fn amounts_are_exact_or_refused(mantissa in 0_i64..=i64::MAX, scale in 0_u32..=12, quantity in 0..=i64::MAX, decimals in 0_u8..=6) {
        let charge = Charge { decimals, ..charge(Price::PerUnit { unit: Decimal::new(mantissa, scale) }) };
        // Against whole numbers of 10^-18, of which there may be too many.
        let exact = i128::from(mantissa) * i128::from(quantity);
        let places = scale + u32::from(decimals);
        match total(&charge, quantity) {
            Ok(total) => {
                let scaled = total.mantissa().checked_mul(10_i128.pow(places - total.scale()));
                prop_assert_eq!(scaled, Some(exact));
            }
            Err(error) => {
                prop_assert_eq!(error, RatingError::Overflow);
                prop_assert!(exact / 10_i128.pow(places) >= 79_000_000_000);
            }
        }
    }
}
