//! Start tags.

/// A start tag with the attributes that matter.
#[derive(Default)]
pub(super) struct Tag {
    pub(super) name: Vec<u8>,
    /// Name of the attribute whose value comes next.
    attribute: Vec<u8>,
    pub(super) role: Vec<u8>,
    class: Vec<u8>,
    pub(super) alt: Vec<u8>,
    colspan: Vec<u8>,
    rowspan: Vec<u8>,
    /// The number of an item, or of the first item of a list.
    number: Vec<u8>,
    /// Of a `meta` tag: `name` or `property`.
    pub(super) key: Vec<u8>,
    pub(super) content: Vec<u8>,
    /// Invisible on the page.
    pub(super) is_hidden: bool,
}

impl Tag {
    pub(super) fn clear(&mut self, name: &[u8]) {
        for part in [
            &mut self.name,
            &mut self.attribute,
            &mut self.role,
            &mut self.class,
            &mut self.alt,
            &mut self.colspan,
            &mut self.rowspan,
            &mut self.number,
            &mut self.key,
            &mut self.content,
        ] {
            part.clear();
        }
        self.name.extend_from_slice(name);
        self.is_hidden = false;
    }

    pub(super) fn attribute(&mut self, name: &[u8]) {
        self.attribute.clear();
        self.attribute.extend_from_slice(name);
        self.is_hidden |= name == b"hidden";
    }

    pub(super) fn value(&mut self, value: &[u8]) {
        match self.attribute.as_slice() {
            b"role" => self.role.extend_from_slice(value),
            b"class" => self.class.extend_from_slice(value),
            b"alt" => self.alt.extend_from_slice(value),
            b"colspan" => self.colspan.extend_from_slice(value),
            b"start" | b"value" => self.number.extend_from_slice(value),
            b"rowspan" => self.rowspan.extend_from_slice(value),
            b"name" | b"property" | b"itemprop" => self.key.extend_from_slice(value),
            b"content" => self.content.extend_from_slice(value),
            b"aria-hidden" => self.is_hidden |= value == b"true",
            b"style" => {
                let style: Vec<u8> =
                    value.iter().filter(|b| !b.is_ascii_whitespace()).copied().collect();
                self.is_hidden |=
                    style.windows(12).any(|w| w.eq_ignore_ascii_case(b"display:none"));
            }
            _ => {}
        }
    }

    /// The number that an item or a list begins with.
    pub(super) fn number(&self) -> Option<usize> {
        std::str::from_utf8(&self.number).ok()?.trim().parse().ok()
    }

    /// Further columns that a cell spans.
    pub(super) fn n_spanned(&self) -> usize {
        n_spanned(&self.colspan)
    }

    /// Further rows that a cell spans.
    pub(super) fn n_spanned_rows(&self) -> usize {
        n_spanned(&self.rowspan)
    }

    /// Line numbers beside code, and marks that link a heading to itself.
    pub(super) fn is_decoration(&self) -> bool {
        self.has_class(&[b"linenos", b"lineno", b"gutter", b"headerlink", b"anchorjs-link"])
    }

    pub(super) fn has_class(&self, any_of: &[&[u8]]) -> bool {
        self.class.split(u8::is_ascii_whitespace).any(|class| any_of.contains(&class))
    }
}

fn n_spanned(value: &[u8]) -> usize {
    let n = std::str::from_utf8(value).ok().and_then(|n| n.trim().parse::<usize>().ok());
    n.unwrap_or(1).clamp(1, 100) - 1
}
