//! Whole invoices in every form. `BLESS=1` writes down what came out.

use std::fs;
use std::path::Path;

use rust_decimal::Decimal;

use super::case::{Case, DAY, at, charge, fee, month, named, november};
use crate::meter::Aggregation;
use crate::period::Every;
use crate::plan::{Charge, Currency, Plan, Prepaid, Price};
use crate::rating::samples::{flat, package, per_unit, tier};

/// Every model, a change of plan, a trial, a minimum.
fn every_model() -> Case {
    let tiers = || vec![tier(Some(1_000_000), "0", "0"), tier(None, "0.0000015", "1.00")];
    let seats = vec![tier(Some(5), "8", "0"), tier(None, "6.50", "2")];
    let pro = Plan {
        fees: vec![fee("Pro", "49.00", Every::Month), fee("Support", "1200", Every::Year)],
        charges: vec![
            Charge { included: 1_000, ..charge("Tokens", "tokens", Price::Graduated { tiers: tiers() }) },
            charge("Requests", "requests", per_unit("0.001")),
            Charge {
                aggregation: Aggregation::Unique,
                ..charge("Seats", "seats", Price::Volume { tiers: seats })
            },
            charge("Exports", "exports", package(100, "5.00")),
            Charge {
                aggregation: Aggregation::Max,
                decimals: 3,
                included: 1_000,
                ..charge("Storage", "storage", per_unit("0.023"))
            },
            charge("Access", "requests", flat("10.00")),
        ],
        trial: Some(3 * DAY),
        ..named("pro")
    };
    let basic = Plan {
        fees: vec![fee("Basic", "10.00", Every::Month)],
        charges: vec![charge("Requests", "requests", per_unit("0.002"))],
        minimum: Some(Decimal::from(12)),
        ..named("basic")
    };
    november(vec![basic, pro])
        .on("basic", "2026-02-14T09:00:00Z", "2026-11-12T15:00:00Z")
        .on("pro", "2026-11-12T15:00:00Z", "")
        .used("basic", "requests", 1_234)
        .used("pro", "tokens", 3_500_001)
        .used("pro", "requests", 98_765)
        .used("pro", "seats", 7)
        .used("pro", "exports", 201)
        .used("pro", "storage", 12_345)
}

fn prepaid() -> Case {
    let plan = Plan {
        fees: vec![fee("Platform", "5", Every::Month)],
        charges: vec![
            charge("Tokens", "tokens", per_unit("0.000002")),
            charge("Exports", "exports", package(10, "1")),
        ],
        prepaid: Some(Prepaid { grant: None, expires: None }),
        ..named("payg")
    };
    let case = november(vec![plan]).on("payg", "2026-05-01T00:00:00Z", "");
    case.used("payg", "tokens", 2_345_678).used("payg", "exports", 11).drawn("payg", 6_000_000_000)
}

fn currencies() -> Case {
    let yen = Plan {
        currency: Currency::new("JPY").unwrap(),
        fees: vec![fee("Tokyo", "1000", Every::Month)],
        charges: vec![charge("Requests", "requests", per_unit("0.25"))],
        ..named("tokyo")
    };
    let dinar = Plan {
        currency: Currency::new("KWD").unwrap(),
        fees: vec![fee("Kuwait", "10", Every::Month)],
        ..named("kuwait")
    };
    let change = "2028-02-11T00:00:00Z";
    month("2028-02-01T00:00:00Z", vec![yen, dinar])
        .on("tokyo", "2027-01-01T00:00:00Z", change)
        .on("kuwait", change, "")
        .used("tokyo", "requests", 1_235)
}

/// Names that try to be something else, and usage that has no line; the month is not over.
fn hostile() -> Case {
    let evil = "<script>alert(\"1\")</script>";
    let plan = Plan {
        fees: vec![fee("=HYPERLINK(\"http://evil\")", "1", Every::Month)],
        charges: vec![charge("+1, \"two\" & 'three'", "tokens", per_unit("1"))],
        ..named(evil)
    };
    let mut case = november(vec![plan])
        .on("@gone", "2026-01-01T00:00:00Z", "2026-11-06T00:00:00Z")
        .on(evil, "2026-11-06T00:00:00Z", "")
        .used("@gone", "storage", 1_500)
        .used(evil, "tokens", 2)
        .used(evil, "requests", 3)
        .used("", "-minus", 4);
    case.consumer = "=cmd|' /C calc'!A0\u{1b}[2J\u{202e}".to_owned();
    case.now = at("2026-11-20T00:00:00Z");
    case
}

#[test]
fn invoices_look_as_they_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    let cases = [
        ("every-model", every_model()),
        ("prepaid", prepaid()),
        ("currencies", currencies()),
        ("hostile", hostile()),
        ("nothing", november(Vec::new())),
    ];
    for (name, case) in cases {
        let invoice = case.invoice();
        for (ending, text) in [
            ("txt", invoice.to_table()),
            ("json", invoice.to_json()),
            ("csv", invoice.to_csv()),
            ("html", invoice.to_html()),
        ] {
            let file = folder.join(format!("{name}.{ending}"));
            if bless {
                fs::create_dir_all(&folder).unwrap();
                fs::write(&file, &text).unwrap();
            } else if fs::read_to_string(&file).unwrap_or_default() != text {
                wrong.push(format!("--- {name}.{ending}\n{text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "BLESS=1 takes these for right:\n{}", wrong.join("\n"));
}

/// A reader of RFC 4180 of its own, so that what is written is read back by something else than its writer.
fn read(csv: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut chars = csv.chars().peekable();
    let mut quoted = false;
    while let Some(it) = chars.next() {
        match it {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {
                assert_eq!(chars.next(), Some('\n'));
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            it => cell.push(it),
        }
    }
    assert!(!quoted && record.is_empty() && cell.is_empty(), "the last record ends with a line break");
    records
}

#[test]
fn amounts_of_the_csv_add_up_to_what_is_due() {
    for case in [every_model(), prepaid(), currencies(), hostile()] {
        let invoice = case.invoice();
        let records = read(&invoice.to_csv());
        let column = |name| records[0].iter().position(|it| it == name).unwrap();
        let (amount, currency) = (column("amount"), column("currency"));
        assert!(records.iter().all(|it| it.len() == records[0].len()));
        for total in &invoice.totals {
            let rows = records[1..].iter().filter(|it| it[currency] == total.currency.code());
            let amounts =
                rows.filter(|it| !it[amount].is_empty()).map(|it| it[amount].parse::<Decimal>().unwrap());
            assert_eq!(amounts.sum::<Decimal>(), total.amount);
        }
    }
}

#[test]
fn names_do_nothing_wherever_they_are_shown() {
    let invoice = hostile().invoice();
    let html = invoice.to_html();
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;"));
    for text in [&html, &invoice.to_table()] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']));
    }
    for record in &read(&invoice.to_csv())[1..] {
        let harmless = |cell: &String| !cell.starts_with(['=', '+', '-', '@']);
        assert!(record.iter().all(harmless), "{record:?}");
    }
    let json: serde_json::Value = serde_json::from_str(&invoice.to_json()).unwrap();
    assert_eq!(json["consumer"], invoice.consumer.as_str());
}
