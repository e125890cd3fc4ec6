//! From bytes to text: UTF-8, UTF-16, ISO-8859-1 and US-ASCII, by the byte order mark, what the head says, or the declaration.

/// Why the bytes are no text.
#[derive(Debug, PartialEq)]
pub(crate) enum Undecodable {
    /// It is another character encoding.
    Unknown(String),
    /// The bytes are not of the encoding that they should be of.
    Damaged(&'static str),
}

/// The text that the bytes are. `declared` is the parameter `charset` of the media type.
pub(crate) fn decode(bytes: Vec<u8>, declared: Option<&str>) -> Result<String, Undecodable> {
    let by_mark = match bytes.as_slice() {
        [0xef, 0xbb, 0xbf, ..] => Some("utf-8"),
        [0xfe, 0xff, ..] => Some("utf-16be"),
        [0xff, 0xfe, ..] => Some("utf-16le"),
        _ => None,
    };
    let name =
        by_mark.map(str::to_owned).or_else(|| declared.map(str::to_owned)).or_else(|| in_declaration(&bytes));
    let name = name.unwrap_or_else(|| "utf-8".to_owned()).to_ascii_lowercase();
    match name.as_str() {
        "utf-8" | "utf8" => String::from_utf8(bytes).map_err(|_| Undecodable::Damaged("UTF-8")),
        "us-ascii" | "ascii" if bytes.is_ascii() => {
            String::from_utf8(bytes).map_err(|_| Undecodable::Damaged("US-ASCII"))
        }
        "us-ascii" | "ascii" => Err(Undecodable::Damaged("US-ASCII")),
        "iso-8859-1" | "latin1" => Ok(bytes.into_iter().map(char::from).collect()),
        // Without a mark it is big-endian (RFC 2781 section 4.3).
        "utf-16" | "utf-16be" => utf_16(&bytes, u16::from_be_bytes),
        "utf-16le" => utf_16(&bytes, u16::from_le_bytes),
        _ => Err(Undecodable::Unknown(name.chars().take(40).collect())),
    }
}

fn utf_16(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Result<String, Undecodable> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect::<Result<String, _>>();
    match text {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err(Undecodable::Damaged("UTF-16")),
    }
}

/// What the declaration says, if it can be read as ASCII.
fn in_declaration(bytes: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(&bytes[..bytes.len().min(200)]).unwrap_or_default();
    let head = if head.is_empty() { ascii(&bytes[..bytes.len().min(200)]) } else { head.to_owned() };
    let declaration = head.strip_prefix("<?xml")?.split_once("?>")?.0;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    Some(value[1..].split_once(quote)?.0.to_owned())
}

fn ascii(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told_apart() {
        let wide =
            |text: &str, unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        for (bytes, declared, text) in [
            ("é".as_bytes().to_vec(), None, "é"),
            (b"\xe9".to_vec(), Some("ISO-8859-1"), "é"),
            (
                b"<?xml version='1.0' encoding='iso-8859-1'?>\xe9".to_vec(),
                None,
                "<?xml version='1.0' encoding='iso-8859-1'?>é",
            ),
            (
                "<?xml version='1.0' encoding=\"UTF-8\"?>é".as_bytes().to_vec(),
                None,
                "<?xml version='1.0' encoding=\"UTF-8\"?>é",
            ),
            (wide("\u{feff}é😀", u16::to_le_bytes), Some("utf-8"), "\u{feff}é😀"),
            (wide("é", u16::to_be_bytes), Some("UTF-16"), "é"),
            (wide("é", u16::to_le_bytes), Some("utf-16le"), "é"),
            (b"a".to_vec(), Some("us-ascii"), "a"),
        ] {
            assert_eq!(decode(bytes, declared).as_deref(), Ok(text));
        }
        assert_eq!(decode(b"\xe9".to_vec(), None), Err(Undecodable::Damaged("UTF-8")));
        assert_eq!(decode(b"\xe9".to_vec(), Some("us-ascii")), Err(Undecodable::Damaged("US-ASCII")));
        assert_eq!(decode(b"\xfe\xff\xd8\x00".to_vec(), None), Err(Undecodable::Damaged("UTF-16")));
        assert_eq!(decode(b"\xfe\xff\x00".to_vec(), None), Err(Undecodable::Damaged("UTF-16")));
        assert_eq!(decode(b"a".to_vec(), Some("ebcdic")), Err(Undecodable::Unknown("ebcdic".to_owned())));
        assert_eq!(
            decode(b"<?xml encoding='x'?>\xff".to_vec(), None),
            Err(Undecodable::Unknown("x".to_owned()))
        );
    }
}
