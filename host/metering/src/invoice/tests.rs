//! Invoices worked out by hand.

use std::time::Duration;

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use rust_decimal::Decimal;

use super::case::{Case, DAY, at, charge, fee, month, named, november};
use super::{InvoiceError, Kind, Note, Subscribed, Why, spans};
use crate::meter::Aggregation;
use crate::period::Every;
use crate::plan::{Charge, Currency, Plan, Prepaid, Rounding};
use crate::rating::RatingError;
use crate::rating::samples::{flat, per_unit};

fn pro() -> Plan {
    Plan { fees: vec![fee("Pro", "49.00", Every::Month)], ..named("pro") }
}

fn basic() -> Plan {
    Plan { fees: vec![fee("Basic", "10.00", Every::Month)], ..named("basic") }
}

#[test]
fn a_day_belongs_to_the_plan_in_force_at_its_end() {
    let since = "2026-03-05T07:00:00Z";
    // The 12th belongs to pro, however late it came: 11 days of 10 are 3.666.., 19 of 49 are 31.0333..
    for change in ["2026-11-12T00:00:00.000000001Z", "2026-11-12T15:00:00Z", "2026-11-12T23:59:59Z"] {
        let case = november(vec![basic(), pro()]).on("basic", since, change).on("pro", change, "");
        assert_eq!(
            case.lines(),
            ["Basic, 11 of 30 days: 3.67", "basic due: 3.67", "Pro, 19 of 30 days: 31.03", "pro due: 31.03"],
            "{change}"
        );
    }
    // At midnight, the 11th was whole: it belongs to basic, and the 12th to pro.
    let midnight = "2026-11-12T00:00:00Z";
    let case = november(vec![basic(), pro()]).on("basic", since, midnight).on("pro", midnight, "");
    assert_eq!(case.lines()[0], "Basic, 11 of 30 days: 3.67");
    // Whole months are not divided, at the bounds of the month to the moment.
    let (first, next) = ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z");
    for (from, to) in [(since, ""), (first, next), ("2026-11-01T23:59:59Z", "2026-12-01T00:00:01Z")] {
        assert_eq!(november(vec![pro()]).on("pro", from, to).lines(), ["Pro: 49", "pro due: 49"]);
    }
    // 29 × 49 / 30 = 47.3666..: the last day's end is not reached.
    let early = november(vec![pro()]).on("pro", since, "2026-11-30T23:59:59.999999999Z");
    assert_eq!(early.lines(), ["Pro, 29 of 30 days: 47.37", "pro due: 47.37"]);
}

#[test]
fn no_day_is_paid_twice_even_if_subscriptions_overlap() {
    let case = november(vec![basic(), pro()]).on("basic", "2026-01-01T00:00:00Z", "");
    let case = case.on("pro", "2026-11-12T00:00:00Z", "2026-11-22T00:00:00Z");
    // 20 × 10 / 30 = 6.666.., 10 × 49 / 30 = 16.333..: the later one counts while it lasts.
    assert_eq!(
        case.lines(),
        ["Basic, 20 of 30 days: 6.67", "basic due: 6.67", "Pro, 10 of 30 days: 16.33", "pro due: 16.33"]
    );
}

#[test]
fn who_comes_and_goes_within_a_day_has_no_day() {
    let case = november(vec![pro()]).on("pro", "2026-11-12T08:00:00Z", "2026-11-12T20:00:00Z");
    assert_eq!(case.lines(), Vec::<String>::new());
    assert_eq!(case.invoice().totals, []);
    // What was used in these hours is paid for all the same.
    let plan = Plan { charges: vec![charge("Tokens", "tokens", per_unit("2"))], ..pro() };
    let case = Case { plans: vec![plan], ..case }.used("pro", "tokens", 3);
    assert_eq!(case.lines(), ["Tokens: 6", "pro due: 6"]);
}

#[test]
fn a_plan_that_is_left_and_taken_again_has_one_section() {
    // Ten days and five: 15 × 49 / 30 = 24.50.
    let case = november(vec![pro(), basic()])
        .on("pro", "2026-10-01T00:00:00Z", "2026-11-11T00:00:00Z")
        .on("basic", "2026-11-11T00:00:00Z", "2026-11-26T00:00:00Z")
        .on("pro", "2026-11-26T00:00:00Z", "");
    assert_eq!(
        case.lines(),
        ["Pro, 15 of 30 days: 24.5", "pro due: 24.5", "Basic, 15 of 30 days: 5", "basic due: 5"]
    );
}

