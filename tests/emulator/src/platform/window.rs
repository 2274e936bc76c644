//! Periods and their buckets (docs/protocol.md §14.1).

use std::time::SystemTime;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{RoundMode, Span, Timestamp, ToSpan, Unit, Zoned, ZonedRound};

use super::invalid;
use super::visit::Visit;
use crate::answer::Answer;

/// The length of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timeframe {
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

const NAMES: [(&str, Timeframe); 5] = [
    ("minute", Timeframe::Minute),
    ("hour", Timeframe::Hour),
    ("day", Timeframe::Day),
    ("week", Timeframe::Week),
    ("month", Timeframe::Month),
];

impl Timeframe {
    pub(super) fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(_, frame)| *frame == self)
            .map_or("", |(name, _)| name)
    }

    fn for_span(seconds: i64) -> Self {
        const HOUR: i64 = 3600;
        const DAY: i64 = 24 * HOUR;
        match seconds {
            ..7200 => Self::Minute,
            7200..172_800 => Self::Hour,
            _ if seconds < 64 * DAY => Self::Day,
            _ if seconds < 183 * DAY => Self::Week,
            _ => Self::Month,
        }
    }

    fn span(self) -> Span {
        match self {
            Self::Minute => 1.minute(),
            Self::Hour => 1.hour(),
            Self::Day => 1.day(),
            Self::Week => 1.week(),
            Self::Month => 1.month(),
        }
    }

    /// The start of the bucket that contains a time. A week starts on Monday.
    fn floor(self, time: &Zoned) -> Result<Zoned, jiff::Error> {
        let down = |unit| time.round(ZonedRound::new().smallest(unit).mode(RoundMode::Trunc));
        match self {
            Self::Minute => down(Unit::Minute),
            Self::Hour => down(Unit::Hour),
            Self::Day => time.start_of_day(),
            Self::Week => {
                let days = time.weekday().since(Weekday::Monday);
                time.checked_sub(i64::from(days).days())?.start_of_day()
            }
            Self::Month => time.first_of_month()?.start_of_day(),
        }
    }
}

/// The period from `start` to before `end`, in buckets.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) start: SystemTime,
    pub(super) end: SystemTime,
    pub(super) timeframe: Timeframe,
    zone: TimeZone,
}

/// A day in seconds.
pub(super) const DAY: u64 = 86_400;

impl Window {
    /// Reads `start`, `end`, `timezone`, `timeframe` and `bound_to_timeframe`, for buckets.
    pub(super) fn buckets(visit: &Visit<'_>) -> Result<Self, Answer> {
        let mut window = Self::plain(visit, DAY, None)?;
        let bound = visit.choice("bound_to_timeframe", &["true", "false"])?;
        if bound != Some("false") {
            window.start = window.floor(window.start);
            let floor = window.floor(window.end);
            if floor != window.end {
                window.end = window.next(floor);
            }
        }
        Ok(window)
    }

    /// Reads the period; by default the last `seconds`. A longer period than allowed is 400.
    pub(super) fn plain(
        visit: &Visit<'_>,
        seconds: u64,
        most_days: Option<u64>,
    ) -> Result<Self, Answer> {
        let name = visit.one("timezone").unwrap_or_else(|| "UTC".into());
        let zone = TimeZone::get(&name).map_err(|_| invalid("timezone: must be an IANA name"))?;
        let end = time(visit, "end", &zone)?.unwrap_or_else(|| visit.now());
        let usual = end
            .checked_sub(std::time::Duration::from_secs(seconds))
            .unwrap_or(SystemTime::UNIX_EPOCH);
        let start = time(visit, "start", &zone)?.unwrap_or(usual);
        let span = end
            .duration_since(start)
            .map_err(|_| invalid("start: must not be after end"))?
            .as_secs();
        if most_days.is_some_and(|days| span > days * DAY) {
            return Err(invalid(&format!(
                "start: must be at most {} days before end",
                most_days.unwrap_or_default()
            )));
        }
        let names = NAMES.map(|(name, _)| name);
        let timeframe = match visit.choice("timeframe", &names)? {
            Some(name) => NAMES
                .iter()
                .find(|(known, _)| *known == name)
                .map_or(Timeframe::Day, |(_, frame)| *frame),
            None => Timeframe::for_span(i64::try_from(span).unwrap_or(i64::MAX)),
        };
        Ok(Self {
            start,
            end,
            timeframe,
            zone,
        })
    }

    pub(super) fn holds(&self, time: SystemTime) -> bool {
        self.start <= time && time < self.end
    }

    fn zoned(&self, time: SystemTime) -> Zoned {
        Timestamp::try_from(time)
            .unwrap_or(Timestamp::MAX)
            .to_zoned(self.zone.clone())
    }

    /// The start of the bucket that contains a time.
    pub(super) fn floor(&self, time: SystemTime) -> SystemTime {
        let zoned = self.zoned(time);
        self.timeframe
            .floor(&zoned)
            .map_or(time, |floor| floor.timestamp().into())
    }

    /// The start of the bucket after the one that starts at `floor`.
    pub(super) fn next(&self, floor: SystemTime) -> SystemTime {
        let next = self.zoned(floor).checked_add(self.timeframe.span());
        next.map_or(floor, |next| next.timestamp().into())
    }

    /// The name of a bucket: its start with the offset of the time zone.
    pub(super) fn name(&self, floor: SystemTime) -> String {
        self.zoned(floor)
            .strftime("%Y-%m-%dT%H:%M:%S%:z")
            .to_string()
    }
}

/// A date-time, or the start of a day in the time zone.
fn time(visit: &Visit<'_>, name: &str, zone: &TimeZone) -> Result<Option<SystemTime>, Answer> {
    let Some(text) = visit.one(name) else {
        return Ok(None);
    };
    let read = match text.len() {
        10 => text
            .parse::<Date>()
            .and_then(|date| date.to_zoned(zone.clone()))
            .map(|zoned| zoned.timestamp()),
        _ => text.parse::<Timestamp>(),
    };
    read.map(|time| Some(time.into()))
        .map_err(|_| invalid(&format!("{name}: must be a date-time or a date")))
}

/// The starts of a month `YYYY-MM` and of the next one, in UTC.
pub(super) fn month(
    name: &str,
    text: &str,
    shift: i64,
) -> Result<(SystemTime, SystemTime), Answer> {
    let wrong = || invalid(&format!("{name}: must have the form YYYY-MM"));
    let digits = text.len() == 7
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| (at == 4) == (byte == b'-'));
    let first: Date = format!("{text}-01").parse().map_err(|_| wrong())?;
    if !digits {
        return Err(wrong());
    }
    let begin = |months: i64| {
        let date = first.checked_add(months.months()).map_err(|_| wrong())?;
        let zoned = date.to_zoned(TimeZone::UTC).map_err(|_| wrong())?;
        Ok::<SystemTime, Answer>(zoned.timestamp().into())
    };
    Ok((begin(shift)?, begin(shift + 1)?))
}

/// The month that contains a time, in UTC.
pub(super) fn month_of(time: SystemTime) -> String {
    let zoned = Timestamp::try_from(time)
        .unwrap_or(Timestamp::MAX)
        .to_zoned(TimeZone::UTC);
    zoned.strftime("%Y-%m").to_string()
}
