//! Whether the evidence supports an answer at all.
//!
//! A straight line through a handful of numbers, so that a wrong verdict can be traced to the
//! number that caused it. Fitted by hand near a logistic regression over 1,190 `XQuAD` and 472
//! chunking questions, each asked of its own corpus, of the other's and of a book on Rust.

use crate::analysis::Kind;

use super::evidence::Evidence;
use super::intent::AnswerType;
use super::question::Question;
use super::score::Candidate;

/// How near the best sentence one must be that has what is asked for, as a share.
const NEAR: f64 = 0.7;

/// What it costs when none is. On English `XQuAD` 1.5 refuses 0.2 % more of its own questions and
/// 0.5 % more of a book on Rust; without capitals to tell names by it costs more than it gains.
const UNFIT: f64 = 1.5;

/// What it costs when the question is who made something. "Who wrote the compiler?", asked of a
/// book about the compiler, has every word in its favour, so this is all but a veto.
const NAMELESS: f64 = 12.0;

/// What the verdict rests on; all between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Strength {
    /// Largest share of the question in one sentence, what stands around it counted in part.
    pub sentence: f64,
    /// Largest share of the question in one passage.
    pub passage: f64,
    /// Largest share of the question's neighbouring terms that are neighbours in one sentence.
    pub together: f64,
    /// Share of the question in names that no passage has. Asked about Zorbland, an atlas without
    /// it has no answer, however much it says about capitals.
    pub missing_names: f64,
    /// Share of the question in terms that the whole index does not have.
    pub unknown: f64,
    /// Asked who, where, when or how many, no sentence near the best has a name, a date or a number
    /// of its own.
    pub is_unfit: bool,
    /// Asked who made something: an answer without a name is none.
    pub wants_maker: bool,
    /// Best cosine of a passage with the question, where there are vectors.
    pub cosine: Option<f64>,
    /// Whether the question is in a script of its own. The default model reads English; on others
    /// its cosines may help but must not veto.
    pub is_foreign: bool,
}

impl Strength {
    pub(super) fn of<'a>(
        text: &str,
        wanted: AnswerType,
        question: &Question<'_>,
        candidates: &[Candidate],
        evidence: impl Iterator<Item = &'a Evidence>,
    ) -> Self {
        let held =
            |c: &Candidate| c.features.coverage + 0.5 * c.features.beside + 0.3 * c.features.around;
        let largest =
            |value: &dyn Fn(&Candidate) -> f64| candidates.iter().map(value).fold(0.0, f64::max);
        let cosines = evidence
            .filter_map(|piece| Some(piece.hit.contributions.dense?.score))
            .filter(|cosine| cosine.is_finite());
        let sentence = largest(&held);
        let is_foreign = text.chars().filter(|c| c.is_alphabetic()).any(|c| c > '\u{24f}');
        let wants_a_kind = !is_foreign
            && matches!(
                wanted,
                AnswerType::Person | AnswerType::Place | AnswerType::Time | AnswerType::Number
            );
        Self {
            sentence,
            wants_maker: super::intent::wants_maker(text),
            is_unfit: wants_a_kind
                && !candidates.iter().any(|c| {
                    c.kind != Kind::Code && c.features.fits > 0.0 && held(c) >= NEAR * sentence
                }),
            passage: largest(&|c| c.features.passage),
            together: largest(&|c| c.features.together),
            missing_names: question
                .missing_names(|term| candidates.iter().any(|c| c.found.has(term))),
            unknown: question.unknown_share(),
            cosine: cosines.reduce(f64::max),
            is_foreign,
        }
    }

    /// Above zero the evidence supports an answer.
    ///
    /// Wrong refusals and right ones, `XQuAD` asked of its own paragraphs and of a book on Rust: 3
    /// % and 99 % with vectors, 4 % and 97 % without, 4 % and 85 % in Chinese without.
    pub(super) fn margin(&self) -> f64 {
        let unfit = match (self.is_unfit, self.wants_maker) {
            (false, _) => 0.0,
            (true, false) => UNFIT,
            (true, true) => NAMELESS,
        };
        let against = 3.0 * self.missing_names + 2.0 * self.unknown + unfit;
        let words = 9.0 * self.sentence + 6.0 * self.together - against - 3.5;
        let Some(cosine) = self.cosine else { return words };
        let both = 5.0 * self.sentence + 3.0 * self.passage + 4.0 * self.together + 11.0 * cosine
            - against
            - 7.6;
        if self.is_foreign { words.max(both) } else { both }
    }
}
