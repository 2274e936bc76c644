//! The emulator's time, which a test can advance, and the time formats of fal.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// Real time plus the time that tests added. It never goes back.
pub(crate) struct Clock {
    began: Instant,
    began_at: SystemTime,
    added: watch::Sender<Duration>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            began_at: SystemTime::now(),
            added: watch::Sender::new(Duration::ZERO),
        }
    }
}

impl Clock {
    pub(crate) fn now(&self) -> SystemTime {
        later(
            self.began_at,
            self.began.elapsed().saturating_add(self.added()),
        )
    }

    /// When the emulator started.
    pub(crate) fn began(&self) -> SystemTime {
        self.began_at
    }

    /// The time that tests added so far.
    pub(crate) fn added(&self) -> Duration {
        *self.added.borrow()
    }

    /// Advances the clock. Sleepers whose time has come wake.
    pub(crate) fn advance(&self, by: Duration) {
        self.added
            .send_modify(|added| *added = added.saturating_add(by));
    }

    /// Waits until the clock reaches this time, by itself or because a test advances it.
    pub(crate) async fn sleep_until(&self, time: SystemTime) {
        let mut added = self.added.subscribe();
        loop {
            added.mark_unchanged();
            let Ok(left) = time
                .duration_since(self.now())
                .map(|left| left.max(Duration::from_nanos(1)))
            else {
                return;
            };
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                _ = added.changed() => {}
            }
        }
    }
}

/// `time` plus `duration`, or the last time that HTTP can represent.
pub(crate) fn later(time: SystemTime, duration: Duration) -> SystemTime {
    // 9999-12-31 is the last date that HTTP can represent.
    let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    time.checked_add(duration)
        .map_or(last, |later| later.min(last))
}

/// Seconds since 1970.
pub(crate) fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// `time` plus `seconds`, or the last time that HTTP can represent.
pub(crate) fn after(time: SystemTime, seconds: u64) -> SystemTime {
    later(time, Duration::from_secs(seconds))
}

/// RFC 3339 in UTC, whole seconds.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    format!("{}Z", date_and_time(time))
}

/// RFC 3339 in UTC, with milliseconds.
pub(crate) fn rfc3339_millis(time: SystemTime) -> String {
    let millis = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .subsec_millis();
    format!("{}.{millis:03}Z", date_and_time(time))
}

fn date_and_time(time: SystemTime) -> String {
    let seconds = unix(time);
    let (year, month, day) = civil_date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// The year, month and day of the Gregorian calendar for a number of days after 1970-01-01.
fn civil_date(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, so that a leap day is the last day of its year.
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_225_600, "2026-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
        assert_eq!(
            rfc3339_millis(UNIX_EPOCH + Duration::from_millis(1007)),
            "1970-01-01T00:00:01.007Z"
        );
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_its_time_was_advanced() {
        let clock = Clock::default();
        let sleep = clock.sleep_until(later(clock.now(), Duration::from_secs(3600)));
        tokio::pin!(sleep);
        let early = Duration::from_millis(10);
        assert!(tokio::time::timeout(early, &mut sleep).await.is_err());
        clock.advance(Duration::from_secs(1800));
        assert!(tokio::time::timeout(early, &mut sleep).await.is_err());
        clock.advance(Duration::from_secs(1800));
        sleep.await;
        clock
            .sleep_until(clock.now() - Duration::from_secs(1))
            .await;
        clock.advance(Duration::MAX);
        assert_eq!(rfc3339(clock.now()), "9999-12-31T23:59:59Z");
    }

    #[tokio::test]
    async fn real_time_flows_too() {
        let clock = Clock::default();
        let before = clock.now();
        clock
            .sleep_until(later(before, Duration::from_millis(30)))
            .await;
        assert!(clock.now() >= before + Duration::from_millis(30));
    }
}
