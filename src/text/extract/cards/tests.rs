use super::super::extract;
use crate::document::Span;
use crate::strings::StrExt as _;

/// The blocks of a file, one a line: kind, then text.
fn blocks(path: &str, source: &str) -> Vec<String> {
    let found = extract(path, source.as_bytes()).expect("text");
    let kind = |kind: &super::super::BlockKind| {
        let name = format!("{kind:?}").to_lowercase();
        name.split([' ', '{']).next().unwrap_or_default().to_owned()
    };
    let shown = |block: &super::super::Block| {
        format!("{} {}", kind(&block.kind), found.text.slice(block.span.range()))
    };
    found.blocks.iter().map(shown).collect()
}

/// The records of an event with these properties.
#[track_caller]
fn check_event(properties: &str, expected: &[&str]) {
    let source = format!(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:x\r\n{}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        properties.replace('\n', "\r\n")
    );
    let found = blocks("a.ics", &source);
    let found: Vec<&str> = found[0].lines().skip(1).collect();
    assert_eq!(found, expected, "{properties}");
}

const INVITATION: &str = "\
BEGIN:VCALENDAR\r
METHOD:REQUEST\r
BEGIN:VTIMEZONE\r
TZID:Europe/Berlin\r
BEGIN:STANDARD\r
DTSTART:19701025T030000\r
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r
END:STANDARD\r
END:VTIMEZONE\r
BEGIN:VEVENT\r
UID:1@example.org\r
DTSTAMP:20260201T080000Z\r
DTSTART;TZID=Europe/Berlin:20260304T100000\r
DTEND;TZID=Europe/Berlin:20260304T113000\r
SUMMARY:Budget review\\, spring\r
LOCATION:Room 4.12\\, Harbour House\r
ORGANIZER;CN=\"Ada Lovelace\":mailto:ada@example.org\r
ATTENDEE;CN=Bo;PARTSTAT=ACCEPTED:MAILTO:bo@example.org\r
ATTENDEE;PARTSTAT=DECLINED;CN=Cy:mailto:cy@example.org\r
ATTENDEE:mailto:di@example.org\r
DESCRIPTION:We settle the bud\r
 get of 2026.\\nBring figures.\\n\\nCoffee is\r
\t served\\; no lunch.\r
STATUS:CONFIRMED\r
BEGIN:VALARM\r
ACTION:DISPLAY\r
DESCRIPTION:Reminder\r
TRIGGER:-PT15M\r
END:VALARM\r
END:VEVENT\r
END:VCALENDAR\r
";

