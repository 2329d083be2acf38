//! What the names of LaTeX commands and environments mean.

pub(super) fn section_level(name: &str) -> Option<u8> {
    Some(match name {
        "part" | "chapter" => 1,
        "section" => 2,
        "subsection" | "frametitle" => 3,
        "subsubsection" => 4,
        "paragraph" | "subparagraph" => 5,
        _ => return None,
    })
}

pub(super) fn is_accent(name: &str) -> bool {
    matches!(name, "c" | "v" | "u" | "H" | "k" | "r" | "d" | "b" | "t")
}

/// Environments whose content is code.
pub(super) fn is_code(name: &str) -> bool {
    matches!(
        name,
        "verbatim" | "lstlisting" | "minted" | "alltt" | "Verbatim" | "BVerbatim" | "LVerbatim"
    )
}

/// Environments without text for a reader.
pub(super) fn is_left_out(name: &str) -> bool {
    matches!(name, "comment" | "tikzpicture" | "filecontents" | "pgfpicture" | "axis" | "CCSXML")
}

/// How many arguments of a command are not text; `None` when they are.
pub(super) fn dropped_arguments(name: &str) -> Option<usize> {
    const ONE: &str = "label input include \
         includegraphics includeonly vspace hspace usepackage documentclass bibliography \
         bibliographystyle addbibresource pagestyle thispagestyle pagenumbering index hypersetup \
         color geometry graphicspath phantom hphantom vphantom todo hyphenation title author date \
         institute subtitle affiliation email usetikzlibrary usetheme textcolor colorbox parbox \
         rotatebox scalebox lstset sisetup tikzset pgfplotsset cellcolor \
         rowcolor columncolor captionsetup selectlanguage setmainfont linespread nocite fontsize \
         addtocounter stepcounter newcounter theoremstyle DeclareUnicodeCharacter foreignlanguage \
         hskip vskip newlength markright IfFileExists lstinputlisting verbatiminput glsadd \
         hypertarget \
         inputminted subimport PassOptionsToPackage RequirePackage";
    const TWO: &str = "setlength setcounter addtolength newtheorem rule resizebox raisebox \
         markboth addcontentsline DeclareMathOperator fcolorbox titleformat";
    const THREE: &str = "definecolor newenvironment renewenvironment";
    let is_among = |names: &str| names.split_whitespace().any(|other| other == name);
    let is_citation = name.len() < 20 && (name.starts_with("cite") || name.ends_with("cite"));
    if is_among(ONE) || is_citation {
        return Some(1);
    }
    if is_among(TWO) {
        return Some(2);
    }
    is_among(THREE).then_some(3)
}
