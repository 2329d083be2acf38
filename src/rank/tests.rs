use proptest::prelude::*;

use super::*;
use crate::document::Span;

const EVEN: Fusion = Fusion { dense_weight: 0.5 };

fn order(ranking: &[Fused]) -> Vec<u32> {
    ranking.iter().map(|fused| fused.ordinal).collect()
}

#[test]
fn one_leg_alone_keeps_its_order_and_drops_what_does_not_match() {
    assert_eq!(order(&fuse(Some(&[0.0, 2.0, 1.0]), None, EVEN, 10)), [1, 2]);
    assert_eq!(order(&fuse(None, Some(&[0.1, f32::NAN, 0.9]), EVEN, 10)), [2, 0]);
    assert!(fuse(None, None, EVEN, 10).is_empty());
    assert!(fuse(Some(&[]), Some(&[]), EVEN, 10).is_empty());
}

#[test]
fn a_chunk_that_both_legs_like_beats_one_that_one_leg_loves() {
    let ranking = fuse(Some(&[10.0, 8.0, 0.0]), Some(&[0.1, 0.8, 0.9]), EVEN, 10);
    assert_eq!(order(&ranking)[0], 1);
    let legs = ranking[0].legs;
    assert_eq!((legs.lexical.unwrap().rank, legs.dense.unwrap().rank), (2, 2));
}

#[test]
fn where_no_term_occurs_the_dense_leg_speaks_alone() {
    let ranking = fuse(Some(&[0.0, 0.0]), Some(&[0.2, 0.4]), EVEN, 10);
    assert_eq!(order(&ranking), [1, 0]);
    assert_eq!(ranking[0].legs.dense.unwrap().weight, 1.0);
    assert_eq!(ranking[0].legs.lexical, None);
}

#[test]
fn ties_are_never_cut_apart() {
    assert_eq!(order(&fuse(Some(&[1.0, 2.0, 1.0, 1.0]), None, EVEN, 2)), [1, 0, 2, 3]);
}

#[test]
fn copies_and_overlaps_give_way_to_the_better_passage() {
    let candidate = |path: &'static str, start, end, text: &'static str| Candidate {
        document: (0, path),
        bytes: Span::new(start, end),
        text,
    };
    let places = one_per_place(&[
        candidate("a", 0, 100, "one"),
        candidate("a", 80, 180, "two"),
        candidate("a", 40, 140, "three"),
        candidate("b", 0, 100, "one"),
        candidate("b", 0, 100, "four"),
    ]);
    assert_eq!(places, [Place::Kept, Place::Kept, Place::Overlaps, Place::CopyOf(0), Place::Kept]);
}

proptest! {
    /// Shuffling the chunks shuffles the ranking with them and changes nothing else.
    #[test]
    fn fusion_does_not_depend_on_the_order_of_its_input(
        scores in proptest::collection::vec((0f32..20.0, -1f32..1.0), 1..60),
        seed in any::<u64>(),
    ) {
        let mut shuffled: Vec<usize> = (0..scores.len()).collect();
        shuffled.sort_by_key(|i| (*i as u64).wrapping_mul(seed | 1).rotate_left(17));
        let legs = |order: &[usize]| -> (Vec<f32>, Vec<f32>) { order.iter().map(|i| scores[*i]).unzip() };
        let plain: Vec<usize> = (0..scores.len()).collect();
        let run = |order: &[usize]| {
            let (lexical, dense) = legs(order);
            let mut found: Vec<(usize, i64)> = fuse(Some(&lexical), Some(&dense), EVEN, scores.len())
                .into_iter()
                .map(|fused| (order[fused.ordinal as usize], (fused.score * 1e6).round() as i64))
                .collect();
            found.sort_unstable();
            found
        };
        prop_assert_eq!(run(&plain), run(&shuffled));
    }
}
