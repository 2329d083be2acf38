use super::*;

#[test]
#[ignore]
fn look() {
    let path = std::env::var("LOOK").unwrap();
    let max: usize = std::env::var("MAX").map_or(256, |m| m.parse().unwrap());
    let bytes = std::fs::read(&path).unwrap();
    let doc = extract(&path, &bytes).unwrap();
    println!("TITLE {:?} FORMAT {:?} LANG {:?}", doc.title, doc.format, language_of(&doc));
    let count = |t: &str| (t.split_whitespace().count() as f64 * 1.3).ceil() as usize;
    for c in chunk(&doc, &Limits { max_tokens: max, overlap_tokens: 32 }, &count) {
        println!("=== {:?} {:?} {:?} tokens={}\n{}", c.heading, c.lines, c.bytes, count(&c.text), c.text);
    }
}

#[test]
#[ignore]
fn stress() {
    let root = std::env::var("ROOT").unwrap();
    let t0 = std::time::Instant::now();
    let mut files = Vec::new();
    let mut others = 0;
    walk(root.as_ref(), &WalkOptions::default(), &mut |e| { match e { Entry::File(f) => files.push(f), _ => others += 1 } Ok(()) }).unwrap();
    println!("walk: {} files {} others in {:?}", files.len(), others, t0.elapsed());
    let count = |t: &str| (t.split_ascii_whitespace().count() * 13).div_ceil(10);
    let (mut te, mut tc, mut tl) = (std::time::Duration::ZERO, std::time::Duration::ZERO, std::time::Duration::ZERO);
    let (mut n, mut nb, mut nch, mut over, mut heads) = (0usize, 0usize, 0usize, 0usize, 0usize);
    let mut hist = [0usize; 11];
    let mut reasons = std::collections::BTreeMap::new();
    let mut by = std::collections::BTreeMap::new();
    let mut langs = std::collections::BTreeMap::new();
    let mut slow: Vec<(f64, String)> = Vec::new();
    for f in &files {
        if f.size > 32 << 20 { continue; }
        let Ok(bytes) = std::fs::read(&f.absolute) else { continue };
        let t = std::time::Instant::now();
        let doc = extract(&f.path, &bytes);
        let e = t.elapsed();
        te += e;
        let doc = match doc { Ok(d) => d, Err(r) => { *reasons.entry(r.text().into_owned()).or_insert(0) += 1; continue } };
        let t = std::time::Instant::now();
        let chunks = chunk(&doc, &Limits { max_tokens: 256, overlap_tokens: 32 }, &count);
        let c = t.elapsed();
        tc += c;
        let t = std::time::Instant::now();
        *langs.entry(language_of(&doc)).or_insert(0) += 1;
        tl += t.elapsed();
        n += 1; nb += bytes.len(); nch += chunks.len();
        let b = by.entry(doc.format.name()).or_insert((0usize, 0usize, 0usize, 0.0, 0.0));
        b.0 += 1; b.1 += bytes.len(); b.2 += chunks.len(); b.3 += e.as_secs_f64(); b.4 += c.as_secs_f64();
        slow.push(((e + c).as_secs_f64() / (bytes.len() as f64 + 1000.0) * 1e6, f.path.clone()));
        for ch in &chunks {
            let t = count(&crate::document::embedded_text(&crate::document::context_line(doc.title.as_deref(), &ch.heading), &ch.text));
            if t > 256 { over += 1; if over < 5 { println!("OVER {t} {} {:?}", f.path, ch.lines); } }
            hist[(t * 10 / 256).min(10)] += 1;
            if ch.bytes.end > bytes.len() { println!("BYTES {}", f.path) }
            if doc.blocks.iter().any(|b| matches!(b.kind, BlockKind::Heading{..}) && doc.text[b.span.range()].trim() == ch.text) { heads += 1; if heads < 10 { println!("HEAD {} {:?} {:?}", f.path, ch.lines, ch.text); } }
            if !doc.title.is_none() || true { let src = &bytes[ch.bytes.range()]; if doc.format != crate::document::Format::Html && std::str::from_utf8(&bytes).is_ok() { assert_eq!(src, ch.text.as_bytes(), "{}", f.path); } }
        }
    }
    slow.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("{n} texts {nb} bytes {nch} chunks over={over} heads={heads} extract {te:?} chunk {tc:?} lang {tl:?}: {:.1} MB/s", nb as f64 / 1e6 / (te + tc).as_secs_f64());
    println!("hist {hist:?}\n{reasons:?}\n{by:#?}\n{langs:?}");
    for s in &slow[..slow.len().min(12)] { println!("{:.3} us/B {}", s.0, s.1); }
}

