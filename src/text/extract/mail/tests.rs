use super::*;

/// The blocks of a message with this subject and body, without its head.
#[track_caller]
fn check(subject: &str, kind: &str, body: &str, expected: &[&str]) {
    let mail = format!(
        "From: Ada <ada@x.org>\nTo: Ben <ben@x.org>\nSubject: {subject}\nContent-Type: \
         text/{kind}; \
         charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{body}"
    );
    let found = message(mail.as_bytes(), 0, super::super::extract_within).unwrap();
    let blocks: Vec<&str> =
        found.blocks.iter().skip(3).map(|block| found.text.slice(block.span.range())).collect();
    assert_eq!(blocks, expected, "{body}");
}

fn plain(body: &str, expected: &[&str]) {
    check("Re: Kiln", "plain", body, expected);
}

fn page(body: &str, expected: &[&str]) {
    check("Re: Kiln", "html", body, expected);
}

#[test]
fn an_invitation_is_read_once() {
    const EVENT: &str = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Kiln firing\n\
        DTSTART:20260304T100000\nEND:VEVENT\nEND:VCALENDAR\n";
    let part = |head: &str| format!("--b\nContent-Type: {head}\n\n{EVENT}\n");
    let mail = |parts: &str| {
        let head = "From: Ada <ada@x.org>\nSubject: Invitation\nMIME-Version: 1.0\n\
            Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nCome.\n";
        let mail = format!("{head}{parts}--b--\n");
        message(mail.as_bytes(), 0, super::super::extract_within).unwrap()
    };
    let own = part("text/calendar; method=REQUEST; charset=utf-8");
    let file = part("application/ics; name=invite.ics");
    for (parts, name) in [
        (own.clone(), "invitation.ics"),
        (file.clone(), "invite.ics"),
        (format!("{own}{file}"), "invite.ics"),
    ] {
        let found = mail(&parts);
        assert_eq!(found.text.matches("Kiln firing").count(), 1, "{}", found.text);
        assert!(found.text.contains("When: Wednesday, 4 March 2026, 10:00"), "{}", found.text);
        let at = found.text.find("When:").unwrap();
        let place = found.place_at(at).unwrap().to_string();
        assert_eq!(place, format!("attachment {name}"), "{}", found.text);
    }
}

#[test]
fn a_reply_says_only_what_its_sender_wrote() {
    plain(
        "It is lit on Friday.\n\nOn Mon, 2 Feb 2026 at 09:10, Ben <ben@x.org> wrote:\n> It is lit \
         on Monday.\n>\n> Ben\n",
        &["It is lit on Friday."],
    );
    // The introduction is wrapped, and the answers stand between the questions.
    plain(
        "Am 02.02.2026 um 09:10 schrieb Ben\n<ben@x.org>:\n> Wann?\nAm Freitag.\n>> Wo?\nIm Hof.\n",
        &["Am Freitag.", "Im Hof."],
    );
    plain(
        "Friday.\n\n-----Ursprüngliche Nachricht-----\nVon: Ben\nBetreff: Ofen\n\nMontag?\n",
        &["Friday."],
    );
    plain(
        "Friday.\n\n________________________________\nFrom: Ben <ben@x.org>\nSent: Monday\nTo: \
         Ada\n\
         Subject: Kiln\n\nMonday?\n",
        &["Friday."],
    );
    plain("Friday.\n\nOn 2 Feb 2026, at 09:10, Ben wrote:\n\nMonday?\n", &["Friday."]);
    plain("vendredi\n\nLe 2 févr. 2026 à 09:10, Ben a écrit :\n\n> lundi ?\n", &["vendredi"]);
}

#[test]
fn history_is_left_out_of_pages() {
    page(
        "<div>Friday.</div><div class=\"gmail_quote\"><div class=\"gmail_attr\">On Mon, Ben \
         wrote:</div><blockquote class=\"gmail_quote\"><div>Monday?</div></blockquote></div>",
        &["Friday."],
    );
    page(
        "<p>Friday.</p><div id=\"appendonsend\"></div><hr><div id=\"divRplyFwdMsg\"><b>Von:</b> \
         Ben</div><p>Monday?</p>",
        &["Friday."],
    );
    page(
        "<p>Friday.</p><p><b>From:</b> Ben<br><b>Sent:</b> Monday<br><b>To:</b> Ada<br>\
         <b>Subject:</b> Kiln</p><p>Monday?</p>",
        &["Friday."],
    );
    page(
        "<p>Friday.</p><blockquote type=\"cite\"><blockquote>a</blockquote>b</blockquote><p>At \
         noon.</p><blockquote>Verse</blockquote>",
        &["Friday.", "At noon.", "Verse"],
    );
}

