use proptest::prelude::*;

use super::*;
use crate::document::{Contribution, Contributions, Rank, Span};
use crate::vector::Spread;

const EVEN: Fusion = Fusion { dense_weight: 0.5 };

/// Fuses the scores of every passage of a corpus.
fn fuse_all(
    lexical: Option<&[f32]>,
    dense: Option<&[f32]>,
    fusion: Fusion,
    depth: usize,
) -> Vec<Fused> {
    let n = lexical.or(dense).map_or(0, <[f32]>::len);
    let head = Head { n, least: f32::NEG_INFINITY };
    let candidates = Candidates {
        ordinals: (0..n as u32).collect(),
        lexical: lexical.map(|scores| Lexical {
            scores: scores.to_vec(),
            head,
            best: scores.iter().copied().fold(0.0, f32::max),
            known: 1.0,
        }),
        dense: dense.map(|scores| Dense {
            cosines: scores.to_vec(),
            head,
            spread: Spread::of(scores.iter().copied().filter(|cosine| !cosine.is_nan())),
            known: 1.0,
        }),
    };
    fuse(&candidates, fusion, depth)
}

fn order(ranking: &[Fused]) -> Vec<u32> {
    ranking.iter().map(|fused| fused.ordinal).collect()
}

#[test]
fn one_retriever_keeps_its_order_and_drops_chunks_without_a_match() {
    assert_eq!(order(&fuse_all(Some(&[0.0, 2.0, 1.0]), None, EVEN, 10)), [1, 2]);
    assert_eq!(order(&fuse_all(None, Some(&[0.1, f32::NAN, 0.9]), EVEN, 10)), [2, 0]);
    assert!(fuse_all(None, None, EVEN, 10).is_empty());
    assert!(fuse_all(Some(&[]), Some(&[]), EVEN, 10).is_empty());
}

#[test]
fn two_good_scores_beat_one_best_score() {
    let ranking = fuse_all(Some(&[10.0, 8.0, 0.0]), Some(&[0.1, 0.8, 0.9]), EVEN, 10);
    assert_eq!(order(&ranking)[0], 1);
    let Contributions { lexical, dense, .. } = ranking[0].contributions;
    assert_eq!((lexical.unwrap().rank, dense.unwrap().rank), (Rank::At(2), Rank::At(2)));
}

#[test]
fn where_no_term_occurs_the_dense_retriever_decides() {
    let ranking = fuse_all(Some(&[0.0, 0.0]), Some(&[0.2, 0.4]), EVEN, 10);
    assert_eq!(order(&ranking), [1, 0]);
    assert_eq!(ranking[0].contributions.dense.unwrap().weight, 1.0);
    assert_eq!(ranking[0].contributions.lexical, None);
}

/// The weights of both retrievers where the five best lexical passages have this cosine, and the
/// index knows this share of the words.
fn weights(cosine: f32, known: f32) -> (f64, f64) {
    weights_of_known(cosine, known, 1.0)
}

/// As [`weights`], where the model knows this share of the letters.
fn weights_of_known(cosine: f32, known: f32, letters: f32) -> (f64, f64) {
    let n = 200;
    let mut cosines: Vec<f32> = (0..n).map(|i| if i % 2 == 0 { 0.0 } else { 0.2 }).collect();
    cosines[..5].fill(cosine);
    let head = Head { n, least: f32::NEG_INFINITY };
    let candidates = Candidates {
        ordinals: (0..n as u32).collect(),
        lexical: Some(Lexical {
            scores: (0..n).map(|i| if i < 5 { 9.0 - i as f32 } else { 0.0 }).collect(),
            head,
            best: 9.0,
            known,
        }),
        dense: Some(Dense {
            spread: Spread::of(cosines.iter().copied()),
            cosines,
            head,
            known: letters,
        }),
    };
    let ranking = fuse(&candidates, EVEN, n);
    let Contributions { lexical, dense, .. } =
        ranking.iter().find(|fused| fused.ordinal == 0).unwrap().contributions;
    (lexical.unwrap().weight, dense.unwrap().weight)
}

