//! Durations such as `5s` and sizes such as `16MiB`.

use std::time::Duration;

use thiserror::Error;

/// What a duration looks like, for the schema. [`parse_duration`] takes exactly this.
pub(super) const DURATION_PATTERN: &str = "^[0-9]{1,12}(us|ms|s|m|h|d)$";
/// What a size looks like, for the schema. [`parse_size`] takes exactly this.
pub(super) const SIZE_PATTERN: &str = "^[0-9]{1,9}(B|KB|MB|GB|KiB|MiB|GiB)$";

/// Not a quantity with a unit.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("not a quantity with a unit")]
pub(super) struct NotAQuantity;

fn split(text: &str, digits: usize) -> Result<(u64, &str), NotAQuantity> {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).ok_or(NotAQuantity)?;
    if end == 0 || end > digits {
        return Err(NotAQuantity);
    }
    let number = text[..end].parse().map_err(|_| NotAQuantity)?;
    Ok((number, &text[end..]))
}

pub(super) fn parse_duration(text: &str) -> Result<Duration, NotAQuantity> {
    let (number, unit) = split(text, 12)?;
    Ok(match unit {
        "us" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number * 60),
        "h" => Duration::from_secs(number * 60 * 60),
        "d" => Duration::from_secs(number * 24 * 60 * 60),
        _ => return Err(NotAQuantity),
    })
}

pub(super) fn parse_size(text: &str) -> Result<u64, NotAQuantity> {
    let (number, unit) = split(text, 9)?;
    let factor = match unit {
        "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(NotAQuantity),
    };
    Ok(number * factor)
}

/// A duration as one would write it: the largest unit that keeps it whole.
pub(super) fn show_duration(duration: Duration) -> String {
    let micros = duration.as_micros();
    if micros == 0 {
        return "0s".to_owned();
    }
    let units =
        [(86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s"), (1_000, "ms")];
    for (factor, unit) in units {
        if micros.is_multiple_of(factor) {
            return format!("{}{unit}", micros / factor);
        }
    }
    format!("{micros}us")
}

/// A size as one would write it.
pub(super) fn show_size(size: u64) -> String {
    let units = [
        (1 << 30, "GiB"),
        (1_000_000_000, "GB"),
        (1 << 20, "MiB"),
        (1_000_000, "MB"),
        (1 << 10, "KiB"),
        (1_000, "KB"),
    ];
    for (factor, unit) in units {
        if size > 0 && size.is_multiple_of(factor) {
            return format!("{}{unit}", size / factor);
        }
    }
    format!("{size}B")
}

/// How one would have written a text that is almost a duration.
pub(super) fn mend_duration(text: &str) -> Option<String> {
    let (number, unit) = loose(text)?;
    let unit = match unit.to_ascii_lowercase().as_str() {
        "us" | "µs" | "μs" | "usec" | "micros" | "microseconds" => "us",
        "ms" | "msec" | "millis" | "milliseconds" => "ms",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        _ => return None,
    };
    let mended = format!("{number}{unit}");
    parse_duration(&mended).ok().map(|_| mended)
}

/// How one would have written a text that is almost a size.
pub(super) fn mend_size(text: &str) -> Option<String> {
    let (number, unit) = loose(text)?;
    let unit = match unit.to_ascii_lowercase().as_str() {
        "b" | "byte" | "bytes" => "B",
        "k" | "ki" | "kib" => "KiB",
        "m" | "mi" | "mib" => "MiB",
        "g" | "gi" | "gib" => "GiB",
        "kb" => "KB",
        "mb" => "MB",
        "gb" => "GB",
        _ => return None,
    };
    let mended = format!("{number}{unit}");
    parse_size(&mended).ok().map(|_| mended)
}

fn loose(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    (end > 0).then(|| (&text[..end], text[end..].trim()))
}
