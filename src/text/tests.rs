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
