//! Measures of one ranking, from the grades of what it lists.

/// Names of the measures, in the order of `Measures`.
pub const NAMES: [&str; 6] =
    ["ndcg@10", "recall@1", "recall@3", "recall@10", "recall@100", "mrr@10"];

/// Measures that are compared between rankings.
pub const COMPARED: [&str; 4] = ["ndcg@10", "recall@10", "recall@100", "mrr@10"];

/// The values of [`NAMES`] for one question.
pub type Measures = [f64; 6];

/// Measures of a ranking. `grades` are those of its entries, where 0 means not relevant; `ideal`
/// those of everything relevant.
pub fn of(grades: &[u32], ideal: &[u32]) -> Measures {
    let recall = |k| recall_at(grades, ideal, k);
    [
        ndcg_at(grades, ideal, 10),
        recall(1),
        recall(3),
        recall(10),
        recall(100),
        first_at(grades, 10).map_or(0.0, |rank| 1.0 / rank as f64),
    ]
}

/// Normalized discounted cumulative gain with linear gains and a base-2 discount (Järvelin and
/// Kekäläinen 2002; as in `trec_eval`).
fn ndcg_at(grades: &[u32], ideal: &[u32], k: usize) -> f64 {
    let discounted = |grades: &[u32]| -> f64 {
        let gain = |(i, grade): (usize, &u32)| f64::from(*grade) / (i as f64 + 2.0).log2();
        grades.iter().take(k).enumerate().map(gain).sum()
    };
    let mut ideal = ideal.to_vec();
    ideal.sort_unstable_by(|a, b| b.cmp(a));
    discounted(grades) / discounted(&ideal)
}

fn recall_at(grades: &[u32], ideal: &[u32], k: usize) -> f64 {
    let n_relevant = |grades: &[u32]| grades.iter().filter(|grade| **grade > 0).count() as f64;
    n_relevant(&grades[..grades.len().min(k)]) / n_relevant(ideal)
}

/// The rank of the first relevant entry among the first `k`.
pub fn first_at(grades: &[u32], k: usize) -> Option<usize> {
    grades.iter().take(k).position(|grade| *grade > 0).map(|i| i + 1)
}

/// The value below which a share of `sorted` values is (nearest rank).
pub fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_match_values_computed_by_hand() {
        let ideal = [1, 1, 0];
        assert!((ndcg_at(&[1, 1], &ideal, 10) - 1.0).abs() < 1e-12);
        // Only one, at rank 3: (1 / log2 4) / (1 / log2 2 + 1 / log2 3).
        let expected = 0.5 / (1.0 + 1.0 / 3f64.log2());
        assert!((ndcg_at(&[0, 0, 1], &ideal, 10) - expected).abs() < 1e-12);
        assert_eq!(ndcg_at(&[0, 1], &ideal, 1), 0.0);
        assert_eq!(recall_at(&[1, 0], &ideal, 100), 0.5);
        assert_eq!(of(&[0, 1], &ideal)[5], 0.5);
        assert_eq!(of(&[], &ideal), [0.0; 6]);
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 50), 3.0);
        assert_eq!(percentile(&[1.0], 99), 1.0);
    }
}
