//! What was used.

use super::*;

#[tokio::test]
async fn usage_has_the_shape_that_is_documented() {
    let case = november().await;
    let document = case.usage("consumer=acme&meter=storage").await.unwrap();
    assert_eq!(
        document,
        json!({
            "from": "2026-11-01T00:00:00Z",
            "to": "2026-11-23T13:00:00Z",
            "by": "total",
            "group": null,
            "meters": { "storage": { "aggregation": "sum", "unit": "GB", "decimals": 3 } },
            "rows": [{
                "start": "2026-11-01T00:00:00Z",
                "end": "2026-11-23T13:00:00Z",
                "consumer": "acme",
                "meter": "storage",
                "plan": "pro",
                "group": null,
                "quantity": "1.5",
                "unit": "GB",
                "events": 1,
            }],
            "next": null,
        })
    );
}

#[tokio::test]
async fn usage_is_split_and_filtered() {
    let mut case = november().await;
    for (query, expected) in [
        ("meter=requests", &["acme 2026-11-01T00:00:00Z - 3", "bolt 2026-11-01T00:00:00Z - 1"][..]),
        (
            "consumer=acme&meter=requests&by=day",
            &["acme 2026-11-01T00:00:00Z - 1", "acme 2026-11-23T00:00:00Z - 2"],
        ),
        (
            "consumer=acme&meter=requests&from=2026-10-01&by=month",
            &["acme 2026-10-01T00:00:00Z - 1", "acme 2026-11-01T00:00:00Z - 3"],
        ),
        (
            "meter=requests&consumer=acme&group=model",
            &["acme 2026-11-01T00:00:00Z a 1", "acme 2026-11-01T00:00:00Z b 2"],
        ),
        ("meter=requests&dimension=model:b", &["acme 2026-11-01T00:00:00Z - 2"]),
        ("plan=paygo", &["bolt 2026-11-01T00:00:00Z - 1"]),
        ("meter=requests&from=2026-11-23T12:00:00Z", &["acme 2026-11-23T12:00:00Z - 1"]),
        ("meter=users", &[]),
        ("consumer=dane", &[]),
    ] {
        assert_eq!(rows(&case.usage(query).await.unwrap()), expected, "{query}");
    }
    // Different texts, and not the sum of each day's.
    for (day, user) in [(1, "x"), (2, "x"), (2, "y")] {
        case.used("acme", "users", &format!("2026-11-0{day}T00:00:00Z"), 1, user).await;
    }
    assert_eq!(rows(&case.usage("meter=users").await.unwrap()), ["acme 2026-11-01T00:00:00Z - 2"]);
}

#[tokio::test]
async fn pages_come_to_the_whole() {
    let case = november().await;
    let whole = rows(&case.usage("by=hour").await.unwrap());
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = case.usage(&format!("by=hour&limit=2{cursor}")).await.unwrap();
        paged.extend(rows(&page));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!((paged.len(), &paged), (5, &whole));

    let mut reader = Reader::open(&case.settings).await.unwrap();
    let query = UsageQuery { by: Some(Every::Hour), ..UsageQuery::all(at("2026-11-01T00:00:00Z"), at(NOW)) };
    let all = Usage::ask_all(&mut reader, &case.catalog, query).await.unwrap();
    assert_eq!((all.rows.len(), all.next), (5, None));
}

#[tokio::test]
async fn slips_are_told() {
    let case = november().await;
    for (query, expected) in [
        ("by=week", "by: `week` is not one of total, hour, day, month, year"),
        ("from=tomorrow", "from: `tomorrow` is not a day such as 2026-11-01 or a full hour"),
        ("from=2026-12-01", "from: the time that is asked for ends before it begins"),
        ("from=2026-11-02&to=2026-11-02", "to: the time that is asked for ends before it begins"),
        ("limit=0", "limit: `0` is not a number from 1 to 1000"),
        ("limit=1001", "limit: `1001` is not a number from 1 to 1000"),
        ("cursor=zz", "cursor: no page named this"),
        ("dimension=model", "dimension: `model` is not a dimension's name and value"),
        ("dimension=modle:a", "dimension: there is no dimension `modle`; did you mean `model`?"),
        ("group=region", "group: there is no dimension `region`; known dimensions: `model`"),
        ("meter=request", "meter: there is no meter `request`; did you mean `requests`?"),
        ("plan=max", "plan: there is no plan `max`; known plans: `paygo`, `pro`, `trial`"),
    ] {
        let problem = problem(case.usage(query).await);
        assert!(problem.starts_with(expected), "{query}: {problem}");
    }
    let unknown = case.usage("consumer=acmee").await.unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "neither the configuration nor the ledger knows a consumer `acmee`; did you mean `acme`?"
    );
    // Who is no longer configured is still in the ledger.
    assert!(case.usage("consumer=gone").await.is_ok());
    assert!(case.balance("gone").await.is_ok());
    assert!(case.invoice("consumer=gone").await.is_ok());
    for refused in [case.balance("nobody").await, case.invoice("consumer=nobody").await.map(|_| Value::Null)]
    {
        assert!(matches!(refused, Err(Refused::Consumer { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn usage_of_a_meter_that_is_gone_is_its_sum() {
    let mut case = november().await;
    case.catalog.meters.remove("storage");
    let document = case.usage("meter=storage").await.unwrap();
    assert_eq!(
        (&document["meters"]["storage"], &document["rows"][0]["quantity"]),
        (&Value::Null, &json!("1500"))
    );
}
