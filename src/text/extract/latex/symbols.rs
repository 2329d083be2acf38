//! Symbols, accents and units of LaTeX.

/// The text of a command that stands for a symbol.
pub(super) fn symbol(name: &str) -> Option<&'static str> {
    SYMBOLS.iter().find(|(other, _)| *other == name).map(|(_, text)| *text)
}

const SYMBOLS: &[(&str, &str)] = &[
    ("o", "ø"),
    ("O", "Ø"),
    ("l", "ł"),
    ("L", "Ł"),
    ("ss", "ß"),
    ("ae", "æ"),
    ("AE", "Æ"),
    ("oe", "œ"),
    ("OE", "Œ"),
    ("aa", "å"),
    ("AA", "Å"),
    ("i", "ı"),
    ("j", "ȷ"),
    ("dh", "ð"),
    ("DH", "Ð"),
    ("dj", "đ"),
    ("DJ", "Đ"),
    ("ng", "ŋ"),
    ("NG", "Ŋ"),
    ("th", "þ"),
    ("TH", "Þ"),
    ("S", "§"),
    ("P", "¶"),
    ("dag", "†"),
    ("ddag", "‡"),
    ("copyright", "©"),
    ("pounds", "£"),
    ("euro", "€"),
    ("texteuro", "€"),
    ("EUR", "€"),
    ("textsterling", "£"),
    ("textyen", "¥"),
    ("textdollar", "$"),
    ("textregistered", "®"),
    ("texttrademark", "™"),
    ("textdegree", "°"),
    ("degree", "°"),
    ("circ", "°"),
    ("ldots", "…"),
    ("dots", "…"),
    ("cdots", "…"),
    ("textellipsis", "…"),
    ("textendash", "–"),
    ("textemdash", "—"),
    ("textbackslash", "\\"),
    ("textasciitilde", "~"),
    ("textasciicircum", "^"),
    ("textunderscore", "_"),
    ("textbar", "|"),
    ("textless", "<"),
    ("textgreater", ">"),
    ("textquotedblleft", "“"),
    ("textquotedblright", "”"),
    ("textquoteleft", "‘"),
    ("textquoteright", "’"),
    ("guillemotleft", "«"),
    ("guillemotright", "»"),
    ("textmu", "µ"),
    ("textbullet", "•"),
    ("bullet", "•"),
    ("TeX", "TeX"),
    ("LaTeX", "LaTeX"),
    ("LaTeXe", "LaTeX2e"),
    ("BibTeX", "BibTeX"),
    ("quad", " "),
    ("qquad", " "),
    ("space", " "),
    ("newline", " "),
    ("linebreak", " "),
    ("approx", "≈"),
    ("times", "×"),
    ("div", "÷"),
    ("pm", "±"),
    ("mp", "∓"),
    ("cdot", "·"),
    ("leq", "≤"),
    ("le", "≤"),
    ("geq", "≥"),
    ("ge", "≥"),
    ("neq", "≠"),
    ("ne", "≠"),
    ("equiv", "≡"),
    ("sim", "∼"),
    ("simeq", "≃"),
    ("propto", "∝"),
    ("ll", "≪"),
    ("gg", "≫"),
    ("infty", "∞"),
    ("to", "→"),
    ("rightarrow", "→"),
    ("leftarrow", "←"),
    ("Rightarrow", "⇒"),
    ("mapsto", "↦"),
    ("leftrightarrow", "↔"),
    ("in", "∈"),
    ("notin", "∉"),
    ("subset", "⊂"),
    ("subseteq", "⊆"),
    ("cup", "∪"),
    ("cap", "∩"),
    ("emptyset", "∅"),
    ("forall", "∀"),
    ("exists", "∃"),
    ("neg", "¬"),
    ("land", "∧"),
    ("lor", "∨"),
    ("sum", "∑"),
    ("prod", "∏"),
    ("int", "∫"),
    ("sqrt", "√"),
    ("partial", "∂"),
    ("nabla", "∇"),
    ("ell", "ℓ"),
    ("hbar", "ℏ"),
    ("alpha", "α"),
    ("beta", "β"),
    ("gamma", "γ"),
    ("delta", "δ"),
    ("epsilon", "ε"),
    ("varepsilon", "ε"),
    ("zeta", "ζ"),
    ("eta", "η"),
    ("theta", "θ"),
    ("iota", "ι"),
    ("kappa", "κ"),
    ("lambda", "λ"),
    ("mu", "μ"),
    ("nu", "ν"),
    ("xi", "ξ"),
    ("pi", "π"),
    ("rho", "ρ"),
    ("sigma", "σ"),
    ("tau", "τ"),
    ("upsilon", "υ"),
    ("phi", "φ"),
    ("varphi", "φ"),
    ("chi", "χ"),
    ("psi", "ψ"),
    ("omega", "ω"),
    ("Gamma", "Γ"),
    ("Delta", "Δ"),
    ("Theta", "Θ"),
    ("Lambda", "Λ"),
    ("Xi", "Ξ"),
    ("Pi", "Π"),
    ("Sigma", "Σ"),
    ("Phi", "Φ"),
    ("Psi", "Ψ"),
    ("Omega", "Ω"),
    ("sin", "sin"),
    ("cos", "cos"),
    ("tan", "tan"),
    ("log", "log"),
    ("ln", "ln"),
    ("exp", "exp"),
    ("max", "max"),
    ("min", "min"),
    ("lim", "lim"),
    ("today", ""),
];

