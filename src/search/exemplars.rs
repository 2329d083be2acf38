//! How near a question is to known attacks on language models, by the vectors of exemplars.
//!
//! The vectors by the model that comes with the program are in the table, so that no text but the
//! question is embedded. Another model has none, and patterns alone decide a risk.

use std::sync::LazyLock;

use crate::strings::table_lines;
use crate::vector::dot;

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

/// How many of the nearest attacks count, so that one odd exemplar decides nothing.
const NEAREST: usize = 3;

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
        for line in table_lines(table) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exemplars_are_near_attacks_and_not_ordinary_questions() {
        let exemplars = LazyLock::force(&EXEMPLARS);
        let n_near = |some: &[Exemplar]| {
            some.iter().filter(|exemplar| exemplars.nearness(&exemplar.vector) > 0.5).count()
        };
        assert_eq!((exemplars.attacks.len(), exemplars.ordinary.len()), (16, 16));
        assert!(n_near(&exemplars.attacks) >= 14, "{} of 16 attacks", n_near(&exemplars.attacks));
        assert_eq!(n_near(&exemplars.ordinary), 0);
    }
}
