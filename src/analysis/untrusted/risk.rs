//! How likely it is that a text tries to instruct a language model, and why.
//!
//! A risk is shown, logged and counted; it changes no ranking and no answer. Its reasons are the
//! injections that patterns find and, for questions, nearness to the exemplars of `exemplars.tsv`.
//! Passages are judged by patterns alone: one sentence hardly moves the vector of a passage, so
//! nearness adds nothing there (`scripts/bench risk`).

use std::sync::LazyLock;

use super::injections::{InjectionKind, injections};
use crate::vector::dot;

/// Nearness from which a question is at risk. Chosen on the training part of BIPIA; `scripts/bench
/// risk` reports its test part and ordinary questions.
const NEAR: f32 = 0.5;
/// Nearness that needs no pattern to be more than a low risk.
const VERY_NEAR: f32 = 0.7;
/// How many of the nearest exemplars count, so that one odd exemplar decides nothing.
const NEAREST: usize = 3;

/// A risk, from its reasons.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Risk {
    /// Each kind once.
    pub kinds: Vec<InjectionKind>,
    /// As [`Exemplars::nearness`]; `None` where it was not computed.
    pub nearness: Option<f32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RiskLevel {
    None,
    Low,
    Medium,
    High,
}

impl RiskLevel {
    /// The stable name used in JSON and in labels of metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Risk {
    /// The risk of a text; `nearness` is that of its vector.
    pub fn new(text: &str, nearness: Option<f32>) -> Self {
        let mut kinds: Vec<InjectionKind> =
            injections(text).into_iter().map(|injection| injection.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        Self { kinds, nearness }
    }

    pub fn level(&self) -> RiskLevel {
        match (self.kinds.len(), self.nearness.unwrap_or_default()) {
            (2.., _) | (1, NEAR..) => RiskLevel::High,
            (1, _) | (0, VERY_NEAR..) => RiskLevel::Medium,
            (0, NEAR..) => RiskLevel::Low,
            _ => RiskLevel::None,
        }
    }

    /// The names of the kinds, and `similar` for nearness.
    pub fn reasons(&self) -> Vec<&'static str> {
        let is_near = self.nearness.is_some_and(|nearness| nearness >= NEAR);
        self.kinds.iter().map(|kind| kind.name()).chain(is_near.then_some("similar")).collect()
    }
}

/// The exemplars and their vectors by one model.
pub struct Exemplars {
    /// Fingerprints of the models that the vectors are comparable with.
    models: Vec<&'static str>,
    attacks: Vec<Exemplar>,
    ordinary: Vec<Exemplar>,
    /// Mean contrast of an ordinary exemplar to all others, and of an attack.
    scale: [f32; 2],
}

/// A text and its vector.
pub struct Exemplar {
    pub text: &'static str,
    pub vector: Vec<f32>,
}

static EXEMPLARS: LazyLock<Exemplars> =
    LazyLock::new(|| Exemplars::parse(include_str!("exemplars.tsv")));

impl Exemplars {
    /// The exemplars for the model with this fingerprint, if their vectors are of it.
    pub fn of(fingerprint: &str) -> Option<&'static Self> {
        EXEMPLARS.models.contains(&fingerprint).then_some(&*EXEMPLARS)
    }

    /// All exemplars, whatever the model.
    pub fn all() -> impl Iterator<Item = &'static Exemplar> {
        EXEMPLARS.attacks.iter().chain(&EXEMPLARS.ordinary)
    }

    fn parse(table: &'static str) -> Self {
        let mut exemplars =
            Self { models: Vec::new(), attacks: Vec::new(), ordinary: Vec::new(), scale: [0.0; 2] };
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            match *line.split('\t').collect::<Vec<_>>() {
                ["models", ref models @ ..] => exemplars.models.extend(models),
                ["attack", text, vector] => exemplars.attacks.push(Exemplar::parse(text, vector)),
                [_, text, vector] => exemplars.ordinary.push(Exemplar::parse(text, vector)),
                _ => {}
            }
        }
        exemplars.scale = [&exemplars.ordinary, &exemplars.attacks].map(|some| {
            mean(some.iter().map(|exemplar| exemplars.contrast(&exemplar.vector)).collect())
        });
        exemplars
    }

    /// How near the vector of a question is to attacks: 0 for an ordinary question, 1 for an attack
    /// as near to others as the exemplars are to each other. So the scale of a model's cosines does
    /// not matter.
    pub fn nearness(&self, vector: &[f32]) -> f32 {
        let [ordinary, attack] = self.scale;
        (self.contrast(vector) - ordinary) / (attack - ordinary)
    }

    /// Cosine to the nearest attacks, less that to ordinary questions.
    fn contrast(&self, vector: &[f32]) -> f32 {
        let cosines = |exemplars: &[Exemplar]| -> Vec<f32> {
            let others = exemplars.iter().filter(|other| other.vector.as_ptr() != vector.as_ptr());
            others.map(|other| dot(vector, &other.vector)).collect()
        };
        let mut attacks = cosines(&self.attacks);
        attacks.sort_unstable_by(|a, b| b.total_cmp(a));
        attacks.truncate(NEAREST);
        mean(attacks) - mean(cosines(&self.ordinary))
    }
}

impl Exemplar {
    /// A vector of two hexadecimal digits a number, scaled to length 1.
    fn parse(text: &'static str, digits: &str) -> Self {
        let (bytes, _) = digits.as_bytes().as_chunks::<2>();
        let digit = |c: u8| char::from(c).to_digit(16).unwrap_or_default() as u8;
        let mut vector: Vec<f32> = bytes
            .iter()
            .map(|[high, low]| f32::from((digit(*high) << 4 | digit(*low)).cast_signed()))
            .collect();
        let length = dot(&vector, &vector).sqrt();
        vector.iter_mut().for_each(|x| *x /= length);
        Self { text, vector }
    }
}

fn mean(values: Vec<f32>) -> f32 {
    let n = values.len().max(1) as f32;
    values.into_iter().sum::<f32>() / n
}