#[test]
fn a_fee_that_is_not_prorated_is_whole_or_nothing() {
    let mut plan = pro();
    plan.fees[0].prorate = false;
    let last_day = november(vec![plan.clone()]).on("pro", "2026-11-30T12:00:00Z", "");
    assert_eq!(last_day.lines(), ["Pro: 49", "pro due: 49"]);
    plan.trial = Some(DAY);
    let in_trial = november(vec![plan]).on("pro", "2026-11-30T12:00:00Z", "");
    assert_eq!(in_trial.lines(), ["pro due: 0"]);
}

#[test]
fn a_trial_is_free() {
    let plan = Plan {
        trial: Some(14 * DAY),
        charges: vec![charge("Tokens", "tokens", per_unit("0.01"))],
        minimum: Some(Decimal::from(30)),
        ..pro()
    };
    let november = || november(vec![plan.clone()]);
    // Until the 17th at 11:00: that day is the first to be paid, so 14 of 30 days. 49 × 14 / 30 = 22.8666..
    // The minimum: 30 × 14 / 30 = 14; 500 × 0.01 = 5; 9 lack.
    let case = november().on("pro", "2026-11-03T10:20:00Z", "").used("pro", "tokens", 500);
    assert_eq!(
        case.lines(),
        [
            "Pro, 14 of 30 days: 22.87",
            "Tokens: 5",
            "Minimum for 14 of 30 days: 14.00 EUR, less charges of 5.00 EUR: 9",
            "pro due: 36.87"
        ]
    );
    let until = at("2026-11-17T11:00:00Z");
    assert_eq!(case.invoice().sections[0].notes, [Note::Trial { until }]);
    // What was used under this plan before it was the consumer's, if anything, is not of the trial.
    let before = (case.period.start, at("2026-11-03T10:00:00Z"));
    assert_eq!(spans(&plan, &case.subscriptions, case.period), [before, (until, case.period.end())]);
    // Until midnight: the 16th is free, the 17th is not.
    let case = november().on("pro", "2026-11-02T23:30:00Z", "");
    assert_eq!(case.lines()[0], "Pro, 14 of 30 days: 22.87");
    // All of November is free, and nothing lacks to a minimum.
    let case = november().on("pro", "2026-11-17T00:00:00Z", "");
    assert_eq!(case.lines(), ["pro due: 0"]);
    assert_eq!(
        spans(&plan, &case.subscriptions, case.period),
        [(case.period.start, at("2026-11-17T00:00:00Z"))]
    );
    // Long over.
    let case = november().on("pro", "2026-01-01T00:00:00Z", "");
    assert_eq!(case.invoice().sections[0].notes, []);
    assert_eq!(spans(&plan, &case.subscriptions, case.period), [(case.period.start, case.period.end())]);
}

#[test]
fn a_day_that_is_kept_as_a_whole_makes_an_invoice_incomplete() {
    let plan =
        Plan { trial: Some(14 * DAY), charges: vec![charge("Tokens", "tokens", per_unit("0.01"))], ..pro() };
    let day = at("2026-11-17T00:00:00Z");
    let mut case = november(vec![plan]).on("pro", "2026-11-03T10:20:00Z", "").used("pro", "tokens", 500);
    assert!(case.invoice().is_complete());
    case.compacted = vec![("pro".into(), day)];
    let invoice = case.invoice();
    let note = Note::Compacted { day };
    assert_eq!(
        note.to_string(),
        "A trial began or ended on 2026-11-17, whose hours are no longer kept: usage of that day is not charged."
    );
    assert!(invoice.sections[0].notes.contains(&note) && !invoice.is_complete());
}

