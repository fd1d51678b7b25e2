//! Days of the calendar, UTC.

use jiff::Timestamp;

const SECONDS: i64 = 86_400;

/// The moment at which a day begins; `None` where it is none (`YYYY-MM-DD`).
pub(crate) fn midnight(day: &str) -> Option<Timestamp> {
    format!("{day}T00:00:00Z").parse().ok()
}

/// The moment at which the day of a moment begins.
pub(crate) fn begun(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(SECONDS) * SECONDS).unwrap_or(at)
}

/// The day of a moment, `YYYY-MM-DD`.
pub(crate) fn of(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// Whole days from the day of a moment to a day; `None` where that is none.
pub(crate) fn until(day: &str, now: Timestamp) -> Option<i64> {
    Some((midnight(day)?.as_second() - begun(now).as_second()) / SECONDS)
}

/// Whether an end that is so many days off is over, or comes within `days`. The last day is not over while it lasts.
pub(crate) fn is_near(left: i64, days: u32) -> bool {
    left < 0 || (days > 0 && left <= i64::from(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_midnight_to_midnight() {
        let now: Timestamp = "2026-11-24T23:59:59Z".parse().unwrap();
        assert_eq!(until("2026-11-25", now), Some(1));
        assert_eq!(until("2026-11-24", now), Some(0));
        assert_eq!(until("2026-10-24", now), Some(-31));
        assert_eq!(until("2026-11", now), None);
        assert_eq!([is_near(-1, 0), is_near(0, 0), is_near(1, 1), is_near(2, 1)], [true, false, true, false]);
        assert_eq!((of(begun(now)), of(now)), ("2026-11-24".to_owned(), "2026-11-24".to_owned()));
    }
}
