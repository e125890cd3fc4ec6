//! Whether an answer of HTTP/1.1 is there whole, and good.

/// What the bytes read so far are.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Partial,
    Whole { good: bool },
}

/// Looks at the bytes of one answer; none is sent before the one before it was read, so nothing follows it.
pub(crate) fn look(bytes: &[u8]) -> Answer {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4) else {
        return Answer::Partial;
    };
    let good = bytes.starts_with(b"HTTP/1.1 2");
    let text = std::str::from_utf8(&bytes[..head]).unwrap_or_default();
    let value = |wanted: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let whole = match value("content-length").and_then(|length| length.parse::<usize>().ok()) {
        Some(length) => bytes.len() >= head + length,
        None if value("transfer-encoding").is_some() => bytes[head..].ends_with(b"0\r\n\r\n"),
        None => true,
    };
    if whole { Answer::Whole { good } } else { Answer::Partial }
}

#[cfg(test)]
mod tests {
    use super::{Answer, look};

    #[test]
    fn an_answer_ends_where_its_head_says() {
        assert_eq!(look(b"HTTP/1.1 200 OK\r\nContent-Le"), Answer::Partial);
        assert_eq!(look(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"), Answer::Partial);
        assert_eq!(look(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"), Answer::Whole { good: true });
        assert_eq!(look(b"HTTP/1.1 503 Gone\r\n\r\n"), Answer::Whole { good: false });
        assert_eq!(look(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n"), Answer::Partial);
    }
}