#[test]
#[ignore]
fn real() {
    let root = std::env::var("ROOT").unwrap();
    let mut tok = tokenizers::Tokenizer::from_file("/work/main/data/models/all-MiniLM-L6-v2/tokenizer.json").unwrap();
    tok.with_truncation(None).unwrap();
    tok.with_padding(None);
    let counted = std::cell::Cell::new(0usize);
    let calls = std::cell::Cell::new(0usize);
    let spent = std::cell::Cell::new(std::time::Duration::ZERO);
    let count = |t: &str| {
        let t0 = std::time::Instant::now();
        let n = tok.encode_fast(t, false).unwrap().len();
        spent.set(spent.get() + t0.elapsed());
        counted.set(counted.get() + t.len());
        calls.set(calls.get() + 1);
        n
    };
    let max = 254;
    let (mut nb, mut n, mut over, mut toks) = (0, 0, 0, 0);
    let mut hist = [0usize; 11];
    let t0 = std::time::Instant::now();
    let mut ours = std::time::Duration::ZERO;
    walk(root.as_ref(), &WalkOptions::default(), &mut |e| {
        let Entry::File(f) = e else { return Ok(()) };
        let Ok(bytes) = std::fs::read(&f.absolute) else { return Ok(()) };
        if bytes.len() > 1 << 20 { return Ok(()) }
        let t = std::time::Instant::now();
        let Ok(mut doc) = extract(&f.path, &bytes) else { return Ok(()) };
        if doc.title.is_none() { doc.title = Some(f.path.clone()); }
        let chunks = chunk(&doc, &Limits { max_tokens: max, overlap_tokens: 32 }, &count);
        ours += t.elapsed();
        nb += doc.text.len();
        for c in &chunks {
            n += 1;
            let t = tok.encode_fast(crate::document::embedded_text(&crate::document::context_line(doc.title.as_deref(), &c.heading), &c.text), false).unwrap().len();
            toks += t;
            hist[(t * 10 / max).min(10)] += 1;
            if t > max { over += 1; println!("OVER {t} {} {:?}", f.path, c.lines); }
        }
        Ok(())
    }).unwrap();
    println!("{n} chunks, {over} over, mean {} tokens, {nb} bytes, counted {:.2}x in {} calls, {:?} of {ours:?} (all {:?})\n{hist:?}", toks / n.max(1), counted.get() as f64 / nb as f64, calls.get(), spent.get(), t0.elapsed());
}

mod language {
    use super::*;

    #[test]
    fn languages_are_told_apart() {
        for (text, code) in [
            (
                "This is what the people of the village had always thought about their neighbours, and they would not \
                 have said otherwise if they had been asked whether there was anything that they wanted to change.",
                "en",
            ),
            ("Der schnelle braune Fuchs springt über den faulen Hund, und niemand im Dorf störte sich daran.", "de"),
            ("Le renard brun saute par-dessus le chien paresseux, et personne au village ne s'en souciait.", "fr"),
            ("Быстрая коричневая лиса прыгает через ленивую собаку, и никто в деревне не возражал.", "ru"),
            ("敏捷的棕色狐狸跳过懒狗，村里没有人介意。", "zh"),
            ("素早い茶色の狐がのろまな犬を飛び越えたが、村の誰も気にしなかった。", "ja"),
            ("빠른 갈색 여우가 게으른 개를 뛰어넘었지만 마을의 누구도 신경 쓰지 않았다.", "ko"),
        ] {
            assert_eq!(detect(text), Some(code), "{text}");
        }
        for text in ["", "12 34", "ok"] {
            assert_eq!(detect(text), None, "{text}");
        }
    }

    #[test]
    fn code_is_not_prose() {
        let of = |path: &str, text: &str| language_of(&extract(path, text.as_bytes()).unwrap());
        let german = "Der schnelle braune Fuchs springt über den faulen Hund, und niemand störte sich daran.";
        let code = "```\nfor each in the list of all the things that we have there is one of them that is the best\n```";
        assert_eq!(of("a.md", &format!("{german}\n\n{}", format!("{code}\n\n").repeat(9))), Some("de"));
        assert_eq!(of("a.rs", "fn main() { let xs = vec![1]; }"), Some("en"));
        assert_eq!(of("a.py", "# Быстрая коричневая лиса прыгает через ленивую собаку, и никто в деревне не возражал.\nx = 1"), Some("ru"));
    }
}
