//! Number formats of spreadsheets: a number and a format code give the text that a cell shows.
//!
//! Names of months and days are English unless the code names a language. Formats that depend on
//! the reader's locale give ISO 8601.

use jiff::{ToSpan as _, civil};

use super::date_names::names;
pub(crate) use super::number_codes::built_in;
use crate::strings::StrExt as _;

/// Excel refuses longer codes.
const MAX_CODE_BYTES: usize = 255;

/// Excel shows fifteen digits.
const DIGITS: usize = 15;

/// A number as a cell with this format shows it.
pub(crate) fn shown(number: f64, code: &str, begins_1904: bool) -> String {
    if code.len() > MAX_CODE_BYTES || !number.is_finite() {
        return general(number);
    }
    let sections = sections(code);
    let (section, has_own_sign) = section_for(number, &sections);
    let Some(section) = section else { return general(number) };
    let parts = &section.parts;
    if parts.iter().any(|part| matches!(part, Part::Date(..) | Part::Elapsed(..))) {
        let shown = date_and_time(number, section, begins_1904);
        return tidy(&shown.unwrap_or_else(|| general(number)));
    }
    let magnitude = if has_own_sign { number.abs() } else { number };
    let is_negative = magnitude < 0.0;
    let shown = plain_number(magnitude.abs(), parts);
    let is_zero = !shown.contains(|c: char| matches!(c, '1'..='9'));
    tidy(&if is_negative && !is_zero { format!("-{shown}") } else { shown })
}

/// A text as a cell with this format shows it.
pub(crate) fn shown_text(text: &str, code: &str) -> String {
    if code.len() > MAX_CODE_BYTES || !(code.contains('@') || code.contains(';')) {
        return text.to_owned();
    }
    let sections = sections(code);
    let is_text = |section: &&Section| section.parts.contains(&Part::Text);
    let Some(section) = sections.get(3).or_else(|| sections.last().filter(is_text)) else {
        return text.to_owned();
    };
    let mut shown = String::new();
    for part in &section.parts {
        match part {
            Part::Text => shown.push_str(text),
            Part::Literal(literal) => shown.push_str(literal),
            _ => {}
        }
    }
    shown
}

fn tidy(text: &str) -> String {
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A number without a format.
fn general(number: f64) -> String {
    let exact: f64 = format!("{number:.*e}", DIGITS - 1).parse().unwrap_or(number);
    if exact != 0.0 && !(1e-9..1e21).contains(&exact.abs()) {
        return format!("{exact:E}");
    }
    exact.to_string()
}

#[derive(Debug, PartialEq)]
enum Part {
    Literal(String),
    /// `0`, `#` or `?`.
    Digit(char),
    Point,
    Comma,
    Percent,
    /// With the sign that positive exponents have.
    Exponent(bool),
    Slash,
    General,
    /// `@`.
    Text,
    /// A letter of `ymdhs`, its count; minutes are `n`, fractions of a second `f`.
    Date(char, usize),
    Elapsed(char, usize),
    /// `AM/PM`, or `A/P` when short.
    Half(bool),
}

#[derive(Debug, Default)]
struct Section {
    parts: Vec<Part>,
    /// The locale of names of months and days; 0 when none is named.
    locale: u32,
    /// Operator and operand.
    condition: Option<(String, f64)>,
}

impl Section {
    fn literal(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Literal(last)) => last.push_str(text),
            _ => self.parts.push(Part::Literal(text.to_owned())),
        }
    }

    /// The content of brackets: a currency, a condition, an elapsed time, a colour or a locale.
    fn bracketed(&mut self, inside: &str) {
        let lower = inside.to_ascii_lowercase();
        let first = lower.chars().next().unwrap_or_default();
        if let Some(currency) = inside.strip_prefix('$') {
            let (symbol, locale) = currency.split_once('-').unwrap_or((currency, ""));
            self.locale = u32::from_str_radix(locale, 16).unwrap_or_default();
            if !symbol.is_empty() {
                self.literal(symbol);
            }
        } else if matches!(first, 'h' | 'm' | 's') && lower.chars().all(|c| c == first) {
            let unit = if first == 'm' { 'n' } else { first };
            self.parts.push(Part::Elapsed(unit, lower.len()));
        } else if matches!(first, '<' | '>' | '=') {
            let operator: String =
                inside.chars().take_while(|c| matches!(c, '<' | '>' | '=')).collect();
            let operand = inside.get(operator.len()..).and_then(|n| n.trim().parse().ok());
            self.condition = operand.map(|operand| (operator, operand));
        }
    }
}

