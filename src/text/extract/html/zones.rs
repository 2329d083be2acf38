//! The parts of a page, and which of them are kept.

use super::tag::Tag;

pub(super) const N_ZONES: usize = 6;

/// The part of the page that a text is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    Main,
    Article,
    Body,
    /// Header or footer outside main part, article and section.
    Margin,
    Navigation,
    /// Notes beside the main part. Inside it, an `aside` belongs to it.
    Aside,
}

impl Zone {
    /// The zone that a tag opens inside this one, if any.
    pub(super) fn opened_by(self, tag: &Tag) -> Option<Self> {
        let is_in_main = matches!(self, Self::Main | Self::Article);
        if tag.has_class(&[
            b"nav-panel",
            b"navheader",
            b"navfooter",
            b"sphinxsidebar",
            b"sidebar",
            b"breadcrumb",
            b"breadcrumbs",
        ]) {
            return Some(Self::Navigation);
        }
        match (tag.name.as_slice(), tag.role.as_slice()) {
            (b"nav", _) | (_, b"navigation" | b"search") => Some(Self::Navigation),
            (b"main", _) | (_, b"main") => Some(Self::Main),
            (b"article", _) if self != Self::Main => Some(Self::Article),
            (b"header" | b"footer", _) | (_, b"banner" | b"contentinfo") if !is_in_main => {
                Some(Self::Margin)
            }
            (b"aside", _) if self == Self::Body => Some(Self::Aside),
            _ => None,
        }
    }
}

/// The texts to render.
#[derive(Clone, Copy)]
pub(super) struct Keep {
    /// By [`Zone`].
    pub(super) zones: [bool; N_ZONES],
    pub(super) hidden: bool,
}

impl Keep {
    pub(super) const NOT_HIDDEN: Self = Self { zones: [true; N_ZONES], hidden: false };
    const EVERYTHING: Self = Self { zones: [true; N_ZONES], hidden: true };

    /// What to keep of a page with `n` bytes of visible text in each zone, and `n_links` bytes of
    /// links in notes beside the main part.
    pub(super) fn of_page(n: &[usize; N_ZONES], n_links: usize) -> Self {
        let n_main = n[Zone::Main as usize];
        let n_article = n[Zone::Article as usize];
        let n_body = n_main + n_article + n[Zone::Body as usize];
        if n.iter().all(|n| *n == 0) {
            return Self::EVERYTHING;
        }
        // Lists of links are navigation.
        let aside = n_links * 2 < n[Zone::Aside as usize];
        let zones = if n_body == 0 {
            [true; N_ZONES]
        } else if n_main * 4 >= n_body {
            [true, true, false, false, false, aside]
        } else if n_main + n_article > 0 {
            [true, true, true, false, false, aside]
        } else {
            [true, true, true, true, false, aside]
        };
        Self { zones, hidden: false }
    }

    /// Whether this keeps all visible text of such a page.
    pub(super) fn is_all_of(self, n: &[usize; N_ZONES]) -> bool {
        !self.hidden && n.iter().zip(self.zones).all(|(n, is_kept)| is_kept || *n == 0)
    }
}
