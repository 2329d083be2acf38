//! How likely it is that a text tries to instruct a language model, and why.
//!
//! A risk is shown, logged and counted; it changes no ranking and no answer. Its reasons are the
//! injections that patterns find and, for questions, nearness to known attacks, which `search`
//! measures. Passages are judged by patterns alone: one sentence hardly moves the vector of a
//! passage, so nearness adds nothing there (`scripts/bench risk`).

use super::injections::{InjectionKind, injections};

/// Nearness from which a question is at risk. Chosen on the training part of BIPIA; `scripts/bench
/// risk` reports its test part and ordinary questions.
const NEAR: f32 = 0.5;
/// Nearness that needs no pattern to be more than a low risk.
const VERY_NEAR: f32 = 0.8;

/// A risk, from its reasons.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Risk {
    /// Each kind once.
    pub kinds: Vec<InjectionKind>,
    /// How near the vector of a question is to attacks: about 0 for an ordinary question, 1 for an
    /// attack; `None` where it was not computed.
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
