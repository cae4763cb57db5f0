//! Durations as people write them: `250ms`, `3s`, `2m`, `1h`, `7d`.

use std::time::Duration;

/// Reads a duration; the unit is required, so that nobody has to guess it.
///
/// # Errors
/// A message that shows the form.
pub fn duration(text: &str) -> Result<Duration, String> {
    let form = || format!("{text:?} is not a duration such as 250ms, 3s, 2m, 1h or 7d");
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(form)?;
    let (number, unit) = text.split_at_checked(split).ok_or_else(form)?;
    let number: u64 = number.parse().map_err(|_| form())?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(form()),
    };
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_read() {
        for (text, milliseconds) in
            [("250ms", 250), ("3s", 3_000), ("2m", 120_000), ("1h", 3_600_000), ("7d", 604_800_000), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_form() {
        for text in ["", "3", "s", "3 s", "-3s", "3.5s", "3S", "99999999999999999999s", "18446744073709551615d", "3ß"]
        {
            assert!(duration(text).unwrap_err().contains("such as 250ms"), "{text}");
        }
    }
}
