use super::*;

fn terms(text: &str, language: Option<&str>) -> String {
    let mut out = Vec::new();
    index_terms(text, language, &mut |term| {
        assert!(text.get(term.start..term.end).is_some(), "{term:?} lies on character boundaries");
        out.push(format!("{}@{}", term.text, term.position));
    });
    out.join(" ")
}

#[test]
fn explore() {
    for t in ["The quick foxes", "Café CAFÉ cafe\u{301} naïve", "don't l'homme Newton's we'll O'Brien dell’arte it's", "foo_bar foo-bar fooBar FooBar foobar", "v1.2.3 1.2.3 3.14 192.168.0.1 1,234,567.5 12:30 6½",
      "std::fs::write user@example.com path/to/file.rs", "C++ C# .NET node.js AT&T --no-cache -k --verbose __init__ _x_", "HTTPServer iPhone IPv6 PhD getXValue YouTube GitHub", "U.S. U.S.A. e.g. state-of-the-art Wi-Fi e-mails",
      "我爱北京天安门 2023年 Rust语言", "東京タワーはｶﾞ高い", "한국어 검색", "ภาษาไทยง่ายนิดเดียว", "العربية الكتاب والكِتَاب", "हिन्दी में खोज", "Straße Äpfel Häuser größer", "🦀 rocks ___ --- ...", "https://example.com/a/b?x=1#frag", "Ελληνικά Ὀδυσσεύς", "Москва ёлка стои́т"] {
        let l = whatlang(t);
        println!("{t}\n   -> {}", terms(t, l));
        println!("   q> {}", query_terms(t, &l.into_iter().collect::<Vec<_>>()).terms.iter().map(|t| format!("{}*{}{}", t.variants.join("|"), t.weight, if t.is_part {"p"} else {""})).collect::<Vec<_>>().join(" "));
    }
}
fn whatlang(t: &str) -> Option<&'static str> { if t.contains("Stra") { Some("de") } else if t.contains("Моск") { Some("ru")} else if t.contains("الع"){Some("ar")} else {Some("en")} }
