//! Which lines of a mail its sender wrote.
//!
//! A reply repeats the mail that it answers: behind `>`, below a line such as "On … wrote:", or
//! below a separator or a head with From, Sent and Subject. That mail is a document itself, and
//! what it says may no longer hold. A forwarded message is kept, as a message with its own head.

use crate::strings::StrExt as _;

/// A line of the body.
pub(super) struct Line<'a> {
    /// Without the `>`.
    pub(super) text: &'a str,
    pub(super) is_quoted: bool,
}

impl<'a> Line<'a> {
    pub(super) fn plain(line: &'a str) -> Self {
        // Some programs put a space before the mark.
        match line.strip_prefix(' ').unwrap_or(line).strip_prefix('>') {
            Some(rest) => Self { text: rest.strip_prefix(' ').unwrap_or(rest), is_quoted: true },
            None => Self { text: line, is_quoted: false },
        }
    }

    fn is_empty(&self) -> bool {
        self.text.trim().is_empty()
    }
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Own,
    /// History or signature.
    Left,
    /// A forwarded message begins here.
    Forwarded,
    /// A header of a forwarded message.
    Head,
}

/// Lines after `--` without its space, if it starts a signature.
const MAX_SIGNATURE_LINES: usize = 12;

/// The longest introduction of a quotation, in lines.
const MAX_INTRODUCTION_LINES: usize = 4;

#[rustfmt::skip]
const WROTE: &[&str] = &[
    "wrote", "writes", "said", "schrieb", "hat geschrieben", "a écrit", "escribió", "escreveu",
    "ha scritto", "schreef", "het volgende geschreven", "skrev", "kirjoitti", "napisał", "pisze",
    "napsal", "пишет", "писал", "написал", "写道", "寫道", "のメール", "작성", "yazdı",
];

#[rustfmt::skip]
const OPENERS: &[&str] = &[
    "on ", "am ", "le ", "el ", "il ", "op ", "em ", "den ", "w dniu ", "dne ", "quoting ", "at ",
    "în ", "pada ", "vào ", "在",
];

#[rustfmt::skip]
const ORIGINAL: &[&str] = &[
    "original message", "original appointment", "originalnachricht", "ursprüngliche nachricht",
    "message d'origine", "message d’origine", "message original", "mensaje original",
    "mensagem original", "messaggio originale", "oorspronkelijk bericht", "originalmeddelande",
    "ursprungligt meddelande", "oprindelig meddelelse", "opprinnelig melding",
    "alkuperäinen viesti", "oryginalna wiadomość", "wiadomość oryginalna", "původní zpráva",
    "исходное сообщение", "原始邮件", "原始郵件", "원본 메시지", "元のメッセージ", "reply message",
];

#[rustfmt::skip]
const FORWARDED: &[&str] = &[
    "forwarded message", "forwarded by", "weitergeleitete nachricht",
    "anfang der weitergeleiteten", "message transféré", "début du message transféré",
    "début du message réexpédié", "mensaje reenviado", "mensagem encaminhada",
    "messaggio inoltrato", "doorgestuurd bericht", "vidarebefordrat meddelande", "videresendt",
    "välitetty viesti", "przekazana wiadomość", "пересылаемое сообщение", "转发的邮件", "轉寄的郵件",
    "転送されたメッセージ", "전달된 메시지",
];

const FORWARD_PREFIXES: &[&str] =
    &["fw", "fwd", "wg", "tr", "rv", "enc", "doorst", "vb", "vs", "转发", "轉寄"];

#[rustfmt::skip]
const FROM: &[&str] = &[
    "from", "von", "de", "da", "van", "från", "fra", "od", "от", "发件人", "寄件者", "差出人", "보낸 사람",
];

#[rustfmt::skip]
const SUBJECT: &[&str] = &[
    "subject", "betreff", "objet", "asunto", "assunto", "oggetto", "onderwerp", "ämne", "emne",
    "aihe", "temat", "předmět", "тема", "主题", "主旨", "件名", "제목",
];

