//! A parser of server-sent events (HTML standard, 9.2.6). It reads the `data` field only and holds
//! at most one event.
//!
//! The result does not depend on where the bytes are split.

/// Most bytes of a line, and of the data of an event. A token takes some hundred.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// An event that is larger than [`MAX_EVENT_BYTES`].
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

/// A parser in the middle of a stream.
#[derive(Default)]
pub struct Events {
    /// The incomplete line.
    line: Vec<u8>,
    /// Data of the incomplete event.
    data: Option<Vec<u8>>,
    /// The last line ended with CR, so an LF now is part of that line end.
    after_cr: bool,
    /// False until the end of the first line, which may begin with a byte order mark.
    begun: bool,
}

impl Events {
    /// Reads `bytes` and appends the data of every completed event to `out`.
    ///
    /// # Errors
    /// When an event is too long. `out` has the events before it; the rest is not read.
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

    /// The data of a last event without the empty line at its end, which some servers omit.
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
            // A comment, another field, or an invalid line.
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
    fn data_is_read_from_every_kind_of_line() {
        let check = |stream: &str, expected: &[&str]| {
            assert_eq!(read(&[stream.as_bytes()]).0, expected, "{stream:?}");
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
    fn long_events_are_refused_before_they_are_stored() {
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
        // Complete events take no memory, however many.
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
        fn splits_do_not_change_the_events(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("data: ".to_owned()), Just("data".to_owned()), Just(":".to_owned()),
                    Just("\n".to_owned()), Just("\r".to_owned()), Just("\r\n".to_owned()),
                    Just("\n\n".to_owned()), "[a-zé\u{feff} ]{0,4}",
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
