//! Vectors: equal to those of the reference implementation, and a function of the text alone.

use rag::model::{Embedder, EmbeddingRole, Library, ModelFiles, Network, Runtime, Tokenizer};
use rag::vector::dot;
use serde::Deserialize;

use crate::support::project_data;

#[derive(Deserialize)]
struct Golden {
    texts: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    text: String,
    vector: Vec<f32>,
}

/// Computed by sentence-transformers from the original weights.
fn golden() -> Vec<Expected> {
    let golden: Golden = serde_json::from_str(include_str!("golden/minilm.json")).unwrap();
    assert!(golden.texts.len() >= 14);
    golden.texts
}

fn files(name: &str) -> ModelFiles {
    ModelFiles::open(&project_data().join("models").join(name), name).unwrap()
}

fn library() -> Library {
    Library::trusted(&project_data().join("runtime/libonnxruntime.so"))
}

fn embedder(name: &str) -> Embedder {
    Embedder::load(files(name), &library()).unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn fp32_vectors_equal_the_reference() {
    let mut embedder = embedder("all-MiniLM-L6-v2-fp32");
    for expected in golden() {
        let vector = embedder.embed(EmbeddingRole::Passage, &expected.text).unwrap();
        let distance = 1.0 - f64::from(dot(vector.as_slice(), &expected.vector));
        assert!(distance.abs() < 1e-5, "{distance} for {:?}", expected.text);
        let worst = vector
            .as_slice()
            .iter()
            .zip(&expected.vector)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(worst < 1e-4, "{worst} for {:?}", expected.text);
    }
}

#[test]
fn int8_vectors_are_close_to_fp32() {
    let mut embedder = embedder("all-MiniLM-L6-v2");
    let golden = golden();
    let cosines: Vec<f64> = golden
        .iter()
        .map(|expected| {
            let vector = embedder.embed(EmbeddingRole::Passage, &expected.text).unwrap();
            f64::from(dot(vector.as_slice(), &expected.vector))
        })
        .collect();
    let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
    assert!(mean > 0.98, "{mean}: {cosines:?}");
    assert!(cosines.iter().all(|cosine| *cosine > 0.9), "{cosines:?}");
}

#[test]
fn every_vector_has_unit_length() {
    let mut embedder = embedder("all-MiniLM-L6-v2");
    for expected in golden() {
        let vector = embedder.embed(EmbeddingRole::Query, &expected.text).unwrap();
        let length: f64 =
            vector.as_slice().iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        assert!((length - 1.0).abs() < 1e-6, "{length} for {:?}", expected.text);
    }
}

/// The cache is keyed by the text, so nothing else may change a vector.
#[test]
fn an_int8_vector_does_not_depend_on_earlier_texts() {
    let golden = golden();
    // Each by a network that has embedded nothing before.
    let alone = |expected: &Expected| {
        let mut fresh = embedder("all-MiniLM-L6-v2");
        bits(fresh.embed(EmbeddingRole::Passage, &expected.text).unwrap().as_slice())
    };
    let alone: Vec<Vec<u32>> = golden.iter().map(alone).collect();
    let mut embedder = embedder("all-MiniLM-L6-v2");
    let orders = [
        (0..golden.len()).collect::<Vec<_>>(),
        (0..golden.len()).rev().collect(),
        vec![2, 9, 2, 0, 2, 1, 1],
    ];
    for order in orders {
        for i in order {
            let vector = embedder.embed(EmbeddingRole::Passage, &golden[i].text).unwrap();
            assert_eq!(bits(vector.as_slice()), alone[i], "{:?}", golden[i].text);
        }
    }
}

/// The vectors of all texts, computed by one network from the text `first` on.
fn embed_from(
    golden: &[Expected],
    files: &ModelFiles,
    tokenizer: &Tokenizer,
    first: usize,
) -> Vec<Vec<u32>> {
    let mut network = Network::load(&Runtime::load(&library()).unwrap(), files).unwrap();
    let n = golden.len();
    let mut vectors = vec![Vec::new(); n];
    for i in (0..n).map(|i| (first + i) % n) {
        let text = &golden[i].text;
        let vector = network.embed(tokenizer, &files.spec, EmbeddingRole::Passage, text).unwrap();
        vectors[i] = bits(vector.as_slice());
    }
    vectors
}

#[test]
fn an_int8_vector_does_not_depend_on_its_thread() {
    let (golden, files) = (golden(), files("all-MiniLM-L6-v2"));
    let tokenizer = Tokenizer::load(&files).unwrap();
    let (golden, files, tokenizer) = (&golden, &files, &tokenizer);
    let of_thread = |first: usize| embed_from(golden, files, tokenizer, first);
    let all: Vec<Vec<Vec<u32>>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|first| scope.spawn(move || of_thread(first * 3))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
}

/// The model's file asks for 128 tokens with padding; its window is 256, and padding would change
/// an int8 vector.
#[test]
fn a_text_is_truncated_at_the_model_window() {
    let files = files("all-MiniLM-L6-v2");
    let tokenizer = Tokenizer::load(&files).unwrap();
    let words = |n: usize| vec!["river"; n].join(" ");
    let (special, window) = (tokenizer.special(), files.spec.max_tokens);
    assert_eq!((special, window), (2, 256));
    let length = |n: usize| tokenizer.encode(&words(n), window).len();
    assert_eq!(
        [length(1), length(200), length(254), length(255), length(9999)],
        [3, 202, 256, 256, 256]
    );
    let (whole, cut) =
        (tokenizer.encode(&words(254), window), tokenizer.encode(&words(9999), window));
    assert_eq!(whole, cut, "a cut text keeps its closing token");
}
