//! Confidence intervals and paired tests. The same values give the same figures: the random numbers
//! begin with a fixed seed.
//!
//! Values come in strata, one for each set of questions. Every set counts the same, whatever its
//! number of questions, and questions are drawn within their set.

const SEED: u64 = 20_260_301;
/// Resamples for an interval. The bounds of repeated runs differ by less than a twentieth of the
/// interval's width.
const RESAMPLES: usize = 2_000;
/// Sign changes for a test. The smallest p is one in as many.
const PERMUTATIONS: usize = 10_000;

/// A mean and its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

/// The mean of `strata`, with a bootstrap interval (percentiles). `None` without values.
pub fn estimate(strata: &[Vec<f64>]) -> Option<Estimate> {
    let strata: Vec<&Vec<f64>> = strata.iter().filter(|values| !values.is_empty()).collect();
    if strata.is_empty() {
        return None;
    }
    let n_strata = strata.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let mut random = Random(SEED);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let of_stratum = |values: &&Vec<f64>| {
                let drawn = (0..values.len()).map(|_| values[random.below(values.len())]);
                drawn.sum::<f64>() / values.len() as f64
            };
            strata.iter().map(of_stratum).sum::<f64>() / n_strata
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[(share * (RESAMPLES - 1) as f64).round() as usize];
    let mean = strata.iter().map(|values| mean(values)).sum::<f64>() / n_strata;
    Some(Estimate { mean, low: at(0.025), high: at(0.975) })
}

/// The probability of a mean at least as far from 0 as that of `strata`, if each of the paired
/// differences could as well have the other sign (Fisher's randomization test, two-sided).
pub fn p_value(strata: &[Vec<f64>]) -> f64 {
    let weighted = strata.iter().flat_map(|values| {
        let weight = 1.0 / values.len().max(1) as f64;
        values.iter().map(move |value| value * weight)
    });
    // Equal values change nothing.
    let differences: Vec<f64> = weighted.filter(|difference| *difference != 0.0).collect();
    let observed = differences.iter().sum::<f64>().abs();
    // Sums in another order may differ in their last bits.
    let tolerance = 1e-12 * differences.iter().map(|d| d.abs()).sum::<f64>();
    let mut random = Random(SEED);
    let is_as_far = |_: &usize| {
        let (mut sum, mut signs) = (0.0, 0);
        for (i, difference) in differences.iter().enumerate() {
            if i % 64 == 0 {
                signs = random.next();
            }
            sum += if signs >> (i % 64) & 1 == 0 { *difference } else { -difference };
        }
        sum.abs() + tolerance >= observed
    };
    let n = (0..PERMUTATIONS).filter(is_as_far).count();
    (n + 1) as f64 / (PERMUTATIONS + 1) as f64
}

/// Numbers that look random: `SplitMix64` (Steele, Lea and Flood 2014).
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        let product = u128::from(self.next()) * n as u128;
        (product >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_hold_the_mean_and_shrink_with_more_values() {
        let values = |n: usize| (0..n).map(|i| (i % 2) as f64).collect::<Vec<_>>();
        let (few, many) = (estimate(&[values(20)]).unwrap(), estimate(&[values(2000)]).unwrap());
        assert_eq!((few.mean, many.mean), (0.5, 0.5));
        assert!(few.low < 0.5 && few.high > 0.5);
        assert!(many.high - many.low < (few.high - few.low) / 5.0, "{few:?} {many:?}");
        // The normal approximation: 1.96 · 0.5 / √2000.
        assert!((many.high - 0.5 - 0.0219).abs() < 0.003, "{many:?}");
        assert_eq!(estimate(&[values(20)]), Some(few), "the same values give the same interval");
        assert_eq!(estimate(&[Vec::new()]), None);
    }

    #[test]
    fn every_set_counts_the_same() {
        let estimate = estimate(&[vec![1.0; 10], vec![0.0; 1000]]).unwrap();
        assert_eq!(estimate, Estimate { mean: 0.5, low: 0.5, high: 0.5 });
    }

    #[test]
    fn p_is_that_of_the_exact_test() {
        // Five differences of one sign: 2 of 32 sign changes are as far from 0.
        let p = p_value(&[vec![1.0; 5]]);
        assert!((p - 2.0 / 32.0).abs() < 0.01, "{p}");
        assert_eq!(p_value(&[vec![0.0; 50]]), 1.0);
        assert!(p_value(&[vec![0.3; 40]]) < 0.001);
        // 3 up, 2 down: |sum| ≥ 1 always.
        assert_eq!(p_value(&[vec![1.0, 1.0, 1.0, -1.0, -1.0]]), 1.0);
    }
}
