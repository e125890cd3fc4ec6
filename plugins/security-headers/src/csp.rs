//! Content Security Policy Level 3: read, checked, written.

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;

use crate::setting::TextOr;

/// Directives to their values, in the order of their names. `upgrade-insecure-requests = []` has none.
pub type CspTable = BTreeMap<String, Vec<String>>;

/// Directives whose values are sources.
const OF_SOURCES: [&str; 20] = [
    "base-uri",
    "child-src",
    "connect-src",
    "default-src",
    "fenced-frame-src",
    "font-src",
    "form-action",
    "frame-ancestors",
    "frame-src",
    "img-src",
    "manifest-src",
    "media-src",
    "object-src",
    "script-src",
    "script-src-attr",
    "script-src-elem",
    "style-src",
    "style-src-attr",
    "style-src-elem",
    "worker-src",
];

/// Directives whose values are something else, or that have none.
const OTHERS: [&str; 7] = [
    "report-to",
    "report-uri",
    "require-trusted-types-for",
    "sandbox",
    "trusted-types",
    "upgrade-insecure-requests",
    "webrtc",
];

/// Sources that are words in quotes.
const KEYWORDS: [&str; 9] = [
    "inline-speculation-rules",
    "none",
    "report-sample",
    "self",
    "strict-dynamic",
    "unsafe-eval",
    "unsafe-hashes",
    "unsafe-inline",
    "wasm-unsafe-eval",
];

const LONGEST: usize = 8192;

/// The header's value. A directive that no browser knows protects nothing, so a slip is refused.
pub(crate) fn render(policy: &TextOr<CspTable>) -> Result<String> {
    let directives: Vec<(&str, Vec<&str>)> = match policy {
        TextOr::Text(text) => text
            .split(';')
            .map(|directive| directive.split_ascii_whitespace())
            .filter_map(|mut words| Some((words.next()?, words.collect())))
            .collect(),
        TextOr::Table(table) => table
            .iter()
            .map(|(name, values)| (name.as_str(), values.iter().map(String::as_str).collect()))
            .collect(),
    };
    ensure!(!directives.is_empty(), "the policy is empty: write `false` for none");
    let mut seen: Vec<&str> = Vec::new();
    let mut rendered = Vec::with_capacity(directives.len());
    for (name, values) in &directives {
        check(name, values).context(format_args!("`{}`", name.escape_debug()))?;
        ensure!(!seen.contains(name), "`{name}` is there twice: browsers take the first alone");
        seen.push(name);
        rendered.push([&[*name], &values[..]].concat().join(" "));
    }
    let text = rendered.join("; ");
    ensure!(text.len() <= LONGEST, "the policy is longer than {LONGEST} bytes");
    Ok(text)
}

fn check(name: &str, values: &[&str]) -> Result<()> {
    for value in values {
        let good = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
        // A comma would end the policy, a semicolon the directive.
        ensure!(
            good && !value.contains([',', ';']),
            "`{}` has a character that no value can have",
            value.escape_debug()
        );
    }
    if OF_SOURCES.contains(&name) {
        ensure!(!values.is_empty(), "no source: write `'none'`");
        return values.iter().try_for_each(|source| check_source(source, values.len()));
    }
    ensure!(
        OTHERS.contains(&name),
        "there is no such directive; known are {} and {}",
        OF_SOURCES.join(", "),
        OTHERS.join(", ")
    );
    match name {
        "upgrade-insecure-requests" => ensure!(values.is_empty(), "has no values"),
        "report-uri" | "report-to" | "webrtc" => ensure!(!values.is_empty(), "a value is missing"),
        "require-trusted-types-for" => ensure!(values == ["'script'"], "its value is `'script'`"),
        _ => {}
    }
    Ok(())
}

