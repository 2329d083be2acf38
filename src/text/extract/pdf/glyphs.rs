//! The glyphs of a page with their positions, in drawing order.

use hayro_interpret::font::Glyph as Drawn;
use hayro_interpret::hayro_cmap::BfString;
use hayro_interpret::hayro_syntax::Pdf;
use hayro_interpret::hayro_syntax::page::Page;
use hayro_interpret::{
    BlendMode, ClipPath, Context, Device, GlyphDrawMode, Image, InterpreterCache,
    InterpreterSettings, Paint, PathDrawMode, SoftMask, TransformExt as _, interpret_page,
};
use kurbo::{Affine, BezPath, PathSeg, Point, Rect};

/// A glyph. Lengths are in points, `y` grows downwards, and rotated text is turned to run to the
/// right.
#[derive(Clone, Debug)]
pub(super) struct Glyph {
    pub(super) text: String,
    pub(super) x0: f64,
    pub(super) x1: f64,
    /// Of the base line.
    pub(super) y: f64,
    pub(super) size: f64,
    /// Rotation in quarter turns.
    pub(super) turn: i32,
}

/// A horizontal or vertical line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) x0: f64,
    pub(super) y0: f64,
    pub(super) x1: f64,
    pub(super) y1: f64,
}

impl Rule {
    fn between(a: Point, b: Point) -> Option<Self> {
        const LEAST_LENGTH: f64 = 5.0;
        const MOST_SLANT: f64 = 0.5;
        let (width, height) = ((a.x - b.x).abs(), (a.y - b.y).abs());
        let is_rule = width.max(height) >= LEAST_LENGTH && width.min(height) <= MOST_SLANT;
        (is_rule && width.is_finite() && height.is_finite()).then(|| Self {
            x0: a.x.min(b.x),
            y0: a.y.min(b.y),
            x1: a.x.max(b.x),
            y1: a.y.max(b.y),
        })
    }

    pub(super) fn is_across(&self) -> bool {
        self.x1 - self.x0 > self.y1 - self.y0
    }

    /// Whether they meet, or nearly.
    pub(super) fn touches(&self, other: &Self) -> bool {
        const NEAR: f64 = 2.5;
        self.x0 <= other.x1 + NEAR
            && other.x0 <= self.x1 + NEAR
            && self.y0 <= other.y1 + NEAR
            && other.y0 <= self.y1 + NEAR
    }

    /// The rectangle around both.
    pub(super) fn with(&self, other: &Self) -> Self {
        Self {
            x0: self.x0.min(other.x0),
            y0: self.y0.min(other.y0),
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
        }
    }
}

/// The content of a page.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) glyphs: Vec<Glyph>,
    pub(super) rules: Vec<Rule>,
    pub(super) n_images: usize,
    /// Glyphs without characters.
    pub(super) n_unknown: usize,
    pub(super) is_full: bool,
}

/// A page with more glyphs is not text.
const MAX_GLYPHS: usize = 400_000;

/// A page with more rules is a drawing.
const MAX_RULES: usize = 5000;

pub(super) fn glyphs<'a>(pdf: &'a Pdf, page: &Page<'a>, cache: &InterpreterCache<'a>) -> Shown {
    let initial = page.initial_transform(true).to_kurbo();
    let (width, height) = page.render_dimensions();
    let area = Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
    let mut context =
        Context::new(initial, area, cache, pdf.xref(), InterpreterSettings::default());
    let mut collector = Collector::default();
    interpret_page(page, &mut context, &mut collector);
    collector.shown
}

#[derive(Default)]
struct Collector {
    shown: Shown,
}

impl Collector {
    fn push(&mut self, text: String, matrix: Affine, advance: f64) {
        let shown = &mut self.shown;
        if shown.glyphs.len() >= MAX_GLYPHS {
            shown.is_full = true;
            return;
        }
        let (start, end) = (matrix * Point::ORIGIN, matrix * Point::new(advance, 0.0));
        let up = matrix * Point::new(0.0, 1000.0) - start;
        let along = matrix * Point::new(1000.0, 0.0) - start;
        let size = up.hypot();
        if ![start.x, start.y, end.x, end.y, size].into_iter().all(f64::is_finite) || size < 0.1 {
            return;
        }
        let turn = (along.atan2() / std::f64::consts::FRAC_PI_2).round() as i32;
        let turn = turn.rem_euclid(4);
        let turned = |p: Point| match turn {
            0 => (p.x, p.y),
            1 => (p.y, -p.x),
            2 => (-p.x, -p.y),
            _ => (-p.y, p.x),
        };
        let ((x0, y), (x1, _)) = (turned(start), turned(end));
        shown.glyphs.push(Glyph { text, x0: x0.min(x1), x1: x0.max(x1), y, size, turn });
    }
}

fn is_private(c: char) -> bool {
    matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}' | '\u{FFFD}')
}

impl<'a> Device<'a> for Collector {
    fn draw_glyph(
        &mut self,
        glyph: &Drawn<'a>,
        transform: Affine,
        glyph_transform: Affine,
        _: &Paint<'a>,
        _: &GlyphDrawMode,
    ) {
        let text = match glyph.as_unicode() {
            Some(BfString::Char(c)) => c.to_string(),
            Some(BfString::String(text)) => text,
            None => String::new(),
        };
        // Private use characters and controls are names of shapes, except a common bullet.
        let text = text.replace('\u{F0B7}', "•");
        let text: String = text.chars().filter(|c| !c.is_control() && !is_private(*c)).collect();
        if text.is_empty() {
            self.shown.n_unknown += 1;
            return;
        }
        // Half an em where the width is unknown: Type 3 fonts have their own units.
        let advance = match glyph {
            Drawn::Outline(outline) => outline.advance_width().map_or(500.0, f64::from),
            Drawn::Type3(_) => 500.0,
        };
        self.push(text, transform * glyph_transform, advance);
    }

    fn draw_image(&mut self, _: Image<'a, '_>, _: Affine) {
        self.shown.n_images += 1;
    }

    fn set_soft_mask(&mut self, _: Option<SoftMask<'a>>) {}
    fn set_blend_mode(&mut self, _: BlendMode) {}
    fn draw_path(&mut self, path: &BezPath, matrix: Affine, _: &Paint<'a>, _: &PathDrawMode) {
        for segment in path.segments() {
            if self.shown.rules.len() >= MAX_RULES {
                return;
            }
            if let PathSeg::Line(line) = segment {
                self.shown.rules.extend(Rule::between(matrix * line.p0, matrix * line.p1));
            }
        }
    }

    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn pop_clip_path(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}
