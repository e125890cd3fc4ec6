//! What a consumer sees of its own.

use super::*;

#[tokio::test]
async fn a_consumer_sees_itself_and_nobody_else() {
    let case = november().await;
    for query in [
        "",
        "by=day",
        "period=2026-10",
        "group=model",
        "view=balance",
        "view=invoice&format=csv",
        "view=invoice",
    ] {
        let document = case.own("acme", query).await.unwrap();
        assert!(!document.text.contains("bolt"), "{query}: {}", document.text);
        assert!(document.text.contains("acme"), "{query}: {}", document.text);
    }
    for query in
        ["consumer=bolt", "consumer=acme", "plan=paygo", "from=2026-01-01", "view=all", "view=balance&by=day"]
    {
        assert!(matches!(case.own("acme", query).await, Err(Refused::Parameter { .. })), "{query}");
    }
    // A page of another's is a place in one's own.
    let page = case.usage("consumer=bolt&limit=1").await.unwrap();
    assert_eq!(page["next"], Value::Null);
    let page = case.usage("by=hour&limit=4").await.unwrap();
    let cursor = page["next"].as_str().unwrap();
    let rest = case.own("bolt", &format!("by=hour&cursor={cursor}")).await.unwrap();
    assert!(!rest.text.contains("acme"), "{}", rest.text);

    let summary = case.own("acme", "meter=requests").await.unwrap();
    let summary: Value = serde_json::from_str(&summary.text).unwrap();
    let names: Vec<&String> = summary.as_object().unwrap().keys().collect();
    let expected = ["at", "consumer", "credit", "period", "plan", "quotas", "usage"];
    let mut sorted: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert_eq!((&summary["plan"], &summary["period"]), (&json!("pro"), &json!("2026-11")));
    assert_eq!(summary["usage"]["to"], "2026-12-01T00:00:00Z");
    assert_eq!(rows(&summary["usage"]), ["acme 2026-11-01T00:00:00Z - 3"]);
}