#[test]
fn a_model_that_does_not_see_the_words_gets_less_weight() {
    let (lexical, dense) = weights(0.1, 1.0);
    assert!(lexical == 0.5 && dense < 0.1, "{dense}");
    let (lexical, dense) = weights(0.6, 1.0);
    assert!(lexical == 0.5 && dense > 0.4, "{dense}");
}

#[test]
fn a_model_that_cannot_read_the_letters_has_no_weight() {
    let ((_, all), (_, half)) = (weights(0.6, 1.0), weights_of_known(0.6, 1.0, 0.5));
    assert!((half - all / 2.0).abs() < 1e-9, "{half} of {all}");
    assert_eq!(weights_of_known(0.6, 1.0, 0.0), (0.5, 0.0));
}

#[test]
fn an_index_that_knows_few_of_the_words_gets_less_weight() {
    let (lexical, dense) = weights(0.1, 0.05);
    assert!(lexical < 0.1 && dense > 0.4, "{lexical}, {dense}");
    // Some numbers and names are known: they count, but the vectors decide.
    let (lexical, dense) = weights(0.6, 0.2);
    assert!((0.05..0.1).contains(&lexical) && dense > 0.4, "{lexical}, {dense}");
    // There is no step.
    let (just_below, enough) = (weights(0.6, 0.499).0, weights(0.6, 0.5).0);
    assert!(enough == 0.5 && enough - just_below < 0.003, "{just_below}");
}

#[test]
fn ties_are_never_split() {
    assert_eq!(order(&fuse_all(Some(&[1.0, 2.0, 1.0, 1.0]), None, EVEN, 2)), [1, 0, 2, 3]);
}

#[test]
fn the_best_begin_the_whole_ranking() {
    // Ascending, descending and mixed, with many equal scores.
    for step in [1, 997, 389] {
        let scores: Vec<f32> = (0..997).map(|n| (n * step % 997 / 5) as f32 + 1.0).collect();
        let whole = fuse_all(Some(&scores), None, EVEN, scores.len());
        for depth in [1, 4, 5, 50] {
            let least = whole[depth - 1].score;
            let head =
                whole.iter().take_while(|fused| fused.score >= least).copied().collect::<Vec<_>>();
            assert_eq!(fuse_all(Some(&scores), None, EVEN, depth), head, "{step}, {depth}");
        }
    }
}

/// Fusion reads the heads of both rankings only, and knows no rank outside them.
#[test]
fn a_rank_outside_the_head_is_not_known() {
    let head = |least| Head { n: 2, least };
    let candidates = Candidates {
        ordinals: vec![7, 8, 9],
        lexical: Some(Lexical {
            scores: vec![4.0, 3.0, 0.5],
            head: head(3.0),
            best: 4.0,
            known: 1.0,
        }),
        dense: Some(Dense {
            cosines: vec![0.2, 0.8, 0.8],
            head: head(0.8),
            spread: Spread { n: 1000, mean: 0.1, variance: 0.01 },
            known: 1.0,
        }),
    };
    let mut ranking = fuse(&candidates, EVEN, 10);
    ranking.sort_by_key(|fused| fused.ordinal);
    let ranks = |fused: &Fused| {
        let Contributions { lexical, dense, .. } = fused.contributions;
        (lexical.unwrap().rank, dense.unwrap().rank)
    };
    let expected = [
        (Rank::At(1), Rank::Beyond(2)),
        (Rank::At(2), Rank::At(1)),
        (Rank::Beyond(2), Rank::At(1)),
    ];
    assert_eq!(ranking.iter().map(ranks).collect::<Vec<_>>(), expected);
}

