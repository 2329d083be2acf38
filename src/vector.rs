//! Embedding vectors and their inner product.

use crate::error::{Fault, Result};

/// The embedding of a text: finite, never empty, of length 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector(Vec<f32>);

impl Vector {
    /// # Errors
    /// When `values` are empty or not finite: a model that yields such a vector is broken.
    pub fn new(values: Vec<f32>) -> Result<Self> {
        if values.is_empty() || !values.iter().all(|x| x.is_finite()) {
            return Err(Fault::damaged("the model gave a vector that is not finite"));
        }
        Ok(Self(values))
    }

    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    pub fn dimension(&self) -> usize {
        self.0.len()
    }

    /// Little-endian bytes, as stored in the cache.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    /// The vector in `bytes`; `None` when they are not `dimension` finite numbers.
    pub fn from_bytes(bytes: &[u8], dimension: usize) -> Option<Self> {
        if bytes.len() != dimension * 4 {
            return None;
        }
        let (numbers, _) = bytes.as_chunks::<4>();
        Self::new(numbers.iter().copied().map(f32::from_le_bytes).collect()).ok()
    }
}

/// The cosines between a query and a set of passages, in three numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Number of passages.
    pub n: u64,
    pub mean: f64,
    pub variance: f64,
}

impl Spread {
    /// That of `cosines`, each 0 for an empty set.
    pub fn of(cosines: impl Iterator<Item = f32>) -> Self {
        let mut moments = Moments::default();
        cosines.for_each(|cosine| moments.add(cosine));
        moments.spread()
    }
}

/// Sums of cosines in whole multiples of 2⁻⁴⁰, so they do not depend on the order, which is the
/// order of the index's history, nor on which thread adds what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moments {
    n: u64,
    sum: i128,
    squares: i128,
}

impl Moments {
    const ONE: f64 = (1u64 << 40) as f64;

    pub fn add(&mut self, cosine: f32) {
        const LARGEST: f64 = 1024.0;
        // Fewer than 2⁵¹.
        let steps = f64::from(cosine).clamp(-LARGEST, LARGEST) * Self::ONE;
        // Rounded: a cast truncates, and `f64::round` is a call into the C library.
        let steps = (steps + 0.5f64.copysign(steps)) as i64;
        self.n += 1;
        self.sum += i128::from(steps);
        self.squares += i128::from(steps) * i128::from(steps);
    }

    /// Adds what another one has summed.
    pub fn merge(&mut self, other: Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    pub fn spread(&self) -> Spread {
        let count = self.n.max(1) as f64;
        let mean = self.sum as f64 / Self::ONE / count;
        let squares = self.squares as f64 / Self::ONE / Self::ONE / count;
        Spread { n: self.n, mean, variance: (squares - mean * mean).max(0.0) }
    }
}

/// Inner product; the cosine when both are unit vectors.
///
/// Sixteen running sums let the compiler use vector registers without reordering a float sum, so
/// the result is the same on every run. `a` and `b` must have the same length.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    debug_assert_eq!(a.len(), b.len(), "vectors of one model have one dimension");
    let mut sums = [0.0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + tail
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_round_trip(values in proptest::collection::vec(-1e6f32..1e6, 1..64)) {
            let vector = Vector::new(values).unwrap();
            let read = Vector::from_bytes(&vector.to_bytes(), vector.dimension());
            prop_assert_eq!(read, Some(vector));
        }

        #[test]
        fn dot_is_close_to_the_naive_sum(
            pairs in proptest::collection::vec((-1f32..1.0, -1f32..1.0), 1..500),
        ) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
            let naive: f64 = pairs.iter().map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            prop_assert!((f64::from(dot(&a, &b)) - naive).abs() < 1e-3);
        }
    }

    #[test]
    fn invalid_vectors_are_refused() {
        assert!(Vector::new(vec![]).is_err());
        assert!(Vector::new(vec![0.5, f32::NAN]).is_err());
        assert!(Vector::from_bytes(&[0; 7], 2).is_none());
        assert!(Vector::from_bytes(&f32::INFINITY.to_le_bytes(), 1).is_none());
    }
}
