//! Boosted decision trees, as `scripts/train` writes them.

use std::sync::LazyLock;

use serde::Deserialize;

/// The learned choice and the learned support, with where they come from.
#[derive(Deserialize)]
pub(super) struct Learned {
    /// Log-odds that a window holds the answer.
    pub choice: Trees,
    /// Log-odds that the evidence supports an answer.
    pub support: Trees,
    /// Least probability of support with which an answer is given.
    pub least_confidence: f64,
}

/// A sum of trees over named features.
#[derive(Deserialize)]
pub(super) struct Trees {
    pub features: Vec<String>,
    /// Added to the sum of the leaves.
    pub base: f64,
    pub trees: Vec<Tree>,
}

/// One tree; the root is node 0.
#[derive(Deserialize)]
pub(super) struct Tree {
    /// Feature, threshold, child where the value is at most the threshold, child where it is
    /// larger, and whether an unknown value goes to the first. A child below zero is the leaf
    /// `-1 - child`.
    nodes: Vec<(usize, f64, i32, i32, bool)>,
    leaves: Vec<f64>,
}

/// The models of this build. A damaged file is found by the tests, as it is part of the program.
pub(super) static LEARNED: LazyLock<Learned> =
    LazyLock::new(|| serde_json::from_str(include_str!("learned.json")).unwrap_or_else(|_| empty()));

fn empty() -> Learned {
    let none = || Trees { features: Vec::new(), base: 0.0, trees: Vec::new() };
    Learned { choice: none(), support: none(), least_confidence: 1.0 }
}

impl Trees {
    /// The sum of the leaves that `values`, in the order of the features, lead to.
    pub fn sum(&self, values: &[f64]) -> f64 {
        self.base + self.trees.iter().map(|tree| tree.leaf(values)).sum::<f64>()
    }
}

impl Tree {
    fn leaf(&self, values: &[f64]) -> f64 {
        let mut at = 0_i32;
        // A child follows its parent, so a path is not longer than the list of nodes.
        for _ in 0..=self.nodes.len() {
            let Ok(node) = usize::try_from(at) else { break };
            let Some(&(feature, threshold, low, high, unknown_is_low)) = self.nodes.get(node) else {
                break;
            };
            let value = values.get(feature).copied().unwrap_or(f64::NAN);
            let is_low = if value.is_nan() { unknown_is_low } else { value <= threshold };
            at = if is_low { low } else { high };
        }
        // A tree without nodes has one leaf.
        let leaf = if at < 0 { usize::try_from(-1 - at) } else { Ok(0) };
        leaf.ok().and_then(|leaf| self.leaves.get(leaf)).copied().unwrap_or(0.0)
    }
}

/// The probability of log-odds.
pub(super) fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}
