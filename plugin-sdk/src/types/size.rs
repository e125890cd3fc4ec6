//! Numbers of bytes as configuration writes them.

use std::str::FromStr;

use super::{InvalidValue, text_value};

/// A number of bytes: `"512B"`, `"64KiB"`, `"16MiB"`. Units are `B`, `KiB`, `MiB`, `GiB`, `KB`, `MB` and `GB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

const UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

impl Size {
    /// So many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let parse = || {
            let (number, factor) =
                UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
            if number.len() > 9 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            number.parse::<u64>().ok()?.checked_mul(*factor)
        };
        parse()
            .map(Self)
            .ok_or_else(|| InvalidValue::new(text, "a size such as \"512B\", \"64KiB\" or \"16MiB\""))
    }
}

text_value!(
    Size,
    "A number of bytes such as \"512B\", \"64KiB\" or \"16MiB\".",
    "^[0-9]{1,9}(B|KB|MB|GB|KiB|MiB|GiB)$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read() {
        for (text, bytes) in [("512B", 512), ("64KiB", 65_536), ("16MiB", 16 << 20), ("2KB", 2_000)] {
            assert_eq!(text.parse::<Size>().unwrap().bytes(), bytes);
        }
        for bad in ["", "5", "KiB", "+5B", "5 B", "5TiB", "99999999999GiB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad:?}");
        }
    }
}