#[test]
fn the_better_of_copies_and_overlaps_is_kept() {
    let candidate = |path: &'static str, start, end, text: &'static str| Candidate {
        document: (0, path),
        bytes: Span::new(start, end),
        text,
    };
    let verdicts = one_per_place(&[
        candidate("a", 0, 100, "one"),
        candidate("a", 80, 180, "two"),
        candidate("a", 40, 140, "three"),
        candidate("b", 0, 100, "one"),
        candidate("b", 0, 100, "four"),
    ]);
    assert_eq!(
        verdicts,
        [Verdict::Kept, Verdict::Kept, Verdict::Overlaps, Verdict::CopyOf(0), Verdict::Kept]
    );
}

#[test]
fn a_rerank_moves_scores_within_their_range() {
    let lexical = Contribution { rank: Rank::At(1), score: 7.0, normalised: 0.8, weight: 1.0 };
    let contributions = Contributions { lexical: Some(lexical), ..Contributions::default() };
    let fused =
        [(0.8, contributions), (0.6, Contributions::default()), (0.4, Contributions::default())];
    let mut candidates = fused;
    blend(&mut candidates, &[0.1, 0.5, 0.3], 0.5);
    let scores = candidates.map(|(score, _)| score);
    // The rerank scores become 0.4, 0.8 and 0.6.
    for (score, expected) in scores.iter().zip([0.6, 0.7, 0.5]) {
        assert!((score - expected).abs() < 1e-12, "{scores:?}");
    }
    let Contributions { lexical, rerank, .. } = candidates[0].1;
    assert_eq!((lexical.unwrap().weight, rerank.unwrap().rank), (0.5, Rank::At(3)));
    assert_eq!(rerank.unwrap().score, 0.1);

    let mut alike = fused;
    blend(&mut alike, &[0.3; 3], 0.5);
    assert_eq!(alike.map(|(score, _)| score), fused.map(|(score, _)| score));
    assert_eq!(alike[0].1.rerank.unwrap().weight, 0.0);
    blend(&mut [], &[], 0.5);
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
        let plain: Vec<usize> = (0..scores.len()).collect();
        let run = |order: &[usize]| {
            let (lexical, dense): (Vec<f32>, Vec<f32>) = order.iter().map(|i| scores[*i]).unzip();
            let ranking = fuse_all(Some(&lexical), Some(&dense), EVEN, scores.len());
            let mut found: Vec<(usize, i64)> = ranking
                .into_iter()
                .map(|fused| (order[fused.ordinal as usize], (fused.score * 1e6).round() as i64))
                .collect();
            found.sort_unstable();
            found
        };
        prop_assert_eq!(run(&plain), run(&shuffled));
    }
}

/// An index that grew has its chunks in another order than one built at once, and the same scores
/// to the last bit.
#[test]
fn the_order_of_the_chunks_changes_no_bit() {
    let cosines: Vec<f32> = (0..97).map(|n| ((n * 37 % 97) as f32).sin() * 0.3 + 0.1).collect();
    let lexical: Vec<f32> =
        (0..97).map(|n| if n % 3 == 0 { (n * 11 % 97) as f32 / 7.0 } else { 0.0 }).collect();
    let scores = |order: &[usize]| {
        let pick = |values: &[f32]| order.iter().map(|&at| values[at]).collect::<Vec<_>>();
        let (lexical, dense) = (pick(&lexical), pick(&cosines));
        let ranking = fuse_all(Some(&lexical), Some(&dense), Fusion { dense_weight: 0.6 }, 97);
        let mut bits: Vec<(usize, u64)> = ranking
            .iter()
            .map(|fused| (order[fused.ordinal as usize], fused.score.to_bits()))
            .collect();
        bits.sort_unstable();
        bits
    };
    let forwards: Vec<usize> = (0..97).collect();
    let good = scores(&forwards);
    for stride in [2, 5, 31, 96] {
        let order: Vec<usize> = (0..97).map(|n| n * stride % 97).collect();
        assert_eq!(scores(&order), good, "{stride}");
    }
}
