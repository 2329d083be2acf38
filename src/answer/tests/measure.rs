//! Exploration.
use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::sync::Arc;

use crate::analysis::tests::retrieval::{Bm25, data};
use crate::analysis;
use crate::answer::*;
use crate::document::*;
use crate::error::Result;

struct Corpus { paths: Vec<String>, chunks: Vec<String>, headings: Vec<Vec<String>>, index: Bm25, language: &'static str }

fn corpus(docs: Vec<(String, String)>, language: &'static str) -> Corpus {
    let mut paths = vec![]; let mut chunks = vec![]; let mut headings: Vec<Vec<String>> = vec![];
    for (path, text) in docs {
        let mut chunk = String::new();
        let mut heading: Vec<String> = vec![];
        let mut fenced = false;
        for para in text.split("\n\n") {
            let n_fence = para.matches("```").count();
            let is_heading = !fenced && para.starts_with('#') && !para.contains('\n');
            if !fenced && !chunk.is_empty() && (is_heading || chunk.len() + para.len() > 1000) { paths.push(path.clone()); chunks.push(std::mem::take(&mut chunk)); headings.push(heading.clone()); }
            if n_fence % 2 == 1 { fenced = !fenced; }
            if is_heading { let level = para.len() - para.trim_start_matches('#').len(); heading.truncate(level - 1); heading.push(para.trim_start_matches('#').trim().to_owned()); continue; }
            if !chunk.is_empty() { chunk.push_str("\n\n"); }
            chunk.push_str(para);
        }
        if !chunk.trim().is_empty() { paths.push(path.clone()); chunks.push(chunk); headings.push(heading); }
    }
    let texts: Vec<String> = chunks.iter().zip(&headings).map(|(c, h)| format!("{}\n{c}", h.join(" > "))).collect();
    let index = Bm25::new(&texts, Some(language));
    Corpus { paths, chunks, headings, index, language }
}
struct Q { text: String, golds: Vec<String>, }
fn jsonl(p: &std::path::Path) -> Vec<serde_json::Value> { fs::read_to_string(p).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect() }
fn xquad(name: &str) -> (Vec<(String,String)>, Vec<Q>) {
    let d = data(name).unwrap();
    let docs = jsonl(&d.join("corpus.jsonl")).iter().map(|v| (v["_id"].as_str().unwrap().to_owned(), v["text"].as_str().unwrap().to_owned())).collect();
    let a: serde_json::Value = serde_json::from_str(&fs::read_to_string(d.join("answers.json")).unwrap()).unwrap();
    let mut qs = vec![];
    for doc in a["data"].as_array().unwrap() { for p in doc["paragraphs"].as_array().unwrap() { for q in p["qas"].as_array().unwrap() {
        qs.push(Q { text: q["question"].as_str().unwrap().into(), golds: q["answers"].as_array().unwrap().iter().map(|x| x["text"].as_str().unwrap().to_owned()).collect() });
    }}}
    (docs, qs)
}
fn folder(name: &str) -> Vec<(String,String)> {
    let d = data(name).unwrap();
    let mut v: Vec<_> = fs::read_dir(d).unwrap().filter_map(|e| { let e = e.unwrap(); let n = e.file_name().into_string().unwrap(); n.ends_with(".md").then(|| (n, fs::read_to_string(e.path()).unwrap())) }).collect();
    v.sort(); v
}
fn chroma() -> (Vec<(String,String)>, Vec<Q>) {
    let d = data("chroma_chunking").unwrap();
    let docs = folder("chroma_chunking/docs");
    let qs = jsonl(&d.join("questions.jsonl")).iter().map(|v| Q { text: v["text"].as_str().unwrap().to_owned(), golds: v["refs"].as_array().unwrap().iter().map(|r| {
        let t = &docs.iter().find(|x| x.0.starts_with(v["doc"].as_str().unwrap())).unwrap().1;
        t.chars().skip(r["start_index"].as_u64().unwrap() as usize).take((r["end_index"].as_u64().unwrap() - r["start_index"].as_u64().unwrap()) as usize).collect() }).collect() }).collect();
    (docs, qs)
}
struct Emb(HashMap<String, Vec<f32>>);
impl Emb {
    fn load() -> Option<Emb> {
        let texts: Vec<String> = serde_json::from_str(&fs::read_to_string("/tmp/ans/texts.json").ok()?).unwrap();
        let raw = fs::read("/tmp/ans/emb.f32").ok()?;
        Some(Emb(texts.into_iter().zip(raw.chunks(384*4)).map(|(t, c)| (t, c.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect())).collect()))
    }
    fn cos(&self, a: &str, b: &str) -> Option<f64> { let (a,b)=(self.0.get(a)?, self.0.get(b)?); Some(a.iter().zip(b).map(|(x,y)| x*y).sum::<f32>() as f64) }
}
fn hits(c: &Corpus, q: &str, emb: Option<&Emb>, k: usize) -> Vec<Hit> {
    let lex = c.index.search(q, &[c.language], 0.9, 0.4);
    let lex: HashMap<u32, f32> = lex.into_iter().collect();
    let mut dense: Vec<(u32, f64)> = emb.map(|e| (0..c.chunks.len() as u32).filter_map(|d| Some((d, e.cos(q, &c.chunks[d as usize])?))).collect()).unwrap_or_default();
    dense.sort_by(|a,b| b.1.total_cmp(&a.1));
    let dmax = dense.first().map_or(0.0, |x| x.1); let dmin = dense.get(50).map_or(0.0, |x| x.1);
    let lmax = lex.values().cloned().fold(0.0f32, f32::max) as f64;
    let dm: HashMap<u32,f64> = dense.iter().copied().collect();
    let mut ids: Vec<u32> = lex.keys().copied().chain(dense.iter().take(10).map(|x| x.0)).collect(); ids.sort(); ids.dedup();
    let mut fused: Vec<(u32, f64)> = ids.into_iter().map(|d| { let l = lex.get(&d).copied().unwrap_or(0.0) as f64 / lmax.max(1e-9); let s = dm.get(&d).map_or(0.0, |s| ((s-dmin)/(dmax-dmin)).max(0.0)); (d, if dm.is_empty() { l } else { 0.4*l + 0.6*s }) }).collect();
    fused.sort_by(|a,b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    fused.into_iter().take(k).enumerate().map(|(i,(d,s))| Hit { rank: i+1, score: s, root: Arc::from("/r"), path: Arc::from(c.paths[d as usize].as_str()), title: None,
        chunk: Chunk { heading: c.headings[d as usize].clone(), text: c.chunks[d as usize].clone(), bytes: Span::new(d as usize*100000, d as usize*100000+c.chunks[d as usize].len()), lines: Lines{first:1,last:1}, page: None }, also: vec![],
        legs: Legs { lexical: lex.get(&d).map(|&s| Leg { rank: 1, score: s as f64, normalised: 0.0, weight: 0.4 }), dense: dm.get(&d).map(|&s| Leg { rank: 1, score: s, normalised: 0.0, weight: 0.6 }) } }).collect()
}

#[test]
fn dump_texts() {
    if std::env::var("DUMP").is_err() { return }
    let mut texts: Vec<String> = vec![];
    let (xd, xq) = xquad("xquad_en"); let (cd, cq) = chroma();
    for (docs, cap) in [(xd, 10000), (folder("rustbook_en"), 0), (cd, 0)] {
        let c = corpus(docs, "en");
        texts.extend(c.chunks.iter().cloned());
        if cap > 0 { for ch in &c.chunks { for s in analysis::sentences(ch) { texts.push(analysis::plain(&ch[s.range()])); } } }
    }
    for q in xq.iter().chain(&cq) { texts.push(q.text.clone()); }
    texts.sort(); texts.dedup();
    println!("{} texts", texts.len());
    fs::write("/tmp/ans/texts.json", serde_json::to_string(&texts).unwrap()).unwrap();
}


struct Out { n: usize, answered: usize, right: usize, words: usize }
fn run(c: &Corpus, qs: &[Q], emb: Option<&Emb>, show: bool) -> Out {
    let mut o = Out { n: 0, answered: 0, right: 0, words: 0 };
    let langs = [c.language];
    for (qi, q) in qs.iter().enumerate() {
        let h = hits(c, &q.text, emb, 8);
        let weight = |t: &str| f64::from(c.index.idf(t));
        let similarity = |texts: &[String]| -> Result<Vec<f64>> { Ok(texts.iter().map(|t| emb.unwrap().cos(&q.text, t).unwrap_or(0.0)).collect()) };
        let tools = Tools { weight: &weight, languages: &langs, similarity: if emb.is_some() { Some(&similarity) } else { None } };
        let a = answer(&q.text, &h, &tools, &Options::default()).unwrap();
        o.n += 1;
        assert!(!a.supported || check(&a.text, &a.citations).is_empty(), "{a:?}");
        if a.supported {
            o.answered += 1;
            let right = q.golds.iter().any(|g| a.text.contains(g.as_str()));
            o.right += right as usize;
            o.words += crate::answer::score::n_words(&a.text);
            if show && (qi % 17 == 0) { println!("Q: {}\nG: {} {}\nA: {}\n", q.text, if right {"+"} else {"-"}, q.golds[0], a.text); }
        } else if show && (qi % 17 == 0) { println!("Q: {}\nG: {}\nA: (none)\n", q.text, q.golds[0]); }
    }
    o
}

#[test]
fn overall() {
    if std::env::var("ALL").is_err() { return }
    let show = std::env::var("SHOW").is_ok();
    let emb = Emb::load();
    let (xd, xq) = xquad("xquad_en"); let (cd, cq) = chroma(); let (zd, zq) = xquad("xquad_zh");
    let xc = corpus(xd, "en"); let cc = corpus(cd, "en"); let rc = corpus(folder("rustbook_en"), "en"); let zc = corpus(zd, "zh"); let zr = corpus(folder("rustbook_zh"), "zh");
    for (name, c, qs, emb) in [("en own dense", &xc, &xq, emb.as_ref()), ("en own", &xc, &xq, None), ("en of rust dense", &rc, &xq, emb.as_ref()), ("en of rust", &rc, &xq, None), ("chroma own", &cc, &cq, emb.as_ref()), ("chroma of rust", &rc, &cq, emb.as_ref()), ("zh own", &zc, &zq, None), ("zh of rust", &zr, &zq, None)] {
        if let Ok(f) = std::env::var("ONLY") { if f != name { continue } }
        let t = std::time::Instant::now();
        let o = run(c, qs, emb, show);
        println!("{name}: n {} abstain {:.3} right {:.3} words {:.1}  {:.2} ms", o.n, 1.0 - o.answered as f64 / o.n as f64, o.right as f64 / o.n as f64, o.words as f64 / o.answered.max(1) as f64, t.elapsed().as_secs_f64()*1000.0/o.n as f64);
    }
}

#[test]
fn rust_questions() {
    let Ok(file) = std::env::var("QS") else { return };
    let rc = corpus(folder("rustbook_en"), "en");
    for q in fs::read_to_string(file).unwrap().lines() {
        let h = hits(&rc, q, None, 8);
        let weight = |t: &str| f64::from(rc.index.idf(t));
        let tools = Tools { weight: &weight, languages: &["en"], similarity: None };
        let a = answer(q, &h, &tools, &Options::default()).unwrap();
        println!("Q: {q} ({:?})\n{}\n   {}\n", Intent::of(q), if a.supported {a.text.as_str()} else {"(none)"}, a.citations.iter().map(|c| format!("[{}] {}", c.n, c.hit.path)).collect::<Vec<_>>().join(" "));
    }
}

#[test]
fn dump_support() {
    if std::env::var("SUPP").is_err() { return }
    let emb = Emb::load();
    let mut out = fs::File::create("/tmp/ans/support.tsv").unwrap();
    let (xd, xq) = xquad("xquad_en"); let (cd, cq) = chroma(); let (zd, zq) = xquad("xquad_zh");
    let xc = corpus(xd, "en"); let cc = corpus(cd, "en"); let rc = corpus(folder("rustbook_en"), "en"); let zc = corpus(zd, "zh"); let zr = corpus(folder("rustbook_zh"), "zh");
    for (name, c, qs) in [("xx", &xc, &xq), ("xr", &rc, &xq), ("cc", &cc, &cq), ("cr", &rc, &cq), ("cx", &xc, &cq), ("xc", &cc, &xq), ("xm", &xc, &xq), ("zz", &zc, &zq), ("zr", &zr, &zq)] {
        let langs = [c.language];
        for (qi, q) in qs.iter().enumerate() {
            let mut h = hits(c, &q.text, emb.as_ref(), if name == "xm" {12} else {8});
            if name == "xm" { h.retain(|h| !q.golds.iter().any(|g| h.chunk.text.contains(g.as_str()))); if h.is_empty() { continue } }
            let weight = |t: &str| f64::from(c.index.idf(t));
            let tools = Tools { weight: &weight, languages: &langs, similarity: None };
            let ev = crate::answer::evidence::choose(&h, Limits::default());
            let asked = crate::answer::question::Question::new(&q.text, &tools);
            let wish = crate::answer::extractive::Wish { intent: Intent::of(&q.text), wanted: crate::answer::intent::Wanted::of(&q.text), wants_code: false };
            let cands = crate::answer::score::candidates(&asked, &wish, &ev);
            let s = crate::answer::support::Strength::of(&q.text, &asked, &cands, &ev);
            writeln!(out, "{name}\t{qi}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}", s.sentence, s.passage, s.together, s.cosine.unwrap_or(0.0), s.missing_names, asked.unknown_share(), asked.len(), q.text.replace('\t', " ")).unwrap();
        }
    }
}