fn sections(code: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(section) = sections.last_mut() else { break };
        match c {
            ';' => sections.push(Section::default()),
            '"' => {
                let quoted: String = chars.by_ref().take_while(|c| *c != '"').collect();
                section.literal(&quoted);
            }
            '\\' => section.literal(&chars.next().map(String::from).unwrap_or_default()),
            // The width of a character, and a character that fills the cell.
            '_' | '*' => drop(chars.next()),
            '[' => {
                let inside: String = chars.by_ref().take_while(|c| *c != ']').collect();
                section.bracketed(&inside);
            }
            '0' | '#' | '?' => section.parts.push(Part::Digit(c)),
            '.' => section.parts.push(Part::Point),
            ',' => section.parts.push(Part::Comma),
            '%' => section.parts.push(Part::Percent),
            '/' => section.parts.push(Part::Slash),
            '@' => section.parts.push(Part::Text),
            'E' | 'e' if matches!(chars.peek(), Some('+' | '-')) => {
                section.parts.push(Part::Exponent(chars.next() == Some('+')));
            }
            'A' | 'a' => {
                let rest: String = chars.clone().take(4).collect::<String>().to_ascii_uppercase();
                let (length, is_short) = if rest == "M/PM" { (4, false) } else { (2, true) };
                if rest == "M/PM" || rest.starts_with("/P") {
                    chars.by_ref().take(length).for_each(drop);
                    section.parts.push(Part::Half(is_short));
                } else {
                    section.literal(&c.to_string());
                }
            }
            'G' | 'g' => {
                let rest: String = chars.clone().take(6).collect();
                if rest.eq_ignore_ascii_case("eneral") {
                    chars.by_ref().take(6).for_each(drop);
                    section.parts.push(Part::General);
                }
            }
            'y' | 'Y' | 'm' | 'M' | 'd' | 'D' | 'h' | 'H' | 's' | 'S' => {
                let letter = c.to_ascii_lowercase();
                let mut count = 1;
                while chars.next_if(|next| next.to_ascii_lowercase() == letter).is_some() {
                    count += 1;
                }
                section.parts.push(Part::Date(letter, count));
            }
            c => section.literal(&c.to_string()),
        }
    }
    sections.iter_mut().for_each(name_minutes);
    sections
}

/// `m` is minutes after hours and before seconds, otherwise months; zeros after seconds are their
/// fractions.
fn name_minutes(section: &mut Section) {
    let unit = |part: &Part| match part {
        Part::Date(unit, _) | Part::Elapsed(unit, _) => Some(*unit),
        _ => None,
    };
    let units: Vec<Option<char>> = section.parts.iter().map(unit).collect();
    let mut last = None;
    for (i, part) in section.parts.iter_mut().enumerate() {
        let next = units[i + 1..].iter().flatten().next();
        if let Part::Date(letter @ 'm', 1..=2) = part
            && (last == Some('h') || next == Some(&'s'))
        {
            *letter = 'n';
        }
        last = units[i].or(last);
    }
    if last.is_none() {
        return;
    }
    let mut parts: Vec<Part> = Vec::new();
    for part in section.parts.drain(..) {
        match (parts.last_mut(), &part) {
            (Some(Part::Date('f', count)), Part::Digit('0')) => *count += 1,
            (Some(Part::Point), Part::Digit('0')) => {
                parts.pop();
                parts.push(Part::Date('f', 1));
            }
            _ => parts.push(part),
        }
    }
    section.parts = parts;
}

/// The section for a number, and whether it shows the sign itself.
fn section_for(number: f64, sections: &[Section]) -> (Option<&Section>, bool) {
    if sections.iter().any(|section| section.condition.is_some()) {
        let holds = |section: &&Section| match &section.condition {
            Some((operator, n)) => match operator.as_str() {
                "<" => number < *n,
                "<=" => number <= *n,
                ">" => number > *n,
                ">=" => number >= *n,
                "=" => number == *n,
                _ => number != *n,
            },
            None => true,
        };
        return (sections.iter().take(3).find(holds).or(sections.last()), false);
    }
    let is_text = |section: &Section| section.parts.contains(&Part::Text);
    let n = sections.iter().take(3).filter(|section| !is_text(section)).count();
    match n {
        0 => (None, false),
        2 | 3 if number < 0.0 => (sections.get(1), true),
        3 if number == 0.0 => (sections.get(2), true),
        _ => (sections.first(), n > 1),
    }
}

