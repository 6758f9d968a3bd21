//! Durations and numbers, as they stand in a configuration.

use std::time::Duration;

/// Longer bounds than a year are typing errors, and would overflow clocks.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// A number in plain decimal digits. One with a leading zero is octal to some readers and decimal to others: it is none here.
pub(super) fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// A number of seconds, or a number with `ms`, `s` or `m`; to the millisecond.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let (digits, unit_ms) = match text.find(|c: char| c.is_ascii_alphabetic()).map(|at| text.split_at(at)) {
        None => (text, 1000),
        Some((digits, "ms")) => (digits, 1),
        Some((digits, "s")) => (digits, 1000),
        Some((digits, "m")) => (digits, 60_000),
        Some(_) => return None,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let scale = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let parts = fraction.parse::<u64>().ok()? * unit_ms;
    let ms = number(whole)?.checked_mul(unit_ms)?.checked_add(parts / scale)?;
    let duration = Duration::from_millis(ms);
    (parts % scale == 0 && duration <= LONGEST).then_some(duration)
}

/// A duration as it stands in the configuration: whole seconds as a number, anything finer in milliseconds.
pub(super) fn text(duration: Duration) -> String {
    if duration.subsec_nanos() == 0 { duration.as_secs().to_string() } else { format!("{}ms", duration.as_millis()) }
}

/// Serde for durations, as [`text`] writes them.
pub(super) mod seconds {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::config) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::text(*value))
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::parse(&text).ok_or_else(|| D::Error::custom("a duration"))
    }
}