#[test]
fn hours_between_trials_are_paid_for() {
    let plan = Plan { trial: Some(3 * DAY), ..pro() };
    let subscribed =
        |from: &str, to: Option<&str>| Subscribed { plan: "pro".into(), from: at(from), to: to.map(at) };
    let subscriptions = [
        // Ends within its trial: from the hour after, usage of this plan is paid for.
        subscribed("2026-11-02T10:30:00Z", Some("2026-11-03T10:20:00Z")),
        subscribed("2026-11-10T00:00:00Z", Some("2026-11-20T00:00:00Z")),
        subscribed("2026-11-29T12:00:00Z", None),
    ];
    let month = Every::Month.containing(at("2026-11-01T00:00:00Z"));
    let expected = [
        ("2026-11-01T00:00:00Z", "2026-11-02T10:00:00Z"),
        ("2026-11-03T11:00:00Z", "2026-11-10T00:00:00Z"),
        ("2026-11-13T00:00:00Z", "2026-11-29T12:00:00Z"),
    ];
    assert_eq!(spans(&plan, &subscriptions, month), expected.map(|(from, to)| (at(from), at(to))));
    assert_eq!(spans(&named("other"), &subscriptions, month), [(month.start, month.end())]);
    let all = Plan { trial: Some(Duration::from_secs(40 * 86_400)), ..pro() };
    let since = [subscribed("2026-10-30T00:00:00Z", None)];
    assert_eq!(spans(&all, &since, month), []);
}

#[test]
fn rows_of_one_meter_are_put_together_as_it_counts() {
    for (aggregation, expected, noted) in [
        (Aggregation::Sum, "12", 0),
        (Aggregation::Count, "12", 0),
        (Aggregation::Max, "7", 0),
        (Aggregation::Unique, "7", 1),
        (Aggregation::Latest, "5", 0),
    ] {
        let tokens = Charge { aggregation, ..charge("Tokens", "tokens", per_unit("1")) };
        let plan = Plan { charges: vec![tokens], ..named("pro") };
        let case = november(vec![plan]).on("pro", "2026-01-01T00:00:00Z", "");
        // A row of nothing is nothing: no second count.
        let case = case.used("pro", "tokens", 0).used("pro", "tokens", 7);
        assert_eq!(case.lines()[0], "Tokens: 7");
        assert_eq!(case.invoice().sections[0].notes, []);
        let case = case.used("pro", "tokens", 5);
        assert_eq!(case.lines()[0], format!("Tokens: {expected}"), "{aggregation:?}");
        assert_eq!(case.invoice().sections[0].notes.len(), noted);
    }
}

#[test]
fn a_year_is_due_on_its_anniversary() {
    let yearly = |trial| Plan { fees: vec![fee("Pro", "490", Every::Year)], trial, ..named("pro") };
    let due = |case: Case| case.lines().contains(&"Pro, one year: 490".to_owned());
    let since = "2024-11-20T15:00:00Z";
    for (first, expected) in [
        ("2024-10-01T00:00:00Z", false),
        ("2024-11-01T00:00:00Z", true),
        ("2024-12-01T00:00:00Z", false),
        ("2026-11-01T00:00:00Z", true),
        ("2023-11-01T00:00:00Z", false),
    ] {
        assert_eq!(due(month(first, vec![yearly(None)]).on("pro", since, "")), expected, "{first}");
    }
    // Left on the anniversary or before: the next year is not due. A day later: it is, and whole.
    for (to, expected) in [
        ("2026-11-19T00:00:00Z", false),
        ("2026-11-20T23:00:00Z", false),
        ("2026-11-21T00:00:00Z", true),
        ("2026-11-22T00:00:00Z", true),
    ] {
        assert_eq!(due(november(vec![yearly(None)]).on("pro", since, to)), expected, "{to}");
    }
    // After a trial of 14 days, the first year begins on 4 December, and so do the others.
    let trial = |first| month(first, vec![yearly(Some(14 * DAY))]).on("pro", since, "");
    assert!(!due(trial("2024-11-01T00:00:00Z")));
    assert!(due(trial("2024-12-01T00:00:00Z")));
    assert!(!due(trial("2025-11-01T00:00:00Z")));
    assert!(due(trial("2025-12-01T00:00:00Z")));
    let long = |first| month(first, vec![yearly(Some(365 * DAY))]).on("pro", since, "");
    assert!(!due(long("2024-11-01T00:00:00Z")));
    assert!(due(long("2025-11-01T00:00:00Z")));
}

