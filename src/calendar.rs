//! Days and the civil calendar, in UTC (after Howard Hinnant's `days_from_civil` and
//! `civil_from_days`).

/// Days from 1970-01-01 to a day; months and days count from 1.
pub fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The days from 1970-01-01 to a date such as `2026-03-31`; `None` for what is no date.
pub fn days(date: &str) -> Option<i64> {
    let parts: Vec<i64> = date.split('-').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [year, month, day] = parts[..] else { return None };
    let in_range =
        (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let n = in_range.then(|| day_number(year, month, day))?;
    (self::date(n) == date).then_some(n)
}

/// The day so many days after 1970-01-01, as ISO 8601 writes it: `2026-03-31`.
pub fn date(day_number: i64) -> String {
    let shifted = day_number + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_date_and_a_date_its_day() {
        for (n, expected) in
            [(0, "1970-01-01"), (19_782, "2024-02-29"), (47_481, "2099-12-31"), (-1, "1969-12-31")]
        {
            assert_eq!(date(n), expected);
            let parts: Vec<i64> = expected.split('-').map(|part| part.parse().unwrap()).collect();
            assert_eq!(day_number(parts[0], parts[1], parts[2]), n);
            assert_eq!(days(expected), Some(n));
        }
        for nothing in
            ["", "2026", "2026-02-30", "2026-13-01", "2026-1-01", "2026-01-01-01", "a-b-c"]
        {
            assert_eq!(days(nothing), None, "{nothing}");
        }
    }
}
