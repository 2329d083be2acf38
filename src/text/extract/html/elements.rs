//! How elements affect the flow of text, by name.

/// Elements without text for a reader.
pub(super) fn is_never_text(name: &[u8]) -> bool {
    matches!(
        name,
        b"script"
            | b"style"
            | b"template"
            | b"noscript"
            | b"svg"
            | b"iframe"
            | b"object"
            | b"canvas"
            | b"audio"
            | b"video"
            | b"select"
            | b"datalist"
            | b"textarea"
            | b"button"
            | b"noframes"
            // How the characters before it are read.
            | b"rt"
            | b"rp"
    )
}

pub(super) fn is_void(name: &[u8]) -> bool {
    matches!(
        name,
        b"area"
            | b"base"
            | b"br"
            | b"col"
            | b"embed"
            | b"hr"
            | b"img"
            | b"input"
            | b"link"
            | b"meta"
            | b"param"
            | b"source"
            | b"track"
            | b"wbr"
    )
}

/// Elements whose end tag may be omitted before the next element of their kind.
pub(super) fn closes_itself(name: &[u8]) -> bool {
    matches!(name, b"p" | b"li" | b"dt" | b"dd" | b"td" | b"th" | b"tr" | b"option" | b"rt" | b"rp")
}

pub(super) fn is_container(name: &[u8]) -> bool {
    matches!(
        name,
        b"div"
            | b"section"
            | b"article"
            | b"main"
            | b"ul"
            | b"ol"
            | b"dl"
            | b"table"
            | b"tr"
            | b"ruby"
            | b"body"
    )
}

pub(super) fn is_inline(name: &[u8]) -> bool {
    matches!(
        name,
        b"a" | b"span"
            | b"i"
            | b"b"
            | b"em"
            | b"strong"
            | b"code"
            | b"small"
            | b"sup"
            | b"sub"
            | b"label"
    )
}

pub(super) fn is_block(name: &[u8]) -> bool {
    matches!(
        name,
        b"address"
            | b"article"
            | b"aside"
            | b"body"
            | b"center"
            | b"dd"
            | b"details"
            | b"dialog"
            | b"div"
            | b"dl"
            | b"dt"
            | b"fieldset"
            | b"figcaption"
            | b"figure"
            | b"footer"
            | b"form"
            | b"header"
            | b"hgroup"
            | b"hr"
            | b"html"
            | b"legend"
            | b"main"
            | b"nav"
            | b"p"
            | b"section"
            | b"summary"
            | b"head"
    )
}