fn check_source(source: &str, count: usize) -> Result<()> {
    let Some(word) = source.strip_prefix('\'') else {
        // Without its quotes a keyword is the name of a host, which is never meant.
        let bare = source.to_ascii_lowercase();
        let meant = KEYWORDS.contains(&bare.as_str()) || bare.starts_with("nonce-") || is_hash(&bare);
        ensure!(!meant && !source.contains('\''), "`{source}` is a host like this: write `'{source}'`");
        return Ok(());
    };
    let word = word.strip_suffix('\'').context(format_args!("`{source}` has no closing quote"))?;
    ensure!(
        !word.starts_with("nonce-"),
        "`{source}` would be the same in every response, and so protect nothing: a nonce is the upstream's to make"
    );
    ensure!(
        KEYWORDS.contains(&word) || is_hash(word),
        "`{source}` is no source; known are '{}', 'sha256-...', 'sha384-...' and 'sha512-...'",
        KEYWORDS.join("', '")
    );
    ensure!(word != "none" || count == 1, "`'none'` stands alone");
    Ok(())
}

fn is_hash(word: &str) -> bool {
    let digest = [("sha256-", 44), ("sha384-", 64), ("sha512-", 88)]
        .iter()
        .find_map(|(prefix, length)| word.strip_prefix(prefix).filter(|digest| digest.len() == *length));
    digest.is_some_and(|digest| {
        let base64 = digest.trim_end_matches('=');
        digest.len() - base64.len() <= 2
            && base64.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(policy: &str) -> Result<String> {
        render(&TextOr::Text(policy.to_owned()))
    }

    #[test]
    fn a_policy_is_written_as_it_was_meant() {
        let hash = format!("'sha256-{}='", "a".repeat(43));
        for (policy, header) in [
            ("default-src 'self';", "default-src 'self'"),
            (" default-src  'none' ;; frame-ancestors 'none'", "default-src 'none'; frame-ancestors 'none'"),
            (&*format!("script-src {hash} 'unsafe-inline' https: *.cdn.example:443/a/"), ""),
            ("sandbox allow-scripts; report-to main; upgrade-insecure-requests; img-src data: blob: *", ""),
            ("require-trusted-types-for 'script'; trusted-types one 'allow-duplicates'", ""),
        ] {
            let expected = if header.is_empty() { policy } else { header };
            assert_eq!(text(policy).unwrap(), expected);
        }
        let table =
            [("frame-ancestors", vec!["'none'"]), ("default-src", vec!["'self'", "https://a.example"])];
        let table =
            table.map(|(name, values)| (name.to_owned(), values.into_iter().map(str::to_owned).collect()));
        let header = "default-src 'self' https://a.example; frame-ancestors 'none'";
        assert_eq!(render(&TextOr::Table(table.into())).unwrap(), header);
    }

    #[test]
    fn what_would_not_protect_is_refused() {
        for (policy, reason) in [
            ("", "the policy is empty"),
            (" ; ", "the policy is empty"),
            ("defualt-src 'self'", "`defualt-src`: there is no such directive"),
            ("Default-Src 'self'", "`Default-Src`: there is no such directive"),
            ("default-src self", "`default-src`: `self` is a host like this: write `'self'`"),
            ("script-src unsafe-inline", "write `'unsafe-inline'`"),
            ("script-src 'slef'", "`'slef'` is no source"),
            ("script-src 'self", "has no closing quote"),
            ("script-src nonce-abc", "write `'nonce-abc'`"),
            ("script-src 'nonce-abc'", "the same in every response"),
            ("script-src 'sha256-abc'", "is no source"),
            ("script-src 'none' https:", "`'none'` stands alone"),
            ("script-src", "no source: write `'none'`"),
            ("img-src a.example, b.example", "`a.example,` has a character"),
            ("img-src ü.example", "has a character"),
            ("img-src *; img-src 'self'", "`img-src` is there twice"),
            ("upgrade-insecure-requests 1", "has no values"),
            ("report-uri", "a value is missing"),
            ("require-trusted-types-for script", "its value is `'script'`"),
        ] {
            let error = text(policy).unwrap_err().to_string();
            assert!(error.contains(reason), "{policy}: {error}");
        }
        let table = [("img-src".to_owned(), vec!["a.example; script-src *".to_owned()])];
        let error = render(&TextOr::Table(table.into())).unwrap_err().to_string();
        assert!(error.contains("has a character that no value can have"), "{error}");
        assert!(text(&format!("img-src {}", "a".repeat(9_000))).unwrap_err().to_string().contains("8192"));
    }
}
