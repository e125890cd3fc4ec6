//! Requests that are meant to cost the guard or the upstream dearly. Each ends at once, also in the real runtime with its limits.

use proptest::prelude::*;
use sluice_sdk_testing::{Value, json};

use crate::common::{guard, passes, post, query, raw, refused};

/// Limits that are as wide as may be: the reading itself has to hold.
fn wide() -> Value {
    json!({
        "max_depth": 1_000, "max_fields": 1_000_000, "max_root_fields": 1_000_000, "max_aliases": 1_000_000,
        "max_directives": 1_000_000, "max_tokens": 100_000, "max_query_size": "1MiB",
        "cost": { "max": 1_000_000_000, "max_items": 1_000_000 },
    })
}

#[test]
fn bombs_of_depth() {
    for config in [json!({}), wide()] {
        let guard = guard(config);
        for (open, middle, close) in
            [("{a", "", "}"), ("{a(x:", "[", "]"), ("{a(x:", "{y:", "}"), ("query($x:", "[", "]")]
        {
            let deep = 20_000;
            let text = match (open, middle) {
                (_, "") => open.repeat(deep) + &close.repeat(deep),
                (_, "{y:") => format!("{open}{}1{})}}", middle.repeat(deep), close.repeat(deep)),
                ("query($x:", _) => format!("{open}{}A{}){{a}}", middle.repeat(deep), close.repeat(deep)),
                _ => format!("{open}{}{})}}", middle.repeat(deep), close.repeat(deep)),
            };
            let exchange = guard.send(query(&text));
            assert!(exchange.fault().is_none() && exchange.failure().is_none(), "{:?}", exchange.decision());
        }
        let lists = format!(
            "{{\"query\":\"{{a}}\",\"variables\":{{\"a\":{}{}}}}}",
            "[".repeat(50_000),
            "]".repeat(50_000)
        );
        refused(&guard.send(raw(&lists)), 400, "graphql-request-malformed", "`variables`");
        let extensions = lists.replace("variables", "extensions");
        passes(&guard, raw(&extensions));
    }
}

/// Each fragment uses the next one twice: 2 to the power of 60 fields.
#[test]
fn bombs_of_fragments() {
    for config in [json!({}), wide()] {
        let guard = guard(config);
        let text: String =
            (0..60).map(|at| format!("fragment F{at} on T {{ ...F{0} ...F{0} }} ", at + 1)).collect();
        let text = format!("{{ ...F0 }} {text} fragment F60 on T {{ a: b }}");
        refused(&guard.send(query(&text)), 400, "graphql-too-many-fields", "");
        let ring: String =
            (0..200).map(|at| format!("fragment F{at} on T {{ a ...F{} }} ", (at + 1) % 200)).collect();
        refused(&guard.send(query(&format!("{{ a }} {ring}"))), 400, "graphql-invalid", "uses itself");
    }
}

#[test]
fn floods() {
    let guard = guard(json!({}));
    let aliases: String = (0..1_500).map(|at| format!("a{at}:b ")).collect();
    refused(&guard.send(query(&format!("{{x{{{aliases}}}}}"))), 400, "graphql-too-many-fields", "");
    refused(
        &guard.send(query(&format!("{{x{{{}}}}}", &aliases[..aliases.len() / 3]))),
        400,
        "graphql-too-many-aliases",
        "",
    );
    refused(
        &guard.send(query(&format!("{{a {}}}", "@b ".repeat(1_000)))),
        400,
        "graphql-too-many-directives",
        "",
    );
    refused(
        &guard.send(query(&format!("{{{}}}", "a ".repeat(500)))),
        400,
        "graphql-too-many-root-fields",
        "",
    );
    refused(
        &guard.send(query(&format!("{{a(x:[{}])}}", "1 ".repeat(10_000)))),
        413,
        "graphql-too-large",
        "tokens of a document",
    );
    refused(&guard.send(query(&"{".repeat(30_000))), 400, "graphql-syntax", "");
    refused(
        &guard.send(query(&format!("{{a{}}}", ",".repeat(80_000)))),
        413,
        "graphql-too-large",
        "bytes of a document",
    );
    passes(&guard, query(&format!("{{a #{}\n}}", "x".repeat(60_000))));
    let many = post(&json!({ "query": "{a}", "variables": { "ids": vec![1; 10_001] } }));
    refused(&guard.send(many), 413, "graphql-too-large", "JSON values in `variables`: at most 10000");
    let names: String = (0..9_000).map(|at| format!("\"a{at}\":0,")).collect();
    passes(&guard, raw(&format!("{{\"query\":\"{{a}}\",\"variables\":{{{names}\"z\":0}}}}")));
    let objects = format!("[{}{{}}]", "{},".repeat(200_000));
    refused(&guard.send(raw(&objects)), 400, "graphql-too-many-operations", "");
    let members: String = (0..50_000).map(|at| format!("\"a{at}\":0,")).collect();
    refused(
        &guard.send(raw(&format!("{{{members}\"z\":0}}"))),
        400,
        "graphql-request-malformed",
        "too many members",
    );
}