#[rustfmt::skip]
const OTHER_HEADERS: &[&str] = &[
    "sent", "date", "to", "cc", "bcc", "reply-to", "gesendet", "datum", "an", "kopie", "envoyé",
    "à", "date", "enviado", "enviado el", "fecha", "para", "data", "inviato", "a", "verzonden",
    "aan", "skickat", "till", "sendt", "til", "dato", "wysłano", "do", "odesláno", "komu",
    "отправлено", "дата", "кому", "копия", "发送时间", "收件人", "抄送", "送信日時", "宛先", "importance",
    "priorität", "attachments", "anlagen",
];

/// Lines that a telephone adds.
#[rustfmt::skip]
const DEVICE: &[&str] = &[
    "sent from my ", "sent from mail for", "sent from outlook", "get outlook for ", "von meinem ",
    "gesendet von ", "gesendet mit ", "envoyé de mon ", "envoyé depuis ", "enviado desde mi ",
    "enviado do meu ", "inviato da ", "verstuurd vanaf mijn ", "skickat från min ",
    "sendt fra min ", "sent via ", "sent with ",
];

/// Whether a subject says that the message is forwarded.
pub(super) fn is_forward(subject: &str) -> bool {
    let Some((prefix, _)) = subject.split_once([':', '：']) else { return false };
    FORWARD_PREFIXES.contains(&prefix.trim().to_lowercase().as_str())
}

pub(super) fn has_forward_phrase(lower: &str) -> bool {
    FORWARDED.iter().any(|phrase| lower.contains(phrase))
}

/// Whether a line ends the introduction of a quotation.
pub(super) fn introduces_quote(line: &str) -> bool {
    let lower = line.to_lowercase();
    ends_with_colon(&lower) && (says_wrote(&lower) || lower.contains('@'))
}

