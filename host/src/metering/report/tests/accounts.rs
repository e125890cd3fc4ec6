//! Balances, invoices and top-ups.

use std::time::Duration;

use sluice_metering::ledger::Retention;

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn a_balance_tells_of_every_quota_and_of_credit() {
    let mut case = november().await;
    let balance = case.balance("acme").await.unwrap();
    assert_eq!(
        balance,
        json!({
            "consumer": "acme",
            "at": NOW,
            "plan": "pro",
            "quotas": [
                {
                    "meter": "requests", "unit": "request", "kind": "hard", "per": "month",
                    "limit": "5", "used": "3", "remaining": "2",
                    "since": "2026-11-01T00:00:00Z", "resets": "2026-12-01T00:00:00Z",
                },
                {
                    "meter": "requests", "unit": "request", "kind": "soft", "per": "day",
                    "limit": "2", "used": "2", "remaining": "0",
                    "since": "2026-11-23T00:00:00Z", "resets": "2026-11-24T00:00:00Z",
                },
                {
                    "meter": "storage", "unit": "GB", "kind": "hard", "per": "month",
                    "limit": "10", "used": "1.5", "remaining": "8.5",
                    "since": "2026-11-01T00:00:00Z", "resets": "2026-12-01T00:00:00Z",
                },
            ],
            "credit": null,
        })
    );
    // What was used without credit is a debt, which is paid first.
    let credit = |balance: Value| balance["credit"].clone();
    let debt = credit(case.balance("bolt").await.unwrap());
    assert_eq!((&debt["balance"], &debt["debt"]), (&json!("-0.01"), &json!("0.01")));
    case.paid("bolt", "pay-1", "1.00", None).await;
    case.paid("bolt", "pay-2", "0.5", Some("2027-01-01T00:00:00Z")).await;
    assert_eq!(
        credit(case.balance("bolt").await.unwrap()),
        json!({
            "currency": "EUR",
            "balance": "1.49",
            "debt": "0.00",
            "reserved": "0.00",
            "credits": [
                {
                    "id": "pay-2", "amount": "0.50", "left": "0.50",
                    "since": "2026-11-01T00:00:00Z", "expires": "2027-01-01T00:00:00Z",
                },
                {
                    "id": "pay-1", "amount": "1.00", "left": "0.99",
                    "since": "2026-11-01T00:00:00Z", "expires": null,
                },
            ],
        })
    );
    assert_eq!(case.balance("dane").await.unwrap()["plan"], Value::Null);
}

#[tokio::test]
async fn an_invoice_is_of_what_is_in_the_ledger() {
    let mut case = november().await;
    case.used("cobra", "requests", "2026-11-10T23:59:00Z", 1, "").await;
    case.used("cobra", "requests", "2026-11-11T00:00:00Z", 1, "").await;
    let invoice = |text: &Document| serde_json::from_str::<Value>(&text.text).unwrap();
    let acme = invoice(&case.invoice("consumer=acme").await.unwrap());
    assert_eq!((&acme["month"], &acme["status"]), (&json!("2026-11"), &json!("preview")));
    assert_eq!(acme["due"], json!([{ "currency": "EUR", "amount": "0.03" }]));
    let october = invoice(&case.invoice("consumer=acme&period=2026-10").await.unwrap());
    assert_eq!((&october["status"], &october["due"][0]["amount"]), (&json!("final"), &json!("0.01")));
    // What was used in the trial is free.
    let cobra = invoice(&case.invoice("consumer=cobra").await.unwrap());
    assert_eq!(cobra["due"][0]["amount"], "0.01", "{cobra:#}");
    // Credit pays what it can; what it cannot is due, and a debt until a top-up pays it.
    let due = |document: Document| invoice(&document)["due"][0]["amount"].clone();
    assert_eq!(due(case.invoice("consumer=bolt").await.unwrap()), "0.01");
    case.paid("bolt", "pay-1", "1.00", None).await;
    let bolt = invoice(&case.invoice("consumer=bolt").await.unwrap());
    assert_eq!(
        (&bolt["due"][0]["amount"], &bolt["sections"][0]["before_credit"]),
        (&json!("0.00"), &json!("0.01"))
    );
    for (format, content_type, begins) in [
        ("csv", "text/csv; charset=utf-8", "consumer,"),
        ("html", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("json", "application/json", "{"),
    ] {
        let document = case.invoice(&format!("consumer=acme&format={format}")).await.unwrap();
        assert_eq!(document.content_type, content_type);
        assert!(document.text.to_lowercase().starts_with(&begins.to_lowercase()), "{}", document.text);
    }
    let missing = case.invoice("period=2026-11").await.map(|_| Value::Null);
    assert_eq!(problem(missing), "consumer: it is missing; the name of a consumer is expected");
}

#[tokio::test]
async fn of_a_day_that_is_kept_as_a_whole_nothing_is_charged_if_a_part_of_it_was_free() {
    let mut case = november().await;
    // The trial is from the 2nd at 10:00 to the 12th at 11:00.
    for time in ["02T09:00", "02T12:00", "05T12:00", "12T10:00", "12T12:00", "13T12:00"] {
        case.used("egon", "requests", &format!("2026-11-{time}:00Z"), 1, "").await;
    }
    let due = async |case: &Case| {
        let invoice = case.invoice("consumer=egon&period=2026-11").await.unwrap();
        let invoice: Value = serde_json::from_str(&invoice.text).unwrap();
        (invoice["due"][0]["amount"].clone(), invoice["complete"].clone())
    };
    assert_eq!(due(&case).await, (json!("0.03"), json!(true)));
    let retention = Retention { events: 35 * DAY, hours: 35 * DAY, piece: Retention::PIECE };
    while case.ledger.maintain(&retention, &[], at("2027-03-01T00:00:00Z")).await.unwrap().more {}
    // Of the 13th all is charged, of the 2nd and the 12th nothing.
    assert_eq!(due(&case).await, (json!("0.01"), json!(false)));
}

#[test]
fn top_ups_are_read_with_care() {
    type Change = dyn Fn(&mut WrittenTopUp);
    let catalog = catalog();
    let written = |change: &Change| {
        let mut written = WrittenTopUp {
            id: "pay-1".to_owned(),
            consumer: "acme".to_owned(),
            amount: "50.00".to_owned(),
            expires: Some("2027-01-01T00:00:00Z".to_owned()),
        };
        change(&mut written);
        top_up(&written, &catalog, at(NOW))
    };
    assert_eq!(
        written(&|_| ()).unwrap(),
        TopUp {
            id: "pay-1".to_owned(),
            consumer: "acme".into(),
            amount: 50_000_000_000,
            at: at(NOW),
            expires: Some(at("2027-01-01T00:00:00Z")),
        }
    );
    let refused: [(&Change, &str); 8] = [
        (&|it| it.id.clear(), "`id`"),
        (&|it| it.id.push('\n'), "`id`"),
        (&|it| it.consumer.push('x'), "did you mean `acme`?"),
        (&|it| it.amount = "0.00".to_owned(), "`amount`"),
        (&|it| it.amount = "-5".to_owned(), "`amount`"),
        (&|it| it.amount = "1e3".to_owned(), "`amount`"),
        (&|it| it.amount = "0.0000000001".to_owned(), "`amount`"),
        (&|it| it.expires = Some("2026-11-01T00:00:00Z".to_owned()), "over already"),
    ];
    for (change, told) in refused {
        let problem = written(change).unwrap_err().to_string();
        assert!(problem.contains(told), "{problem}");
    }
}