#[test]
fn an_event_is_a_record() {
    assert_eq!(
        blocks("invite.ics", INVITATION),
        [
            "record Budget review, spring\n\
             When: Wednesday, 4 March 2026, 10:00–11:30 (Europe/Berlin)\n\
             Where: Room 4.12, Harbour House\nOrganizer: Ada Lovelace <ada@example.org>\n\
             Attendees: Bo <bo@example.org> (accepted), Cy <cy@example.org> (declined), \
             di@example.org",
            "paragraph We settle the budget of 2026.\nBring figures.",
            "paragraph Coffee is served; no lunch.",
        ]
    );
    let found = extract("invite", INVITATION.as_bytes()).unwrap();
    assert_eq!(found.title.as_deref(), Some("Budget review, spring"));
    let of = |key: &str| {
        let found = found.metadata.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(of("date"), Some("2026-03-04"));
    assert_eq!(of("author"), Some("Ada Lovelace <ada@example.org>"));
}

#[test]
fn a_citation_of_an_event_leads_to_its_line() {
    let found = extract("invite.ics", INVITATION.as_bytes()).unwrap();
    let lines = |text: &str| {
        let at = found.text.find(text).unwrap();
        let lines = found.origin.lines(Span::new(at, at + text.len()));
        (lines.first, lines.last)
    };
    assert_eq!(lines("Wednesday, 4 March 2026"), (13, 13));
    assert_eq!(lines("Harbour House"), (16, 16));
    assert_eq!(lines("budget of 2026"), (21, 22));
    assert_eq!(lines("served; no lunch"), (23, 23));
}

#[test]
fn days_and_times_are_words() {
    check_event(
        "DTSTART;VALUE=DATE:20260304\nDTEND;VALUE=DATE:20260305",
        &["When: Wednesday, 4 March 2026"],
    );
    check_event(
        "DTSTART;VALUE=DATE:20260304\nDTEND;VALUE=DATE:20260307",
        &["When: Wednesday, 4 March 2026 – Friday, 6 March 2026"],
    );
    check_event(
        "DTSTART:20260304T220000Z\nDURATION:PT3H30M",
        &["When: Wednesday, 4 March 2026, 22:00 – Thursday, 5 March 2026, 01:30 (UTC)"],
    );
    check_event(
        "DTSTART;TZID=Asia/Tokyo:20260304T090000\nDTEND;TZID=Europe/Paris:20260304T110000",
        &["When: Wednesday, 4 March 2026, 09:00 (Asia/Tokyo) – Wednesday, 4 March 2026, 11:00 \
           (Europe/Paris)"],
    );
    check_event("DTSTART:20260304T090000", &["When: Wednesday, 4 March 2026, 09:00"]);
    check_event("DTSTART:someday", &[]);
    check_event("DTSTART:20261304T996000\nDTEND:99999999", &[]);
}

#[test]
fn recurrence_is_in_words() {
    let check = |rule: &str, words: &str| {
        check_event(&format!("RRULE:{rule}"), &[&format!("Repeats: {words}")]);
    };
    check("FREQ=DAILY", "every day");
    check("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "every week on workdays");
    check(
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;UNTIL=20260630T215959Z;WKST=MO",
        "every 2 weeks on Tuesday and Thursday, until 30 June 2026",
    );
    check("FREQ=MONTHLY;BYDAY=2TU;COUNT=10", "every month on the 2nd Tuesday, 10 times");
    check("FREQ=MONTHLY;BYDAY=-1FR", "every month on the last Friday");
    check("FREQ=MONTHLY;BYMONTHDAY=1,15,-1", "every month on the 1st, the 15th and the last day");
    check("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=31", "every year on the 31st of March");
    check("FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "every year on the last Sunday in October");
    check("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=-1", "by the rule FREQ=MONTHLY;BYDAY=MO;BYSETPOS=-1");
    check("FREQ=WEEKLY;BYDAY=é", "by the rule FREQ=WEEKLY;BYDAY=é");
    check_event(
        "RECURRENCE-ID:20260304T090000Z\nEXDATE:20260311T090000Z,20260318T090000Z",
        &[
            "Instead of: Wednesday, 4 March 2026, 09:00 (UTC)",
            "Except on: 11 March 2026 and 18 March 2026",
        ],
    );
}

#[test]
fn tasks_and_calendars_with_several_entries() {
    let source = "BEGIN:VCALENDAR\nX-WR-CALNAME:Allotment\nBEGIN:VTODO\nSUMMARY:Order seeds\n\
         DUE;VALUE=DATE:20260301\nSTATUS:NEEDS-ACTION\nPERCENT-COMPLETE:40\nEND:VTODO\n\
         BEGIN:VEVENT\nDTSTART:20260502\nDESCRIPTION:Plant beans\nEND:VEVENT\n\
         BEGIN:VFREEBUSY\nSUMMARY:busy\nEND:VFREEBUSY\nEND:VCALENDAR\n";
    assert_eq!(
        blocks("a.ics", source),
        [
            "record Order seeds\nDue: Sunday, 1 March 2026\nStatus: needs action\nDone: 40 %",
            "record Event without a title\nWhen: Saturday, 2 May 2026",
            "paragraph Plant beans",
        ]
    );
    assert_eq!(extract("a.ics", source.as_bytes()).unwrap().title.as_deref(), Some("Allotment"));
    let cancelled = "BEGIN:VCALENDAR\nMETHOD:CANCEL\nBEGIN:VEVENT\nSUMMARY:Talk\nEND:VEVENT";
    assert_eq!(blocks("a.ics", cancelled), ["record Talk\nStatus: cancelled"]);
}

#[test]
fn a_contact_is_a_record() {
    let source = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Lovelace;Ada;King;Dr.;\r\n\
         FN:Ada Lovelace\r\nORG:Analytical Engines;Research\r\nTITLE:Mathematician\r\n\
         TEL;TYPE=CELL,VOICE:+44 20 7946 0018\r\n\
         item1.EMAIL;type=INTERNET;type=pref:ada@example.org\r\n\
         item1.X-ABLabel:_$!<Work>!$_\r\n\
         ADR;TYPE=home:;;12 St James\\, Square;London;;SW1Y 4JH;UK\r\n\
         BDAY:1815-12-10\r\nPHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRgABAQ\r\n\
         NOTE:Met at the\r\n  harbour.\\nLikes tea.\r\nEND:VCARD\r\n\
         BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=\r\n\
         =C3=B6rg\r\nTEL;WORK;VOICE:030 1234\r\nBDAY:--0412\r\nEND:VCARD\r\n";
    assert_eq!(
        blocks("people.vcf", source),
        [
            "record Ada Lovelace\nOrganization: Analytical Engines, Research\n\
             Position: Mathematician\nPhone (mobile): +44 20 7946 0018\n\
             Email (work): ada@example.org\n\
             Address (home): 12 St James, Square, London, SW1Y 4JH, UK\n\
             Birthday: 10 December 1815",
            "paragraph Met at the harbour.\nLikes tea.",
            "record Jörg Müller\nPhone (work): 030 1234\nBirthday: 12 April",
        ]
    );
}

#[test]
fn damaged_files_are_read_as_far_as_they_go() {
    for source in [
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:open",
        "END:VEVENT\nBEGIN:VCALENDAR\n:::\n;;;:\nBEGIN:VEVENT\nSUMMARY;X=\"a:open\nSUMMARY:open",
    ] {
        assert_eq!(blocks("a.ics", source), ["record open"], "{source}");
    }
    let nested = "BEGIN:VEVENT\n".repeat(100_000) + "SUMMARY:open\n";
    assert!(extract("a.ics", nested.as_bytes()).is_err());
    for ending in ["\\", "=", "=C3", "\\n\\"] {
        let source =
            format!("BEGIN:VCARD\nFN:Jo\nNOTE;ENCODING=QUOTED-PRINTABLE:x{ending}\nNOTE:y{ending}");
        assert_eq!(blocks("a.vcf", &source)[0], "record Jo", "{ending}");
    }
}