#[test]
fn signatures_are_left_out() {
    plain("Friday.\n\n-- \nAda\nKeeper of kilns\n", &["Friday."]);
    plain("Friday.\n\n--\nAda\n\n> Monday?\n", &["Friday."]);
    plain("Friday.\n\nSent from my telephone\n", &["Friday."]);
    plain(
        "Friday.\n_______________________________________________\nKilns mailing \
         list\nkilns@x.org\n",
        &["Friday."],
    );
    page("<p>Friday.</p><div class=\"gmail_signature\">Ada</div>", &["Friday."]);
    page("<p>Friday.</p><pre class=\"moz-signature\">-- \nAda</pre>", &["Friday."]);
}

#[test]
fn a_forwarded_message_is_kept_with_its_head() {
    let parts = ["See below.", "Forwarded message", "From: Carl", "Subject: Pump", "It costs 950."];
    let body = "See below.\n\n---------- Forwarded message ---------\nFrom: Carl\nSubject: Pump\n\n\
                It costs 950.\n\n-- \nCarl\n";
    check("Fwd: Pump", "plain", body, &parts);
    let body = "See below.\n\nBegin forwarded message:\n\n> From: Carl\n> Subject: Pump\n>\n> It \
                costs 950.\n";
    check("Fwd: Pump", "plain", body, &parts);
    let body = "<div>See below.</div><div class=\"gmail_quote\">---------- Forwarded message \
                ---------<br>From: Carl<br>Subject: Pump<br><br><div>It costs 950.</div></div>";
    check("Fwd: Pump", "html", body, &parts);
    let body = "See below.\n\nFrom: Carl\nSent: Monday\nTo: Ada\nSubject: Pump\n\nIt costs 950.\n";
    let parts =
        ["See below.", "From: Carl", "Sent: Monday", "To: Ada", "Subject: Pump", "It costs 950."];
    check("WG: Pump", "plain", body, &parts);
}

#[test]
fn ordinary_words_are_kept() {
    plain("From: Berlin\nTo: Paris\nDate: 5 May", &["From: Berlin\nTo: Paris\nDate: 5 May"]);
    plain("As Ben wrote:\nno kiln is safe.", &["As Ben wrote:\nno kiln is safe."]);
    plain("a -- b\n\n-----\n\nrest", &["a -- b", "-----", "rest"]);
}

#[test]
fn the_head_is_metadata_and_records() {
    let mail =
        b"From: Ada <ada@x.org>\nTo: Ben <ben@x.org>\nDate: Tue, 03 Feb 2026 14:22:00 +0100\n\
                 Subject: Kiln\n\nFriday.\n";
    let found = message(mail, 0, super::super::extract_within).unwrap();
    let get = |key| found.metadata.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
    assert_eq!(get("date"), Some("2026-02-03T14:22:00+01:00"));
    assert_eq!(get("from"), Some("Ada <ada@x.org>"));
    assert_eq!(get("to"), Some("Ben <ben@x.org>"));
    assert_eq!(get("subject"), Some("Kiln"));
    let records = found.blocks.iter().filter(|block| block.kind == BlockKind::Record);
    assert_eq!(records.count(), 4);
}

/// A message with a text, a table and a mail attached.
fn with_attachments() -> String {
    "From: ada@x.org\nSubject: Files\nContent-Type: multipart/mixed; \
     boundary=B\n\n--B\nContent-Type: \
     text/plain\n\nSee attached.\n--B\nContent-Type: \
     application/octet-stream\nContent-Disposition: \
     attachment; filename=\"C:\\\\tmp\\\\note, 2.md\"\n\n# Keys\n\nUnder the \
     mat.\n--B\nContent-Type: \
     application/octet-stream\nContent-Disposition: attachment; \
     filename=x.png\n\n\u{1}\0\u{2}\n--B\n\
     Content-Type: message/rfc822\n\nFrom: c@x.org\nSubject: Inner\nContent-Type: multipart/mixed; \
     boundary=C\n\n--C\nContent-Type: text/plain\n\nInner words.\n--C\nContent-Type: \
     application/rtf\nContent-Disposition: attachment; filename=a.rtf\n\n{\\rtf1 Deepest words.}\n\
     --C--\n\n--B--\n"
        .to_owned()
}

