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
    /// How far below those of the best window the log-odds of a second one may be.
    pub second_within: f64,
}

/// A sum of trees over named features.
#[derive(Deserialize)]
pub(super) struct Trees {
    #[cfg_attr(not(test), expect(dead_code, reason = "for people, and for the tests"))]
    pub features: Vec<String>,
    /// Added to the sum of the leaves.
    pub base: f64,
    pub trees: Vec<Tree>,
}

/// A node: feature, threshold, child where the value is at most the threshold, child where it is
/// larger, and whether an unknown value goes to the first. A child below zero is the leaf
/// `-1 - child`.
type Node = (usize, f64, i32, i32, bool);

/// One tree; the root is node 0.
#[derive(Deserialize)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    leaves: Vec<f64>,
}

/// The models of this build. A damaged file is found by the tests, as it is part of the program.
pub(super) static LEARNED: LazyLock<Learned> = LazyLock::new(|| {
    serde_json::from_str(include_str!("learned.json")).unwrap_or_else(|_| empty())
});

fn empty() -> Learned {
    let none = || Trees { features: Vec::new(), base: 0.0, trees: Vec::new() };
    Learned { choice: none(), support: none(), least_confidence: 1.0, second_within: 0.0 }
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
            let Some(&(feature, threshold, low, high, unknown_is_low)) = self.nodes.get(node)
            else {
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

#[cfg(test)]
mod tests {
    use super::super::features::{SupportFeatures, WindowFeatures};
    use super::*;

    /// `scripts/train` wrote the file for the features that this program has.
    #[test]
    fn the_models_have_the_features_of_this_program() {
        assert_eq!(LEARNED.choice.features, WindowFeatures::NAMES);
        let names = [SupportFeatures::NAMES, WindowFeatures::NAMES].concat();
        assert_eq!(LEARNED.support.features, names);
        assert!((0.05..0.95).contains(&LEARNED.least_confidence));
        for model in [&LEARNED.choice, &LEARNED.support] {
            assert!(!model.trees.is_empty());
            for tree in &model.trees {
                check_nodes(tree, model.features.len());
            }
        }
    }

    #[track_caller]
    fn check_nodes(tree: &Tree, n_features: usize) {
        assert_eq!(tree.leaves.len(), tree.nodes.len() + 1);
        for (at, node) in tree.nodes.iter().enumerate() {
            assert!(node.0 < n_features && node.1.is_finite());
            for child in [node.2, node.3] {
                let follows = usize::try_from(child).is_ok_and(|child| child > at);
                let is_leaf = usize::try_from(-1 - child).is_ok_and(|at| at < tree.leaves.len());
                assert!(follows || is_leaf, "{node:?}");
            }
        }
    }

    #[test]
    fn values_lead_to_leaves() {
        let tree = Tree {
            nodes: vec![(0, 0.5, -1, 1, false), (1, 2.0, -2, -3, true)],
            leaves: vec![1.0, 10.0, 100.0],
        };
        let trees = Trees { features: Vec::new(), base: 0.25, trees: vec![tree] };
        assert_eq!(trees.sum(&[0.5, 9.0]), 1.25);
        assert_eq!(trees.sum(&[0.6, 2.0]), 10.25);
        assert_eq!(trees.sum(&[0.6, 2.1]), 100.25);
        assert_eq!(trees.sum(&[f64::NAN, f64::NAN]), 10.25, "unknown values take the learnt side");
        let single = Tree { nodes: Vec::new(), leaves: vec![3.0] };
        assert_eq!(single.leaf(&[]), 3.0);
        assert!((probability(0.0) - 0.5).abs() < 1e-12);
    }
}
