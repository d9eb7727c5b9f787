//! Date and time as the reference writes it.

use core::fmt;

/// A date and time of the proleptic Gregorian calendar, with or without an offset from UTC.
///
/// Its text is Python's `datetime.isoformat()`: microseconds only if there are any, the offset only if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    microsecond: u32,
    offset: Option<i32>,
}

impl DateTime {
    /// A moment without an offset, if there is such a date (years 1 to 9999) and time (no leap seconds).
    pub fn new(date: (u16, u8, u8), time: (u8, u8, u8), microsecond: u32) -> Option<Self> {
        let ((year, month, day), (hour, minute, second)) = (date, time);
        let valid = (1..=9999).contains(&year)
            && (1..=days_in(year, month)?).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60
            && microsecond < 1_000_000;
        valid.then_some(Self { year, month, day, hour, minute, second, microsecond, offset: None })
    }

    /// The same moment with an offset from UTC in seconds, if it is less than a day.
    pub fn with_offset(self, seconds: i32) -> Option<Self> {
        (seconds.abs() < 86_400).then_some(Self { offset: Some(seconds), ..self })
    }

    /// Year, month, day.
    pub const fn date(self) -> (u16, u8, u8) {
        (self.year, self.month, self.day)
    }

    /// Hour, minute, second.
    pub const fn time(self) -> (u8, u8, u8) {
        (self.hour, self.minute, self.second)
    }

    /// Microseconds of the second.
    pub const fn microsecond(self) -> u32 {
        self.microsecond
    }

    /// Offset from UTC in seconds, east positive; none for a moment without a time zone.
    pub const fn offset(self) -> Option<i32> {
        self.offset
    }

    /// Reads `2026-01-02T03:04:05[.000678][+01:00[:00]]`; a space may stand for the `T`, `Z` for no offset.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut input = Input(text);
        let year = input.number(4)?;
        let month = input.after(b'-')?.number(2)?;
        let day = input.after(b'-')?.number(2)?;
        input.one_of(b"T ")?;
        let hour = input.number(2)?;
        let minute = input.after(b':')?.number(2)?;
        let second = input.after(b':')?.number(2)?;
        let microsecond = if input.skip(b'.') { input.number(6)? } else { 0 };
        let narrow = |number: u32| u8::try_from(number).ok();
        let moment = Self::new(
            (u16::try_from(year).ok()?, narrow(month)?, narrow(day)?),
            (narrow(hour)?, narrow(minute)?, narrow(second)?),
            microsecond,
        )?;
        if input.0.is_empty() {
            return Some(moment);
        }
        if input.0 == b"Z" {
            return moment.with_offset(0);
        }
        let west = input.one_of(b"+-")? == b'-';
        let hours = input.number(2)?;
        let minutes = input.after(b':')?.number(2)?;
        let seconds = if input.skip(b':') { input.number(2)? } else { 0 };
        if !input.0.is_empty() || minutes > 59 || seconds > 59 {
            return None;
        }
        let offset = i32::try_from(hours * 3600 + minutes * 60 + seconds).ok()?;
        moment.with_offset(if west { -offset } else { offset })
    }
}

fn days_in(year: u16, month: u8) -> Option<u8> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u8::from(leap),
        _ => return None,
    })
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        allowed.contains(&first).then_some(first)
    }

    fn after(&mut self, byte: u8) -> Option<&mut Self> {
        self.one_of(&[byte])?;
        Some(self)
    }

    fn skip(&mut self, byte: u8) -> bool {
        let there = self.0.first() == Some(&byte);
        if there {
            self.0 = self.0.get(1..).unwrap_or_default();
        }
        there
    }

    fn number(&mut self, digits: usize) -> Option<u32> {
        let (taken, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        taken.iter().try_fold(0, |number, &byte| Some(number * 10 + char::from(byte).to_digit(10)?))
    }
}

/// Python's `isoformat()`.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, microsecond, offset } = *self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if microsecond != 0 {
            write!(f, ".{microsecond:06}")?;
        }
        if let Some(offset) = offset {
            let (sign, seconds) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
            write!(f, "{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60)?;
            if seconds % 60 != 0 {
                write!(f, ":{:02}", seconds % 60)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(DateTime::parse(text.as_bytes()).map(|moment| moment.to_string()).as_deref(), expected, "{text}");
    }

    #[test]
    fn the_text_is_that_of_the_reference() {
        for same in [
            "2026-01-02T03:04:05",
            "2026-01-02T03:04:05.000678",
            "2024-02-29T23:59:59.999999+05:30",
            "0001-01-01T00:00:00-11:59:07",
            "9999-12-31T00:00:00+00:00",
        ] {
            check(same, Some(same));
        }
        check("2026-01-02 03:04:05Z", Some("2026-01-02T03:04:05+00:00"));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for wrong in [
            "",
            "2026-01-02",
            "2023-02-29T00:00:00",
            "2026-13-01T00:00:00",
            "2026-01-02T24:00:00",
            "2026-01-02T03:04:60",
            "2026-01-02T03:04:05.1",
            "2026-01-02T03:04:05+24:00",
            "2026-01-02T03:04:05+01:60",
            "2026-01-02T03:04:05+01:00x",
            "0000-01-01T00:00:00",
            "2026-01-02T03:04:05 ",
        ] {
            check(wrong, None);
        }
    }
}