/// As many tokens as may be, in documents that are nearly good.
#[test]
fn documents_of_all_tokens_that_may_be() {
    let mut config = wide();
    config["cost"]["size_arguments"] = json!(["first", "last", "limit", "page.first", "page.last"]);
    let guard = guard(config);
    let aliases: String = (0..24_000).map(|at| format!("a{at}:b ")).collect();
    let fragments: String = (0..9_000).map(|at| format!("fragment F{at} on T{{...F{}}}", at + 1)).collect();
    let list = "1 ".repeat(40_000);
    let uses = "a(first:$i last:$i limit:$i)".repeat(3_000);
    let object: String = (0..12_000).map(|at| format!("a{at}:1 ")).collect();
    let paths = "a(page:$p)".repeat(5_000);
    for text in [
        format!("query($i:[Int]=[{list}]){{a(first:$i last:$i limit:$i)}}"),
        format!("query($i:[Int]=[{list}]){{{uses}}}"),
        format!("query($p:P={{{object}}}){{{paths}}}"),
        format!("{{{aliases}}}"),
        format!("{{{}}}", "a @b(c:1)".repeat(12_000)),
        format!("{{a({})}}", (0..24_000).map(|at| format!("b{at}:1 ")).collect::<String>()),
        format!("{{{}}}", "a(first:1 last:1 limit:1)".repeat(8_000)),
        format!("{{...F0}}{fragments}fragment F9000 on T{{a}}"),
        format!(
            "query({}){{a(first:$v7)}}",
            (0..15_000).map(|at| format!("$v{at}:A=1 ")).collect::<String>()
        ),
    ] {
        let exchange = guard.send(query(&text));
        assert!(exchange.is_forwarded(), "{:.60}: {:?}", text, exchange.decision());
    }
}

/// What a lexer could be led astray by.
#[test]
fn strings_hide_nothing() {
    let guard = guard(json!({ "max_depth": 1 }));
    for text in [
        "{a(x:\"}\") b}",
        "{a(x:\"\\\"}\") b}",
        "{a(x:\"\"\" } {\\ \n\"\"\") b}",
        "{a(x:\"#\") b # }\n}",
        "{a(x:\"\\u{7D}\\u007D\") b}",
    ] {
        passes(&guard, query(text));
        // The same beside what is too deep is too deep.
        refused(&guard.send(query(&text.replace(" b", " b { c }"))), 400, "graphql-too-deep", "");
    }
    for text in [
        "{a(x:\"",
        "{a(x:\"\\",
        "{a(x:\"\\u",
        "{a(x:\"\\u{",
        "{a(x:\"\"\"",
        "{a(x:\"\"\"\\\"",
        "{a#",
        "\"\"\"",
        "\u{feff}",
        // Other readers see other tokens in these.
        "{ a #\r(x:\"\"\"\n __schema{types{name}} b{c{d}} # \"\"\")\n}",
        "{ a # \u{2028} __schema{types{name}} \n}",
        "{ a # \u{2029} __schema{types{name}} \n}",
        "{ a # \u{85} __schema{types{name}} \n}",
        "{ a(x:[\"\"\"\\\"\"\"\"\"\" \"  ]) __schema{types{name}} #\"])\n}",
        "{a(x:[\"\"\" \" ]) evil #\"\"\"])}",
        "{a(x:\"\"\"\\\"\"\" } { \"\"\") b}",
        "{a(x:\"\"\"\"quoted\"\"\") b}",
    ] {
        refused(&guard.send(query(text)), 400, "graphql-syntax", "");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes is let through as it is or answered, and never a fault.
    #[test]
    fn no_request_is_too_odd(text in "[{}()\\[\\]:$@!=.\"\\\\u#\\na-d0-9 é-]{0,60}", body in "[{}\\[\\]:,\"querya1\\\\ ]{0,40}") {
        let guard = guard(json!({ "max_batch": 3 }));
        for request in [query(&text), raw(&body), raw(&format!("[{body}]"))] {
            let exchange = guard.send(request);
            prop_assert!(exchange.fault().is_none() && exchange.failure().is_none(), "{:?}", exchange.decision());
        }
    }
}