/// A letter with an accent, such as `"` and `o`; the letter alone if there is none.
pub(super) fn accented(accent: &str, base: &str) -> String {
    let mut chars = base.trim().chars();
    let Some(letter) = chars.next() else { return String::new() };
    let mark = match accent {
        "`" => '\u{300}',
        "'" => '\u{301}',
        "^" => '\u{302}',
        "~" => '\u{303}',
        "=" => '\u{304}',
        "u" => '\u{306}',
        "." => '\u{307}',
        "\"" => '\u{308}',
        "r" => '\u{30a}',
        "H" => '\u{30b}',
        "v" => '\u{30c}',
        "d" => '\u{323}',
        "c" => '\u{327}',
        "k" => '\u{328}',
        "b" => '\u{331}',
        _ => return base.to_owned(),
    };
    match unicode_normalization::char::compose(letter, mark) {
        Some(composed) => format!("{composed}{}", chars.as_str()),
        None => format!("{letter}{mark}{}", chars.as_str()),
    }
}

/// The text of a unit of siunitx, such as `\kilo\metre\per\hour`, or `km/h` as it is.
pub(super) fn unit(source: &str) -> String {
    let mut out = String::new();
    let mut power_of_next: Option<&str> = None;
    let mut is_after_unit = false;
    for (nth, part) in source.split('\\').enumerate() {
        let part = part.trim();
        if nth == 0 {
            out.push_str(&part.replace('.', " "));
            continue;
        }
        let end = part.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(part.len());
        let (name, rest) = (part.get(..end).unwrap_or(part), part.get(end..).unwrap_or_default());
        match name {
            "per" => {
                out.push('/');
                is_after_unit = false;
            }
            "square" => power_of_next = Some("²"),
            "cubic" => power_of_next = Some("³"),
            "squared" => out.push('²'),
            "cubed" => out.push('³'),
            "tothe" | "raiseto" => {
                out.push('^');
                out.push_str(rest.trim_matches(['{', '}']));
            }
            _ => {
                let prefix = PREFIXES.iter().find(|(other, _)| *other == name);
                if is_after_unit {
                    out.push(' ');
                    is_after_unit = false;
                }
                if let Some((_, text)) = prefix {
                    out.push_str(text);
                    continue;
                }
                let known = UNITS.iter().find(|(other, _)| *other == name);
                out.push_str(known.map_or(name, |(_, text)| text));
                out.push_str(power_of_next.take().unwrap_or_default());
                is_after_unit = true;
            }
        }
    }
    out
}

const PREFIXES: &[(&str, &str)] = &[
    ("kilo", "k"),
    ("mega", "M"),
    ("giga", "G"),
    ("tera", "T"),
    ("hecto", "h"),
    ("deca", "da"),
    ("deci", "d"),
    ("centi", "c"),
    ("milli", "m"),
    ("micro", "µ"),
    ("nano", "n"),
    ("pico", "p"),
    ("femto", "f"),
    ("kibi", "Ki"),
    ("mebi", "Mi"),
    ("gibi", "Gi"),
];

const UNITS: &[(&str, &str)] = &[
    ("metre", "m"),
    ("meter", "m"),
    ("second", "s"),
    ("minute", "min"),
    ("hour", "h"),
    ("day", "d"),
    ("gram", "g"),
    ("kilogram", "kg"),
    ("tonne", "t"),
    ("kelvin", "K"),
    ("celsius", "°C"),
    ("degreeCelsius", "°C"),
    ("percent", "%"),
    ("litre", "L"),
    ("liter", "L"),
    ("volt", "V"),
    ("ampere", "A"),
    ("watt", "W"),
    ("joule", "J"),
    ("newton", "N"),
    ("pascal", "Pa"),
    ("hertz", "Hz"),
    ("ohm", "Ω"),
    ("mole", "mol"),
    ("degree", "°"),
    ("byte", "B"),
    ("electronvolt", "eV"),
    ("candela", "cd"),
    ("farad", "F"),
    ("tesla", "T"),
    ("henry", "H"),
    ("weber", "Wb"),
    ("lumen", "lm"),
    ("lux", "lx"),
    ("becquerel", "Bq"),
    ("sievert", "Sv"),
    ("gray", "Gy"),
    ("decibel", "dB"),
    ("hectare", "ha"),
    ("radian", "rad"),
    ("arcminute", "′"),
    ("arcsecond", "″"),
    ("micron", "µm"),
    ("uL", "µL"),
    ("um", "µm"),
    ("us", "µs"),
    ("ug", "µg"),
    ("kohm", "kΩ"),
    ("angstrom", "Å"),
];
