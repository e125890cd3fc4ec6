//! Blots out secrets that were written into the file itself, so that no message shows them.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// The text as it may be shown. Blots are as long as what they hide, so places stay right.
pub(super) fn blot(text: &str, table: &DeTable<'_>, damaged: bool) -> String {
    let mut spans = Vec::new();
    for (key, value) in table {
        let within = match key.get_ref().as_ref() {
            "consumers" => Within::Consumers,
            "sinks" => Within::Sinks,
            name if is_secret(name) => Within::Secrets,
            _ => Within::Anything,
        };
        leaf(text, value.get_ref(), value.span(), within, &mut spans);
    }
    if damaged {
        // the tree is a guess then; the lines are not
        lines(text, &mut spans);
    }
    let mut bytes = text.as_bytes().to_vec();
    for span in spans {
        for byte in bytes.get_mut(span).into_iter().flatten() {
            if !matches!(byte, b'\n' | b'\r' | b'"' | b'\'') {
                *byte = b'*';
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["secret", "credential", "pepper", "password", "private_key"].iter().any(|word| key.contains(word))
}

/// What kind of table a value stands in.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    Anything,
    Consumers,
    Consumer,
    /// Someone may have put a key itself where its hash belongs.
    Keys,
    Sinks,
    Sink,
    Secrets,
}

fn collect(text: &str, table: &DeTable<'_>, within: Within, spans: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        let key = key.get_ref();
        let hash = key == "hash" && value.get_ref().as_str().is_some_and(is_hash);
        let inside = match within {
            Within::Keys if hash || key == "expires" => Within::Anything,
            Within::Secrets | Within::Keys => within,
            _ if is_secret(key) => Within::Secrets,
            _ if value.get_ref().as_str().is_some_and(|text| text.contains("PRIVATE KEY-----")) => {
                Within::Secrets
            }
            Within::Consumers => Within::Consumer,
            Within::Consumer if key.starts_with("key") => Within::Keys,
            Within::Sinks => Within::Sink,
            // With tokens in them, more often than not.
            Within::Sink if key.starts_with("header") => Within::Secrets,
            Within::Consumer | Within::Sink | Within::Anything => Within::Anything,
        };
        leaf(text, value.get_ref(), value.span(), inside, spans);
    }
}

fn is_hash(text: &str) -> bool {
    text.starts_with("sha256:") || text.starts_with("hmac-sha256:")
}

fn leaf(text: &str, value: &DeValue<'_>, span: Range<usize>, within: Within, spans: &mut Vec<Range<usize>>) {
    let secret = matches!(within, Within::Secrets | Within::Keys);
    match value {
        DeValue::Table(table) => collect(text, table, within, spans),
        DeValue::Array(array) => {
            for value in array {
                leaf(text, value.get_ref(), value.span(), within, spans);
            }
        }
        DeValue::String(content) if secret && !is_reference(content) => spans.push(span),
        DeValue::String(_) => {
            spans.extend(parameter(text, span.clone()));
            spans.extend(password(text, span));
        }
        DeValue::Integer(_) | DeValue::Float(_) if secret => spans.push(span),
        _ => {}
    }
}

/// What stands between `://` and `@`.
fn password(text: &str, span: Range<usize>) -> Option<Range<usize>> {
    let written = text.get(span.clone())?;
    let start = written.find("://")? + 3;
    let authority = written[start..].split(['/', '?', '#']).next()?;
    // A password that is not encoded as it should be may have one of these in it.
    let end = start + authority.rfind('@').or_else(|| written[start..].rfind('@'))?;
    Some(span.start + start..span.start + end)
}

/// What stands behind `password=`, as PostgreSQL takes it too.
fn parameter(text: &str, span: Range<usize>) -> Option<Range<usize>> {
    const NAME: &str = "password=";
    let written = text.get(span.clone())?.to_ascii_lowercase();
    let start = written.find(NAME)? + NAME.len();
    let length = written[start..].find('&').unwrap_or(written.len() - start);
    Some(span.start + start..span.start + start + length)
}

/// One `${...}` and nothing else: that is no secret, it names one.
fn is_reference(content: &str) -> bool {
    let name = content.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| !name.contains(['$', '{', '}']))
}