/// The fate of each line. `is_forward` says that what follows a separator is forwarded.
pub(super) fn fates(lines: &[Line<'_>], is_forward: bool) -> Vec<Fate> {
    let mut fates = vec![Fate::Left; lines.len()];
    let mut state = State::default();
    let mut i = 0;
    while i < lines.len() {
        let line = &lines[i];
        if state.in_head && !line.is_empty() && (header(line.text).is_some() || is_folded(line)) {
            (fates[i], state.has_head) = (Fate::Head, true);
        } else if state.in_head && !state.has_head && line.is_empty() {
            // Empty lines may precede the head.
        } else {
            state.in_head = false;
            i = state.body(lines, i, is_forward, &mut fates);
            continue;
        }
        i += 1;
    }
    fates
}

#[derive(Default)]
struct State {
    /// The sender has written something.
    has_words: bool,
    in_signature: bool,
    /// At the head of a forwarded message.
    in_head: bool,
    has_head: bool,
    /// The forwarded message is quoted with `>`.
    is_unquoted: bool,
    /// The rest is history.
    is_over: bool,
}

impl State {
    /// Decides about the line `i` of a body, or about a few; returns the next.
    fn body(
        &mut self,
        lines: &[Line<'_>],
        i: usize,
        is_forward: bool,
        fates: &mut [Fate],
    ) -> usize {
        let line = &lines[i];
        if self.is_over || line.is_empty() {
            if !self.is_over && !self.in_signature {
                fates[i] = Fate::Own;
            }
            return i + 1;
        }
        if is_forward_mark(line.text) {
            self.forwarded(lines, i + 1);
            fates[i] = Fate::Forwarded;
            return i + 1;
        }
        if line.is_quoted && !self.is_unquoted {
            return i + 1;
        }
        let is_head = is_head(lines, i);
        if is_head || is_original_mark(line.text) {
            // A rule above the head belongs to it.
            let above = (0..i).rev().take(2).find(|&n| !lines[n].is_empty());
            if let Some(n) = above.filter(|&n| is_rule(lines[n].text)) {
                fates[n] = Fate::Left;
            }
            if is_forward || !self.has_words {
                // A mark's line is the heading's; a head has no line for it.
                self.forwarded(lines, if is_head { i } else { i + 1 });
                if is_head {
                    fates[i] = Fate::Head;
                    self.has_head = true;
                } else {
                    fates[i] = Fate::Forwarded;
                }
            } else {
                self.is_over = true;
            }
            return i + 1;
        }
        if let Some(introduction) = introduction(lines, i) {
            if !introduction.precedes_quote {
                if is_forward || !self.has_words {
                    fates[i..introduction.end].fill(Fate::Own);
                    self.has_words = true;
                } else {
                    self.is_over = true;
                }
            }
            return introduction.end;
        }
        if self.in_signature {
            return i + 1;
        }
        if is_signature(lines, i) {
            self.in_signature = true;
            return i + 1;
        }
        if is_device(line.text) {
            return i + 1;
        }
        fates[i] = Fate::Own;
        self.has_words |= line.text.contains(char::is_alphanumeric);
        i + 1
    }

    /// A forwarded message begins at line `next`.
    fn forwarded(&mut self, lines: &[Line<'_>], next: usize) {
        let first = lines.iter().skip(next).find(|line| !line.is_empty());
        *self = Self {
            has_words: true,
            in_head: true,
            is_unquoted: first.is_some_and(|line| line.is_quoted),
            ..Self::default()
        };
    }
}

/// The introduction of a quotation, such as "On … wrote:".
struct Introduction {
    end: usize,
    precedes_quote: bool,
}

fn introduction(lines: &[Line<'_>], start: usize) -> Option<Introduction> {
    let first = lines[start].text.trim().to_lowercase();
    let is_opened = OPENERS.iter().any(|opener| first.starts_with(opener));
    let begins_paragraph = start == 0 || lines[start - 1].is_empty();
    let n_lines = match first.contains('@') && begins_paragraph {
        _ if is_opened => MAX_INTRODUCTION_LINES,
        true => 2,
        false => 1,
    };
    let mut text = String::new();
    for (n, line) in lines.iter().enumerate().skip(start).take(n_lines) {
        if line.is_empty() || line.is_quoted != lines[start].is_quoted {
            return None;
        }
        text.push(' ');
        text.push_str(&line.text.trim().to_lowercase());
        if !ends_with_colon(&text) {
            continue;
        }
        let below = lines.iter().skip(n + 1).take(3).position(|line| !line.is_empty());
        let is_quote = |offset: usize| lines[n + 1 + offset].is_quoted && !lines[start].is_quoted;
        let precedes_quote = below.is_some_and(is_quote);
        let has_date = has_time(&text) || has_year(&text);
        let is_introduction = if says_wrote(&text) {
            precedes_quote || (is_opened && (has_time(&text) || text.contains('@')))
        } else {
            precedes_quote && (text.contains('@') || (is_opened && has_date))
        };
        return is_introduction.then_some(Introduction { end: n + 1, precedes_quote });
    }
    None
}

fn ends_with_colon(text: &str) -> bool {
    text.trim_end_matches(|c: char| c.is_whitespace() || c == '*' || c == '\u{200b}')
        .ends_with([':', '：'])
}

fn says_wrote(lower: &str) -> bool {
    WROTE.iter().any(|word| lower.contains(word))
}

/// `9:10`, `14.22`, `9h10`.
fn has_time(text: &str) -> bool {
    text.as_bytes().windows(4).any(|w| {
        w[0].is_ascii_digit()
            && matches!(w[1], b':' | b'.' | b'h')
            && w[2].is_ascii_digit()
            && w[3].is_ascii_digit()
    })
}

fn has_year(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_digit())
        .any(|n| n.len() == 4 && (n.starts_with("19") || n.starts_with("20")))
}

/// The name of a header at the start of a line, in lower case.
fn header(line: &str) -> Option<String> {
    let line = line.trim().trim_start_matches('*');
    let (name, value) = line.split_once([':', '：'])?;
    let name = name.trim_end_matches('*').trim();
    (name.chars().count() <= 20 && !value.trim_matches(['*', ' ']).is_empty())
        .then(|| name.to_lowercase())
        .filter(|name| {
            let name = name.as_str();
            FROM.contains(&name) || SUBJECT.contains(&name) || OTHER_HEADERS.contains(&name)
        })
}

/// A line that continues a header.
fn is_folded(line: &Line<'_>) -> bool {
    line.text.starts_with([' ', '\t'])
}

/// Whether a head with From, Subject and another header begins here.
fn is_head(lines: &[Line<'_>], start: usize) -> bool {
    const MAX_LINES: usize = 12;
    if header(lines[start].text).is_none_or(|name| !FROM.contains(&name.as_str())) {
        return false;
    }
    let (mut has_subject, mut n_headers) = (false, 1);
    // Headers may be paragraphs of a page, with an empty line between two.
    let mut was_empty = false;
    for line in lines.iter().skip(start + 1).take(MAX_LINES) {
        match header(line.text) {
            _ if line.is_empty() && !was_empty => {}
            Some(name) => {
                has_subject |= SUBJECT.contains(&name.as_str());
                n_headers += 1;
            }
            None if is_folded(line) => {}
            None => break,
        }
        was_empty = line.is_empty();
    }
    has_subject && n_headers >= 3
}

/// The text between dashes, in lower case; `None` for a line without them.
fn between_dashes(line: &str) -> Option<String> {
    let line = line.trim();
    let is_mark = |c: char| matches!(c, '-' | '_' | '=' | '—' | '–' | '*');
    let is_dashed = line.chars().take(2).filter(|c| is_mark(*c)).count() == 2;
    let text = line.trim_matches(|c: char| is_mark(c) || c.is_whitespace());
    (is_dashed && line.chars().count() <= 200).then(|| text.to_lowercase())
}

fn is_original_mark(line: &str) -> bool {
    between_dashes(line).is_some_and(|text| ORIGINAL.iter().any(|phrase| text.starts_with(phrase)))
}

fn is_forward_mark(line: &str) -> bool {
    if let Some(text) = between_dashes(line) {
        return FORWARDED.iter().any(|phrase| text.starts_with(phrase));
    }
    let line = line.trim();
    line.len() <= 80 && {
        let lower = line.to_lowercase();
        let rest = lower.strip_prefix("begin ").unwrap_or(&lower);
        ends_with_colon(rest) && FORWARDED.iter().any(|phrase| rest.starts_with(phrase))
    }
}

/// A line of underscores or dashes.
fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 5 && line.chars().all(|c| matches!(c, '_' | '-' | '='))
}

/// Whether a signature, or the footer of a mailing list, begins here.
fn is_signature(lines: &[Line<'_>], i: usize) -> bool {
    let line = lines[i].text;
    if line == "-- " || line == "--\u{a0}" {
        return true;
    }
    let below = || lines.iter().skip(i + 1).filter(|line| !line.is_empty() && !line.is_quoted);
    if line.trim_end() == "--" {
        let end = |line: &&Line<'_>| is_original_mark(line.text) || is_forward_mark(line.text);
        return below().take_while(|line| !end(line)).take(MAX_SIGNATURE_LINES + 1).count()
            <= MAX_SIGNATURE_LINES;
    }
    is_rule(line)
        && line.trim().len() >= 20
        && below().next().is_some_and(|line| {
            let lower = line.text.to_lowercase();
            lower.contains("mailing list") || lower.contains("mailing-list")
        })
}

fn is_device(line: &str) -> bool {
    const MAX_BYTES: usize = 80;
    let line = line.trim();
    line.len() <= MAX_BYTES && {
        let lower = line.to_lowercase();
        let has_end = |start: &str| {
            let rest = lower.slice(start.len()..);
            // Unlike "Von meinem Büro aus".
            start != "von meinem " || rest.contains("gesendet")
        };
        DEVICE.iter().any(|start| lower.starts_with(start) && has_end(start))
    }
}