#[test]
fn attachments_are_read_at_their_own_places() {
    let place_of = |found: &Extracted, words: &str| {
        let at = found.text.find(words).unwrap_or_else(|| panic!("{words}: {}", found.text));
        found.place_at(at).map(ToString::to_string)
    };
    let mail = with_attachments();
    let found = message(mail.as_bytes(), 0, super::super::extract_within).unwrap();
    assert_eq!(place_of(&found, "See attached"), None);
    assert_eq!(place_of(&found, "Under the mat").as_deref(), Some("attachment note, 2.md"));
    assert_eq!(place_of(&found, "Inner words").as_deref(), Some("attachment Inner"));
    assert_eq!(place_of(&found, "Deepest").as_deref(), Some("attachment Inner › a.rtf"));
    assert!(found.text.contains("Attached: note, 2.md, x.png"));

    let mailbox_text =
        format!("From a Mon Feb  2 09:10:00 2026\n{mail}\nFrom a Mon\nSubject: b\n\nc");
    let found = mailbox(mailbox_text.as_bytes(), 0, super::super::extract_within).unwrap();
    assert_eq!(place_of(&found, "See attached").as_deref(), Some("message 1"));
    let place = place_of(&found, "Deepest");
    assert_eq!(place.as_deref(), Some("message 1, attachment Inner › a.rtf"));
    assert_eq!(place_of(&found, "Subject: b").as_deref(), Some("message 2"));
}

#[test]
fn mails_attached_to_mails_are_read_to_a_limited_depth() {
    let mut mail = "Subject: core\n\nwords of the core\n".to_owned();
    for n in 0..200 {
        mail = format!(
            "Subject: level{n}\nContent-Type: multipart/mixed; \
             boundary=B{n}\n\n--B{n}\nContent-Type: \
             application/octet-stream\nContent-Disposition: attachment; filename=a.eml\n\n{mail}\n\
             --B{n}--\n"
        );
    }
    let found = message(mail.as_bytes(), 0, super::super::extract_within).unwrap();
    assert!(found.text.contains("Subject: level197") && !found.text.contains("Subject: level190"));
}

/// A mailbox of these bodies; a body `attached` has an attachment.
fn mailbox_of(bodies: &[String]) -> String {
    let message = |body: &String| match body.as_str() {
        "attached" => "From: Ada <ada@x.org>\nSubject: With a note\nContent-Type: \
             multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nSee the note.\n--b\n\
             Content-Type: text/plain\nContent-Disposition: attachment; filename=note.txt\n\n\
             The kiln is hot.\n--b--\n"
            .to_owned(),
        body => format!("From: Ada <ada@x.org>\nSubject: About {body}\n\n{body} and more.\n"),
    };
    let message = |body| format!("From ada@x.org Mon Feb  2 09:10:00 2026\n{}\n", message(body));
    bodies.iter().map(message).collect()
}

/// The text of a mailbox that is read in batches.
fn in_batches(bytes: &[u8], most: usize, batch: usize) -> Extracted {
    let mut mailbox = Mailbox::default();
    for batch in Batches::new(bytes, most, batch) {
        let batch = batch.unwrap();
        assert!(batch.starts_with(b"From "), "{}", String::from_utf8_lossy(&batch));
        if let Ok(found) = super::mailbox(&batch, 0, super::super::extract_within) {
            assert!(mailbox.add(found));
        }
    }
    mailbox.finish().unwrap()
}

#[test]
fn a_mailbox_in_batches_is_the_same_text_with_the_same_places() {
    let long = "x ".repeat(3000);
    let bodies =
        ["one", "attached", "two", ">From three", "", "attached", "four"].map(str::to_owned);
    let bytes = mailbox_of(&bodies);
    let whole = super::mailbox(bytes.as_bytes(), 0, super::super::extract_within).unwrap();
    for batch in [1, 200, 500, 1000, 1 << 20] {
        let found = in_batches(bytes.as_bytes(), 1 << 20, batch);
        assert_eq!((&found.text, &found.blocks), (&whole.text, &whole.blocks), "{batch}");
        assert_eq!((&found.places, &found.title), (&whole.places, &whole.title), "{batch}");
    }
    // A message that is too long is left out, and the others keep their places.
    let with_long = [&bodies[..2], std::slice::from_ref(&long), &bodies[2..]].concat();
    let with_long = mailbox_of(&with_long);
    for batch in [1, 1000, 1 << 20] {
        let found = in_batches(with_long.as_bytes(), 2000, batch);
        assert_eq!((&found.text, &found.places), (&whole.text, &whole.places), "{batch}");
    }
}