/// Everything after `=` on lines that speak of secrets, or that stand under a header that does.
fn lines(text: &str, spans: &mut Vec<Range<usize>>) {
    let mut start = 0;
    let mut within = false;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with('[') {
            within = is_secret(line);
        }
        if let Some((key, value)) = line.split_once('=')
            && (within || is_secret(key) || is_secret(value) || is_bare_key(key, value) || is_sent(line))
            && !is_reference(value.trim().trim_matches(['"', '\'']))
        {
            let blank = value.len() - value.trim_start().len();
            spans.push(start + key.len() + 1 + blank..start + line.len());
        }
        start += line.len();
    }
}

/// Perhaps an API key itself.
fn is_bare_key(key: &str, value: &str) -> bool {
    (key.contains("key") || key.contains("hash")) && !value.contains("sha256:")
}

/// Perhaps a token in a header field, or a URL with a password in it.
fn is_sent(line: &str) -> bool {
    line.contains("authorization") || line.find("://").is_some_and(|at| line[at..].contains('@'))
}

#[cfg(test)]
mod tests {
    use super::blot;
    use toml::de::DeTable;

    fn shown(text: &str) -> String {
        let (table, errors) = DeTable::parse_recoverable(text);
        blot(text, table.get_ref(), !errors.is_empty())
    }

    #[test]
    fn literals_are_hidden_and_references_are_not() {
        assert_eq!(
            shown("[secrets]\na = \"hunter2\"\nb = \"${env:B}\""),
            "[secrets]\na = \"*******\"\nb = \"${env:B}\""
        );
        assert_eq!(shown("credentials.pepper = 'ü'"), "credentials.pepper = '**'");
        assert_eq!(shown("[secrets]\na = \"x${env:B}\""), "[secrets]\na = \"*********\"");
        assert_eq!(shown("url = 'redis://me:hunter2@h/@'"), "url = 'redis://**********@h/@'");
        assert_eq!(shown("url = 'nats://me:hunt/er2@h'"), "url = 'nats://***********@h'");
        assert_eq!(
            shown("ledger = 'postgres://h/d?user=u&password=hunter2&sslmode=require'"),
            "ledger = 'postgres://h/d?user=u&password=*******&sslmode=require'"
        );
        assert_eq!(shown("ledger = 'host=h Password=hunter2 x'"), "ledger = 'host=h Password=*********'");
        assert_eq!(
            shown("[sinks.a]\nurl = 'https://h'\nheaders = { authorization = 'Bearer x', b = '${env:B}' }"),
            "[sinks.a]\nurl = 'https://h'\nheaders = { authorization = '********', b = '${env:B}' }"
        );
        let keys = "[consumers.a]\nkeys = [{ hash = \"sha256:1\", key = \"k\" }, { hash = \"k\" }, \"k\"]";
        let hidden = "[consumers.a]\nkeys = [{ hash = \"sha256:1\", key = \"*\" }, { hash = \"*\" }, \"*\"]";
        assert_eq!(shown(keys), hidden);
        assert!(!shown("secrets = { a = [\"hunter2\", 12345] }").contains("hunter2"));
        assert!(!shown("[secrets]\na = \"\"\"\nhunter2\n\"\"\"").contains("hunter2"));
    }

    #[test]
    fn a_broken_file_shows_none_either() {
        for text in [
            "[secrets\na = \"hunter2\"",
            "[secrets]\na = hunter2 x",
            "[credentials]\npepper = \"hunter2",
            "secrets = { a = \"hunter2\"",
            "headers = { authorization = \"hunter2\"",
            "url = \"nats://me:hunter2@bus",
        ] {
            assert!(!shown(text).contains("hunter2"), "{text}");
        }
    }
}
