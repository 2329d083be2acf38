//! What the learned choice sees of a question, for `scripts/train`.

use serde::Serialize;

use super::evidence::Evidence;
use super::extractive::Ranked;
use super::features::{SupportFeatures, WindowFeatures};
use super::options::{Options, Tools};
use super::question::Question;
use super::spec::AnswerSpec;
use super::window::Measured;
use super::{parts, support};
use crate::error::Result;

/// One question, or one part of it.
#[derive(Serialize)]
pub struct Inspected {
    pub question: String,
    /// Names of the features of a window and of a verdict.
    pub window_features: &'static [&'static str],
    pub support_features: &'static [&'static str],
    /// Texts of the units, as an answer shows them, and the index of their passage.
    pub units: Vec<(usize, String)>,
    /// Paths of the passages, and their lines.
    pub passages: Vec<(String, usize, usize)>,
    pub windows: Vec<InspectedWindow>,
    /// Features of the verdict if the window were chosen, by the best window of each passage; its
    /// score and lead, which depend on the choice, come first.
    pub verdicts: Vec<(usize, Vec<f64>)>,
}

/// One window.
#[derive(Serialize)]
pub struct InspectedWindow {
    /// First unit, and the one after the last.
    pub units: (usize, usize),
    /// Log-odds by the model of this build.
    pub score: f64,
    /// NaN is written as `null`.
    pub features: Vec<f64>,
}

/// Every window of a question's parts, with its features.
///
/// # Errors
/// Whatever [`Tools::similarity`] reports.
pub fn inspect(
    question: &str,
    evidence: &[Evidence],
    tools: &Tools<'_>,
    options: &Options,
) -> Result<Vec<Inspected>> {
    let mut all = Vec::new();
    let questions = parts::questions(question);
    let options = &Options { has_second: questions.len() == 1, ..*options };
    for part in questions {
        let spec = AnswerSpec::of(&part, options);
        let analysed = Question::new(&part, spec.intent.requests(), tools);
        let ranked = Ranked::new(&part, &analysed, &spec, evidence, tools, options)?;
        let Some(ranked) = ranked else { continue };
        let measured = Measured::new(&part, &analysed, &spec, evidence, &ranked.candidates, tools);
        let mut verdicts: Vec<(usize, Vec<f64>)> = Vec::new();
        for source in 0..evidence.len() {
            let is_of = |at: &usize| ranked.windows[*at].source == source;
            let Some(best) = ranked.order().into_iter().find(is_of) else { continue };
            let choice = ranked.choice(best);
            let features = support::features(
                &part,
                &analysed,
                &spec,
                &ranked.candidates,
                &measured,
                tools,
                &choice,
            );
            verdicts.push((source, features.values()));
        }
        all.push(Inspected {
            window_features: WindowFeatures::NAMES,
            support_features: SupportFeatures::NAMES,
            units: ranked.candidates.iter().map(|unit| (unit.source, unit.text.clone())).collect(),
            passages: evidence
                .iter()
                .map(|piece| {
                    let lines = piece.hit.chunk.lines;
                    (piece.hit.path.to_string(), lines.first, lines.last)
                })
                .collect(),
            windows: (0..ranked.windows.len())
                .map(|at| InspectedWindow {
                    units: (ranked.windows[at].units.start, ranked.windows[at].units.end),
                    score: ranked.scores[at],
                    features: ranked.features[at].values(),
                })
                .collect(),
            verdicts,
            question: part,
        });
    }
    Ok(all)
}