/// The decimal digits before and after the point, rounded half up as spreadsheets do.
fn decimal(number: f64, n_decimals: usize) -> (String, String) {
    let scientific = format!("{number:.*e}", DIGITS - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mut digits: Vec<u8> =
        mantissa.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
    // Digits before the point, then as many as are shown.
    let mut before = exponent + 1;
    if before < 0 {
        let n_zeros = usize::try_from(-before).unwrap_or(0).min(n_decimals + 1);
        digits.splice(..0, std::iter::repeat_n(0, n_zeros));
        before = 0;
    }
    let before = usize::try_from(before).unwrap_or(0);
    let kept = before + n_decimals;
    let rounds_up = digits.get(kept).is_some_and(|digit| *digit >= 5);
    digits.resize(kept, 0);
    let mut carry = rounds_up;
    for digit in digits.iter_mut().rev() {
        if !carry {
            break;
        }
        carry = *digit == 9;
        *digit = if carry { 0 } else { *digit + 1 };
    }
    let shown =
        |digits: &[u8]| -> String { digits.iter().map(|digit| char::from(b'0' + digit)).collect() };
    let (whole, fraction) = digits.split_at(digits.len() - n_decimals);
    let whole = format!("{}{}", if carry { "1" } else { "" }, shown(whole));
    let trimmed = whole.trim_start_matches('0');
    (if trimmed.is_empty() { "0" } else { trimmed }.to_owned(), shown(fraction))
}

/// A number that is not negative and no date.
fn plain_number(number: f64, parts: &[Part]) -> String {
    if parts.contains(&Part::Slash) && parts.iter().any(|part| matches!(part, Part::Digit(_))) {
        return fraction(number, parts);
    }
    let is_digit = |part: &Part| matches!(part, Part::Digit(_));
    let exponent_at = parts.iter().position(|part| matches!(part, Part::Exponent(_)));
    let mantissa = &parts[..exponent_at.unwrap_or(parts.len())];
    let point = mantissa.iter().position(|part| *part == Part::Point);
    let whole = &mantissa[..point.unwrap_or(mantissa.len())];
    let last_digit = mantissa.iter().rposition(is_digit);
    let last_whole = whole.iter().rposition(is_digit);
    let mut value = number;
    let mut has_thousands = false;
    for (i, part) in mantissa.iter().enumerate() {
        match part {
            Part::Percent => value *= 100.0,
            Part::Comma if last_whole.is_some_and(|last| i < last) => has_thousands = true,
            Part::Comma if last_digit.is_some() => value /= 1000.0,
            _ => {}
        }
    }
    let n_whole = whole.iter().filter(|part| is_digit(part)).count();
    let n_decimals = mantissa.iter().filter(|part| is_digit(part)).count() - n_whole;
    let mut power = 0_i32;
    if exponent_at.is_some() && value > 0.0 {
        let step = i32::try_from(n_whole.max(1)).unwrap_or(1);
        power = (value.log10().floor() as i32).div_euclid(step) * step;
        value /= 10_f64.powi(power);
        // Rounding may add a digit.
        if decimal(value, n_decimals).0.len() > step as usize {
            value /= 10_f64.powi(step);
            power += step;
        }
    }
    let (digits, decimals) = decimal(value, n_decimals);
    let digits = if has_thousands { grouped(&digits) } else { digits };
    let mut out = String::new();
    let mut writer = Digits { whole: digits.chars().collect(), left: n_whole };
    let mut decimals = decimals.chars().peekable();
    let optional = |rest: &[Part]| rest.iter().all(|part| *part != Part::Digit('0'));
    for (i, part) in parts.iter().enumerate() {
        match part {
            Part::Literal(text) => out.push_str(text),
            Part::Percent => out.push('%'),
            Part::General => out.push_str(&general(number)),
            Part::Point if exponent_at.is_none_or(|at| i < at) => {
                // `.00` without a digit before the point.
                if n_whole == 0 && digits != "0" {
                    out.push_str(&digits);
                }
                out.push('.');
            }
            Part::Digit(kind) => match (exponent_at, point) {
                (Some(at), _) if i > at => {
                    let n = parts[at..].iter().filter(|part| is_digit(part)).count();
                    if parts[at..i].iter().all(|part| !is_digit(part)) {
                        out.push_str(&format!("{:0n$}", power.abs()));
                    }
                }
                (_, Some(at)) if i > at => {
                    let rest: String = decimals.clone().collect();
                    let Some(digit) = decimals.next() else { continue };
                    let is_needed = rest.contains(|c| c != '0')
                        || !optional(&mantissa[i.min(mantissa.len())..]);
                    if is_needed || *kind == '0' {
                        out.push(digit);
                    }
                }
                _ => writer.write(*kind, has_thousands, &mut out),
            },
            Part::Exponent(has_plus) => {
                out.push('E');
                if power < 0 || *has_plus {
                    out.push(if power < 0 { '-' } else { '+' });
                }
            }
            _ => {}
        }
    }
    out
}

/// Writes the digits before the point into their placeholders.
struct Digits {
    whole: Vec<char>,
    /// Placeholders to come.
    left: usize,
}

impl Digits {
    fn write(&mut self, kind: char, has_thousands: bool, out: &mut String) {
        let n_digits = self.whole.iter().filter(|c| **c != ',').count();
        let is_zero = self.whole == ['0'];
        if self.left > n_digits || (is_zero && self.left >= n_digits) {
            // A placeholder without a digit.
            if kind == '0' {
                out.push('0');
                if is_zero && self.left == n_digits {
                    self.whole.clear();
                }
            } else if is_zero && self.left == n_digits {
                self.whole.clear();
            }
            self.left -= 1;
            if has_thousands && kind == '0' && self.left > 0 && self.left.is_multiple_of(3) {
                out.push(',');
            }
            return;
        }
        // The first placeholder takes all digits that are too many.
        let keep = self.left.saturating_sub(1);
        while self.whole.iter().filter(|c| **c != ',').count() > keep {
            out.push(self.whole.remove(0));
            if self.whole.first() == Some(&',') {
                out.push(self.whole.remove(0));
            }
        }
        self.left = keep;
    }
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with a fraction such as `# ??/??` or `# ?/8`.
fn fraction(number: f64, parts: &[Part]) -> String {
    let at = parts.iter().position(|part| *part == Part::Slash).unwrap_or(0);
    let before_slash = parts[..at].iter().rev();
    let is_digit = |part: &&Part| matches!(part, Part::Digit(_));
    let n_above = before_slash.take_while(|part| is_digit(part)).count();
    let has_whole = parts[..at - n_above].iter().any(|part| is_digit(&part));
    let below = &parts[at + 1..];
    let n_below = below.iter().take_while(is_digit).count().clamp(1, 3);
    // A fixed denominator has digits other than zero, and perhaps zeros after them.
    let mut fixed = String::new();
    for part in below {
        match part {
            Part::Literal(text) => fixed.push_str(text),
            Part::Digit('0') if !fixed.is_empty() => fixed.push('0'),
            _ => break,
        }
    }
    let fixed = fixed.trim_start();
    let fixed = fixed.slice(..fixed.bytes().take_while(u8::is_ascii_digit).count());
    let fixed = fixed.parse::<u32>().ok().filter(|n| (1..=100_000).contains(n));
    let whole = if has_whole { number.floor() } else { 0.0 };
    let rest = number - whole;
    let (numerator, denominator) = match fixed {
        Some(denominator) => ((rest * f64::from(denominator)).round(), denominator),
        None => nearest(rest, 10_u32.pow(n_below as u32) - 1),
    };
    let (whole, numerator) = if has_whole && numerator >= f64::from(denominator) {
        (whole + 1.0, 0.0)
    } else {
        (whole, numerator)
    };
    match (has_whole, numerator == 0.0) {
        (true, true) => general(whole),
        (true, false) if whole > 0.0 => format!("{} {numerator}/{denominator}", general(whole)),
        _ => format!("{numerator}/{denominator}"),
    }
}

/// The nearest fraction, with the smallest denominator.
fn nearest(number: f64, max_denominator: u32) -> (f64, u32) {
    let mut best = (number.round(), 1);
    let mut error = (number - best.0).abs();
    for denominator in 2..=max_denominator {
        let numerator = (number * f64::from(denominator)).round();
        let this = (number - numerator / f64::from(denominator)).abs();
        if this + 1e-12 < error {
            (best, error) = ((numerator, denominator), this);
        }
    }
    best
}

/// A date or a time; `None` for a number outside the calendar.
fn date_and_time(number: f64, section: &Section, begins_1904: bool) -> Option<String> {
    let (parts, names) = (&section.parts, names(section.locale));
    let is_elapsed = parts.iter().any(|part| matches!(part, Part::Elapsed(..)));
    let is_negative = number < 0.0;
    if number.abs() >= 2_958_466.0 || (is_negative && !is_elapsed) {
        return None;
    }
    let n_decimals = parts.iter().find_map(|part| match part {
        Part::Date('f', n) => Some((*n).min(3)),
        _ => None,
    });
    let scale = 10_u64.pow(n_decimals.unwrap_or(0) as u32);
    let ticks = (number.abs() * 86_400.0 * scale as f64).round() as u64;
    let (seconds, ticks) = (ticks / scale, ticks % scale);
    let day = i64::try_from(seconds / 86_400).ok()?;
    let date = date(day + if begins_1904 { 1462 } else { 0 });
    let is_half = parts.iter().any(|part| matches!(part, Part::Half(_)));
    let hour = seconds / 3600 % 24;
    let mut out = String::new();
    if is_negative {
        out.push('-');
    }
    for part in parts {
        match part {
            Part::Literal(text) => out.push_str(text),
            Part::Slash => out.push('/'),
            Part::Comma => out.push(','),
            Part::Point => out.push('.'),
            Part::Half(is_short) => {
                out.push(if hour < 12 { 'A' } else { 'P' });
                out.push_str(if *is_short { "" } else { "M" });
            }
            Part::Elapsed(unit, n) => {
                let divisor = match unit {
                    'h' => 3600,
                    'n' => 60,
                    _ => 1,
                };
                out.push_str(&format!("{:01$}", seconds / divisor, (*n).min(20)));
            }
            Part::Date(unit, n) => {
                let n = *n;
                let number =
                    |value: u64| if n > 1 { format!("{value:02}") } else { value.to_string() };
                let month = usize::from(date.month().unsigned_abs());
                out.push_str(&match unit {
                    'y' if n < 3 => format!("{:02}", date.year().rem_euclid(100)),
                    'y' => format!("{:04}", date.year()),
                    'm' if n == 3 => short(names.months[month - 1], 3),
                    'm' if n == 5 => short(names.months[month - 1], 1),
                    'm' if n > 3 => names.months[month - 1].to_owned(),
                    'm' => number(month as u64),
                    'd' if n > 2 => {
                        let weekday = date.weekday().to_monday_zero_offset();
                        let name = names.days[usize::from(weekday.unsigned_abs())];
                        if n == 3 { short(name, 3) } else { name.to_owned() }
                    }
                    'd' => number(u64::from(date.day().unsigned_abs())),
                    'h' if is_half => number((hour + 11) % 12 + 1),
                    'h' => number(hour),
                    'n' => number(seconds / 60 % 60),
                    's' => number(seconds % 60),
                    _ => format!(".{ticks:0width$}", width = n.min(3)),
                });
            }
            _ => {}
        }
    }
    Some(out)
}

fn short(name: &str, n_chars: usize) -> String {
    name.chars().take(n_chars).collect()
}

/// The date of a day, which spreadsheets count from the end of 1899.
fn date(serial: i64) -> civil::Date {
    // Spreadsheets treat 1900 as a leap year, so days before March 1900 are off by one.
    let days = serial + i64::from(serial < 60);
    civil::date(1899, 12, 30).saturating_add(days.days())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(number: f64, code: &str, expected: &str) {
        assert_eq!(shown(number, code, false), expected, "{code}");
    }

    #[test]
    fn serial_days_are_dates() {
        let dates =
            [(1, "1900-01-01"), (61, "1900-03-01"), (25_569, "1970-01-01"), (45_351, "2024-02-29")];
        for (serial, expected) in dates {
            assert_eq!(date(serial).to_string(), expected);
        }
    }

    #[test]
    fn numbers_have_digits_signs_and_units() {
        check(1234.0, "00000", "01234");
        check(0.0, "000", "000");
        check(1234.5, "\"$\"#,##0.00", "$1,234.50");
        check(-1234.5, "\"$\"#,##0.00;(\"$\"#,##0.00)", "($1,234.50)");
        check(-1234.5, "#,##0.00", "-1,234.50");
        check(1_234_567.891, "#,##0.00", "1,234,567.89");
        check(7.0, "#,##0", "7");
        check(0.0, "#,##0", "0");
        check(0.0, "#", "");
        check(7_300_000.0, "0.0,,\"M\"", "7.3M");
        check(7300.0, "#,##0,\"k\"", "7k");
        check(-4.2, "0.0\" °C\"", "-4.2 °C");
        check(1.005, "0.00", "1.01");
        check(999.999, "0.00", "1000.00");
        check(0.004, "0.00", "0.00");
        check(-0.004, "0.00", "0.00");
        check(2.5, "0.0##", "2.5");
        check(2.0, "0.0##", "2.0");
        check(0.075, "0.0%", "7.5%");
        check(5_551_234_567.0, "(000) 000-0000", "(555) 123-4567");
        check(123_456_789.0, "000-00-0000", "123-45-6789");
        check(12.0, "[$€-407] #,##0.00", "€ 12.00");
        check(
            1234.5,
            "_-* #,##0.00\\ \"€\"_-;-* #,##0.00\\ \"€\"_-;_-* \"-\"??\\ \"€\"_-",
            "1,234.50 €",
        );
        check(0.0, "#,##0;-#,##0;\"none\"", "none");
        check(5.0, ";;;", "");
        check(150.0, "[>=100]\"many\";0", "many");
        check(12345.0, "0.00E+00", "1.23E+04");
        check(12.0, "0 \"days\"", "12 days");
        check(0.3, "General", "0.3");
        check(0.1 + 0.2, "General", "0.3");
        check(3.0, "General\" pcs\"", "3 pcs");
    }

    #[test]
    fn fractions_have_the_nearest_denominator() {
        check(0.75, "# ?/?", "3/4");
        check(2.5, "# ?/?", "2 1/2");
        check(3.0, "# ?/?", "3");
        check(0.375, "# ?/8", "3/8");
        check(5.3125, "# ??/??", "5 5/16");
    }

    #[test]
    fn dates_and_times_follow_their_code() {
        check(46_096.0, "yyyy-mm-dd", "2026-03-15");
        check(46_096.0, "mm/dd/yyyy", "03/15/2026");
        check(46_096.0, "d. mmmm yyyy", "15. March 2026");
        check(46_096.0, "ddd, d mmm yy", "Sun, 15 Mar 26");
        check(46_096.0, "[$-407]dddd, d. mmmm yyyy", "Sonntag, 15. März 2026");
        check(46_096.0, "[$-40C]d mmm yyyy", "15 mar 2026");
        check(46_096.0, "[$-F800]mmmm", "March");
        check(0.281_25, "hh:mm", "06:45");
        check(0.781_25, "h:mm AM/PM", "6:45 PM");
        check(1.5, "[h]:mm", "36:00");
        check(0.042_361_11, "[mm]:ss", "61:00");
        check(0.5, "mm:ss.0", "00:00.0");
        check(46_096.25, "dd.mm.yyyy hh:mm:ss", "15.03.2026 06:00:00");
        assert_eq!(shown(0.0, "yyyy-mm-dd", true), "1904-01-01");
    }

    #[test]
    fn built_in_codes_show_what_the_program_shows() {
        let shown = |number, id| shown(number, built_in(id), false);
        assert_eq!(shown(-1234.0, 37), "(1,234)");
        assert_eq!(shown(-1234.0, 40), "(1,234.00)");
        assert_eq!(shown(-1234.5, 44), "($1,234.50)");
        assert_eq!(shown(0.0, 43), "-");
        assert_eq!(shown(46_096.0, 15), "15-Mar-26");
        assert_eq!(shown(46_096.0, 17), "Mar-26");
        assert_eq!(shown(46_096.0, 14), "2026-03-15");
        assert_eq!(shown(0.781_25, 18), "6:45 PM");
        assert_eq!(shown(0.281_25, 20), "6:45");
    }

    #[test]
    fn texts_may_have_a_format() {
        assert_eq!(shown_text("A7", "0;0;0;\"No. \"@"), "No. A7");
        assert_eq!(shown_text("A7", "General"), "A7");
        assert_eq!(shown_text("A7", "@"), "A7");
        assert_eq!(shown_text("A7", ";;;"), "");
        assert_eq!(shown_text("A7", "0.00;-0.00"), "A7");
    }

    proptest::proptest! {
        #[test]
        fn any_code_is_accepted(number: f64, code in "[0#?.,%/@E+\\-ymdhs\\[\\]\"\\\\_*;AMP G1-9é \
             ]{0,24}") {
            shown(number, &code, true);
            shown(number % 1e6, &code, false);
            shown_text("x", &code);
        }
    }
}
