//! Server-sent events, taken apart as they come: only `data` is of interest, and nothing is kept
//! beyond one event.
//!
//! What comes out does not depend on where the bytes were split (HTML standard, 9.2.6).

/// The most bytes of one line, and of the data of one event. A token takes some hundred.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// An event is larger than [`MAX_EVENT_BYTES`].
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

/// A stream of events that is being read.
#[derive(Default)]
pub struct Events {
    /// The line that has no end yet.
    line: Vec<u8>,
    /// Data of the event that has no end yet.
    data: Option<Vec<u8>>,
    /// The line before ended with CR, so that an LF now ends nothing.
    after_cr: bool,
    /// False until the first line, before which a byte order mark may stand.
    begun: bool,
}

impl Events {
    /// Takes what came and adds the data of every event that it completes to `out`. Events before
    /// one that is too long are there, and nothing after it is read.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<Vec<u8>>) -> Result<(), TooLong> {
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let part = &bytes[..end.unwrap_or(bytes.len())];
            let kept = self.line.len() + self.data.as_ref().map_or(0, Vec::len);
            if kept + part.len() > MAX_EVENT_BYTES {
                return Err(TooLong);
            }
            self.line.extend_from_slice(part);
            let Some(end) = end else { break };
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            self.end_line(out);
        }
        Ok(())
    }

    /// The data of an event that lacks only the empty line at its end, which some servers leave
    /// out.
    pub fn finish(mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        self.end_line(&mut out);
        out.pop().or(self.data)
    }

    fn end_line(&mut self, out: &mut Vec<Vec<u8>>) {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        if line.is_empty() {
            out.extend(self.data.take());
            return;
        }
        let value = match line.strip_prefix(b"data") {
            Some([]) => &[],
            Some([b':', b' ', value @ ..] | [b':', value @ ..]) => value,
            // A comment, another field, or a line without sense.
            _ => return,
        };
        match &mut self.data {
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            none => *none = Some(value.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> (Vec<String>, Option<String>, bool) {
        let mut events = Events::default();
        let mut out = Vec::new();
        let fits = pieces.iter().all(|piece| events.push(piece, &mut out).is_ok());
        let text = |data: Vec<u8>| String::from_utf8_lossy(&data).into_owned();
        let rest = if fits { events.finish().map(text) } else { None };
        (out.into_iter().map(text).collect(), rest, fits)
    }

    #[test]
    fn data_comes_out_of_every_kind_of_line() {
        let check = |stream: &str, expected: &[&str]| {
            assert_eq!(read(&[stream.as_bytes()]).0, expected, "{stream:?}")
        };
        check("", &[]);
        check("data: a\n\n", &["a"]);
        check("data:a\n\ndata:  b\n\n", &["a", " b"]);
        check("data: a\r\n\r\ndata: b\r\rdata: c\n\n", &["a", "b", "c"]);
        check("data: a\ndata: b\ndata\n\n", &["a\nb\n"]);
        check(": ping\n\n\n\nevent: x\nid: 7\nretry: 1\ndata: a\n: still there\n\n", &["a"]);
        check("\u{feff}data: a\n\n", &["a"]);
        check("data\n\ndatum: x\n\nDATA: y\n\nno colon\n\n", &[""]);
        check("data: é\u{2028}\u{85}x\n\n", &["é\u{2028}\u{85}x"]);
        check("data: no end\n", &[]);
    }

    #[test]
    fn the_last_event_may_lack_its_end() {
        let check = |stream: &str, expected: Option<&str>| {
            assert_eq!(read(&[stream.as_bytes()]).1.as_deref(), expected, "{stream:?}");
        };
        check("data: a\n\n", None);
        check("data: a\n", Some("a"));
        check("data: a", Some("a"));
        check("data: a\ndata: b", Some("a\nb"));
        check("data: a\n: x", Some("a"));
        check("da", None);
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_kept() {
        let line = vec![b'x'; MAX_EVENT_BYTES + 1];
        assert!(!read(&[b"data: before\n\n", &line]).2);
        assert_eq!(read(&[b"data: before\n\n", &line]).0, ["before"]);
        // A little at a time, as one line and as many.
        let (mut events, mut out) = (Events::default(), Vec::new());
        let taken = (0..).take_while(|_| events.push(&[b'x'; 1000], &mut out).is_ok()).count();
        assert_eq!(taken, MAX_EVENT_BYTES / 1000);
        let (mut events, mut out) = (Events::default(), Vec::new());
        let taken =
            (0..).take_while(|_| events.push(b"data: 0123456789\n", &mut out).is_ok()).count();
        assert!(taken < MAX_EVENT_BYTES / 10, "{taken}");
        assert_eq!(out, Vec::<Vec<u8>>::new());
        // Events that end are no burden, however many.
        let (mut events, mut out) = (Events::default(), Vec::new());
        for _ in 0..3 * MAX_EVENT_BYTES / 1000 {
            events.push(&[b"data: ", &[b'x'; 1000][..], b"\n\n"].concat(), &mut out).unwrap();
            out.clear();
        }
    }

    #[test]
    fn every_split_in_two_gives_the_same() {
        let stream = "\u{feff}: hi\r\ndata: {\"a\": \"é\"}\r\n\r\ndata: b\rdata: \
             c\r\rdata\n\n\ndata: [DONE]\n\ndata: rest";
        let whole = read(&[stream.as_bytes()]);
        assert_eq!(whole.0.len(), 4);
        for at in 0..=stream.len() {
            let (left, right) = stream.as_bytes().split_at(at);
            assert_eq!(read(&[left, right]), whole, "split at {at}");
        }
    }

    proptest! {
        #[test]
        fn no_split_changes_what_comes_out(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("data: ".to_owned()), Just("data".to_owned()), Just(":".to_owned()), Just("\n".to_owned()),
                    Just("\r".to_owned()), Just("\r\n".to_owned()), Just("\n\n".to_owned()), "[a-zé\u{feff} ]{0,4}",
                ],
                0..40,
            ),
            size in 1..9_usize,
        ) {
            let stream = parts.concat();
            let pieces: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
            prop_assert_eq!(read(&pieces), read(&[stream.as_bytes()]));
        }
    }
}