#[test]
fn a_year_since_the_29th_of_february_is_due_on_the_28th() {
    let plan = Plan { fees: vec![fee("Pro", "490", Every::Year)], ..named("pro") };
    let case = |first: &str, to: &str| {
        let case = month(first, vec![plan.clone()]).on("pro", "2028-02-29T12:00:00Z", to);
        case.invoice().totals.iter().map(|it| it.amount.to_string()).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(case("2028-02-01T00:00:00Z", ""), ["490"]);
    assert_eq!(case("2029-02-01T00:00:00Z", ""), ["490"]);
    assert_eq!(case("2029-03-01T00:00:00Z", ""), none);
    assert_eq!(case("2032-02-01T00:00:00Z", ""), ["490"]);
    assert_eq!(case("2029-02-01T00:00:00Z", "2029-02-28T12:00:00Z"), none);
    assert_eq!(case("2029-02-01T00:00:00Z", "2029-03-01T00:00:00Z"), ["490"]);
    // In a leap year it is the 29th again: who leaves on the 28th does not owe it.
    assert_eq!(case("2032-02-01T00:00:00Z", "2032-02-29T00:00:00Z"), none);
}

#[test]
fn the_minimum_is_of_charges_not_of_fees() {
    let plan = Plan {
        charges: vec![charge("Tokens", "tokens", per_unit("0.01"))],
        minimum: Some(Decimal::from(10)),
        ..pro()
    };
    // A cent less, as much, a cent more.
    for (quantity, expected) in [
        (0, vec!["Tokens: 0", "Minimum: 10.00 EUR, less charges of 0.00 EUR: 10"]),
        (999, vec!["Tokens: 9.99", "Minimum: 10.00 EUR, less charges of 9.99 EUR: 0.01"]),
        (1_000, vec!["Tokens: 10"]),
        (1_001, vec!["Tokens: 10.01"]),
    ] {
        let case = november(vec![plan.clone()]).on("pro", "2026-01-01T00:00:00Z", "");
        let lines = case.used("pro", "tokens", quantity).lines();
        assert_eq!(lines[1..lines.len() - 1], expected);
        assert_eq!(lines[0], "Pro: 49");
    }
}

#[test]
fn every_line_is_rounded_once_and_the_total_is_their_sum() {
    let tokens = |name| charge(name, "tokens", per_unit("0.005"));
    for (rounding, each, due) in [(Rounding::HalfUp, "0.01", "0.02"), (Rounding::HalfEven, "0", "0")] {
        let plan = Plan { rounding, charges: vec![tokens("A"), tokens("B")], ..named("pro") };
        let case = november(vec![plan]).on("pro", "2026-01-01T00:00:00Z", "").used("pro", "tokens", 1);
        assert_eq!(case.lines(), [format!("A: {each}"), format!("B: {each}"), format!("pro due: {due}")]);
    }
}

#[test]
fn credit_pays_charges_and_what_it_did_not_is_due() {
    let prepaid = Some(Prepaid { grant: None, expires: None });
    let charges = vec![charge("A", "tokens", per_unit("0.005")), charge("B", "requests", per_unit("0.005"))];
    let plan = Plan { prepaid, charges, ..pro() };
    let case = || {
        let case = november(vec![plan.clone()]).on("pro", "2026-01-01T00:00:00Z", "");
        case.used("pro", "tokens", 1).used("pro", "requests", 1)
    };
    // Two lines of 0.005 are 0.02 when rounded. 0.010 was drawn: nothing is left, so all of the 0.02 is paid.
    let paid = case().drawn("pro", 10_000_000);
    assert_eq!(paid.lines(), ["Pro: 49", "A: 0.01", "B: 0.01", "Paid by credit: -0.02", "pro due: 49"]);
    assert_eq!(paid.invoice().sections[0].notes, []);
    // 0.004 was drawn: 0.006 are left, which is 0.01.
    let part = case().drawn("pro", 4_000_000);
    assert_eq!(part.lines()[3..], ["Paid by credit: -0.01", "pro due: 49.01"]);
    let notes = part.invoice().sections[0].notes.clone();
    assert_eq!(notes.iter().map(Note::name).collect::<Vec<_>>(), ["uncovered"]);
    // Nothing was drawn: the lines are due as they stand.
    assert_eq!(case().lines()[2..], ["B: 0.01", "pro due: 49.02"]);
    assert_eq!(case().invoice().sections[0].notes.iter().map(Note::name).collect::<Vec<_>>(), ["uncovered"]);
    // More than there is to pay.
    let more = case().drawn("pro", 1_010_000_000);
    assert_eq!(more.lines()[3..], ["Paid by credit: -0.02", "pro due: 49"]);
    let notes = more.invoice().sections[0].notes.clone();
    assert_eq!(notes, [Note::Overdrawn { amount: Decimal::ONE, currency: plan.currency }]);
    // Rows add up, and a plan that is no longer prepaid still takes off what was drawn.
    let mut postpaid = case().drawn("pro", 6_000_000).drawn("pro", 4_000_000);
    postpaid.plans[0].prepaid = None;
    assert_eq!(postpaid.lines()[3..], ["Paid by credit: -0.02", "pro due: 49"]);
}

#[test]
fn currencies_are_not_mixed() {
    let yen = Plan {
        currency: Currency::new("JPY").unwrap(),
        fees: vec![fee("Tokyo", "1000", Every::Month)],
        ..named("tokyo")
    };
    let change = "2026-11-11T00:00:00Z";
    let case = november(vec![yen, pro(), basic()])
        .on("tokyo", "2026-01-01T00:00:00Z", change)
        .on("pro", change, "2026-11-21T00:00:00Z")
        .on("basic", "2026-11-21T00:00:00Z", "");
    // Ten days each: 333.33.. without places, 16.33.. and 3.33..
    let totals: Vec<String> = case.invoice().totals.iter().map(ToString::to_string).collect();
    assert_eq!(totals, ["19.66 EUR", "333 JPY"]);
}

#[test]
fn nothing_is_lost_that_has_no_line() {
    let plan = Plan { charges: vec![charge("Tokens", "tokens", per_unit("1"))], ..named("pro") };
    let case = november(vec![plan])
        .on("old", "2026-01-01T00:00:00Z", "2026-11-06T00:00:00Z")
        .on("", "2026-11-06T00:00:00Z", "2026-11-11T00:00:00Z")
        .on("pro", "2026-11-11T00:00:00Z", "")
        .used("old", "tokens", 5)
        .used("old", "storage", 1_500)
        .used("old", "forgotten", 7)
        .used("", "tokens", 1)
        .used("pro", "requests", 9)
        .drawn("old", 3_000_000_000);
    let invoice = case.invoice();
    let shown: Vec<String> = invoice
        .unrated
        .iter()
        .map(|it| {
            let usage: Vec<String> =
                it.usage.iter().map(|it| format!("{}={}", it.meter, it.quantity)).collect();
            format!("{:?} {} {}: {}", it.why, it.plan, it.days, usage.join(" "))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "UnknownPlan old 5: tokens=5 storage=1.5 forgotten=7",
            "NoPlan  0: tokens=1",
            "NoCharge pro 0: requests=9"
        ]
    );
    assert_eq!(invoice.unrated[0].drawn, 3_000_000_000);
    assert!(!invoice.is_complete());
    assert_eq!(case.lines(), ["Tokens: 0", "pro due: 0"]);
    let fine = november(vec![pro()]).on("pro", "2026-01-01T00:00:00Z", "").used("pro", "tokens", 1).invoice();
    assert_eq!((fine.is_complete(), fine.unrated[0].why), (true, Why::NoCharge));
}

#[test]
fn usage_without_a_subscription_is_charged_without_fees() {
    let plan = Plan { charges: vec![charge("Access", "tokens", flat("5"))], ..pro() };
    assert_eq!(november(vec![plan]).used("pro", "tokens", 1).lines(), ["Access: 5", "pro due: 5"]);
}

#[test]
fn there_is_no_invoice_rather_than_a_wrong_one() {
    let plan = |price| Plan { charges: vec![charge("Tokens", "tokens", price)], ..named("pro") };
    let failed = |case: Case| case.try_invoice().unwrap_err().to_string();
    let dear = november(vec![plan(per_unit("999999999.999999999999"))]).used("pro", "tokens", i64::MAX);
    assert_eq!(failed(dear), "plan `pro`, charge `Tokens`: the amount is too great to be exact");
    let twice = november(vec![plan(per_unit("1"))]).used("pro", "tokens", i64::MAX).used("pro", "tokens", 1);
    let error = twice.try_invoice().unwrap_err();
    assert!(matches!(error, InvoiceError::Rating { error: RatingError::Overflow, .. }));
    let negative = november(vec![plan(per_unit("1"))]).used("pro", "tokens", -1);
    assert_eq!(failed(negative), "plan `pro`, charge `Tokens`: a quantity is negative");
    let mut year = november(vec![pro()]);
    year.period = Every::Year.containing(year.period.start);
    assert_eq!(year.try_invoice(), Err(InvoiceError::Period));
}

#[test]
fn a_month_that_is_not_over_is_a_preview() {
    let mut case = november(vec![pro()]).on("pro", "2026-11-11T00:00:00Z", "");
    for (now, preview) in [
        ("2026-11-11T00:00:00Z", true),
        ("2026-11-30T23:59:59.999999999Z", true),
        ("2026-12-01T00:00:00Z", false),
    ] {
        case.now = at(now);
        assert_eq!(case.invoice().preview, preview, "{now}");
        // 20 × 49 / 30 = 32.666..: to the end of the month, whenever it is asked for.
        assert_eq!(case.lines(), ["Pro, 20 of 30 days: 32.67", "pro due: 32.67"]);
    }
}

proptest! {
    /// However often plans change in a month, each day is paid once, and fees of the same amount come to it within rounding.
    #[test]
    fn days_are_paid_once(cuts in prop::collection::btree_set(0_i64..40 * 86_400, 0..12), first in 1_u32..=12, even in any::<bool>()) {
        let period = Every::Month.containing(at(&format!("2028-{first:02}-15T00:00:00Z")));
        let rounding = if even { Rounding::HalfEven } else { Rounding::HalfUp };
        let names = ["a", "b", "c"];
        let plan = |name: &&str| Plan { rounding, fees: vec![fee(name, "49.99", Every::Month)], ..named(name) };
        let mut case = Case { period, ..november(names.iter().map(plan).collect()) };
        // From days before the month to days after it.
        let start = period.start.as_second() - 4 * 86_400;
        let moment = |cut: &i64| jiff::Timestamp::from_second(start + cut).unwrap();
        let mut from = at("2027-01-01T00:00:00Z");
        for (index, cut) in cuts.iter().enumerate() {
            case.subscriptions.push(Subscribed { plan: names[index % 3].into(), from, to: Some(moment(cut)) });
            from = moment(cut);
        }
        case.subscriptions.push(Subscribed { plan: names[cuts.len() % 3].into(), from, to: None });

        let lines: Vec<_> = case.invoice().sections.into_iter().flat_map(|it| it.lines).collect();
        let length = (period.end().as_second() - period.start.as_second()) / 86_400;
        let days: i64 = lines.iter().map(|it| it.days.map_or(length, |(paid, _)| paid.into())).sum();
        prop_assert_eq!(days, length);
        let sum: Decimal = lines.iter().map(|it| it.amount).sum();
        prop_assert!((sum - Decimal::new(4_999, 2)).abs() <= Decimal::new(15, 3), "{} of three lines", sum);
    }

    /// What is due is the sum of the lines, and credit never pays more than the charges.
    #[test]
    fn totals_are_sums_of_lines(tokens in 0_i64..5_000, requests in 0_i64..5_000, drawn in 0_i64..60_000_000_000, minimum in 0_i64..50) {
        let plan = Plan {
            charges: vec![charge("A", "tokens", per_unit("0.0045")), charge("B", "requests", per_unit("0.00555"))],
            minimum: Some(minimum.into()),
            prepaid: Some(Prepaid { grant: None, expires: None }),
            ..pro()
        };
        let case = november(vec![plan]).on("pro", "2026-11-07T00:00:00Z", "");
        let case = case.used("pro", "tokens", tokens).used("pro", "requests", requests).drawn("pro", drawn);
        let invoice = case.invoice();
        let sum = |kinds: &[Kind]| -> Decimal {
            let lines = invoice.sections[0].lines.iter();
            lines.filter(|it| kinds.contains(&it.kind)).map(|it| it.amount).sum()
        };
        let all = [Kind::Fee, Kind::Charge, Kind::Minimum, Kind::Credit];
        prop_assert_eq!(invoice.totals[0].amount, sum(&all));
        let open = sum(&[Kind::Charge, Kind::Credit]);
        prop_assert!(open >= Decimal::ZERO && sum(&[Kind::Credit]) <= Decimal::ZERO);
        // What is open is what the exact charges leave, to the cent, unless nothing was drawn.
        let exact = Decimal::new(tokens * 450 + requests * 555, 5) - Decimal::new(drawn, 9);
        let off = if drawn == 0 { Decimal::new(1, 2) } else { Decimal::new(5, 3) };
        prop_assert!((open - exact.max(Decimal::ZERO)).abs() <= off, "{} of {}", open, exact);
        prop_assert!(invoice.sections[0].lines.iter().all(|it| it.amount.scale() <= 2));
    }
}
