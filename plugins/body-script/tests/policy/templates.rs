//! Templates.

use sluice_sdk_testing::json;

use crate::common::{answered, plugin, posted};

#[test]
fn a_template_is_rendered_and_escapes_as_its_type_wants() {
    for (content_type, template, body) in [
        (None, "Hello {{ body.name }} of {{ request.path }}", "Hello <\"Ann\"> of /orders"),
        (Some("text/html; charset=utf-8"), "<b>{{ body.name }}</b>", "<b>&lt;&quot;Ann&quot;&gt;</b>"),
        (
            Some("application/json"),
            "{\"n\": {{ body.name }}, \"b\": {{ body.big }}}",
            "{\"n\": \"<\\\"Ann\\\">\", \"b\": 18446744073709551616}",
        ),
        (
            Some("application/soap+xml"),
            "{% for item in body.list %}<i>{{ item }}</i>{% endfor %}",
            "<i>1</i><i>&amp;</i>",
        ),
    ] {
        let mut script = json!({ "template": template });
        if let Some(content_type) = content_type {
            script["content_type"] = json!(content_type);
        }
        let plugin = plugin(json!({ "request": script }));
        let exchange =
            plugin.send(posted(r#"{"name":"<\"Ann\">","big":18446744073709551616,"list":[1,"&"]}"#));
        assert_eq!(exchange.forwarded().text(), body);
        assert_eq!(
            exchange.forwarded().header("content-type"),
            Some(content_type.unwrap_or("text/plain; charset=utf-8"))
        );
    }
}

#[test]
fn a_template_is_bounded_and_strict() {
    for template in [
        "{{ body.missing }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
        "{{ \"x\" * 100000000 }}",
        "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    ] {
        let config = json!({ "request": { "template": template } });
        assert_eq!(answered(config, posted("{}")).1, "body-script-failed", "{template}");
    }
}
