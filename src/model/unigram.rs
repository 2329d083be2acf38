//! A Unigram vocabulary that is searched in place, without parsing.
//!
//! The vocabulary of the XLM-R family has 250,000 pieces. Parsing them out of `tokenizer.json`
//! takes the crate 0.8 s, more than the rest of a search. `vocabulary.trie` beside it is read
//! without parsing. It is made once: here when a model is added, by `scripts/model/e5.py` for the
//! model of `scripts/setup`.
//!
//! The file is little-endian: [`MAGIC`]; four `u32`: the bytes of the shell, the number of pieces,
//! the number of nodes, the id of the unknown token; the shell, which is `tokenizer.json` with no
//! piece, padded with spaces to a multiple of 8; the score of each piece, `f64`; the first child of
//! each node and of one more, `u32`; the piece of each node or [`NO_PIECE`], `u32`; the label of
//! each node, a byte. Node 0 is the root, nodes are in order of depth, and the children of a node
//! are adjacent and in order of label.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokenizers::models::unigram::UnigramTrainer;
use tokenizers::{
    DecoderWrapper, Model, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, Token,
    TokenizerImpl,
};

/// The file's name, below a model's folder.
pub(super) const FILE: &str = "vocabulary.trie";

const MAGIC: &[u8; 8] = b"ragtrie1";
const HEAD_BYTES: usize = 24;
const NO_PIECE: u32 = u32::MAX;

/// What the crate subtracts from the lowest score for an unknown character.
const UNKNOWN_PENALTY: f64 = 10.0;

/// A tokenizer whose vocabulary is a [`Trie`].
pub(super) type UnigramTokenizer = TokenizerImpl<
    Trie,
    NormalizerWrapper,
    PreTokenizerWrapper,
    PostProcessorWrapper,
    DecoderWrapper,
>;

/// The file's content for a `tokenizer.json`; `None` for one of another kind.
pub(super) fn trie_of(tokenizer: &[u8]) -> Option<Vec<u8>> {
    let mut shell: Value = serde_json::from_slice(tokenizer).ok()?;
    let model = shell.get_mut("model")?;
    // Pieces for single bytes have a rule of their own, and only small vocabularies.
    if model["type"] != "Unigram" || model["byte_fallback"] == true {
        return None;
    }
    let unknown = u32::try_from(model["unk_id"].as_u64()?).ok()?;
    let vocabulary: Vec<(String, f64)> = serde_json::from_value(model["vocab"].take()).ok()?;
    // Without an unknown token, the crate accepts an empty vocabulary.
    *model = json!({ "type": "Unigram", "unk_id": null, "vocab": [], "byte_fallback": false });
    let mut shell = serde_json::to_vec(&shell).ok()?;
    shell.resize(shell.len().next_multiple_of(8), b' ');

    let nodes = Nodes::of(&vocabulary);
    let mut bytes = MAGIC.to_vec();
    for number in [shell.len(), vocabulary.len(), nodes.labels.len(), unknown as usize] {
        bytes.extend(u32::try_from(number).ok()?.to_le_bytes());
    }
    bytes.extend(shell);
    bytes.extend(vocabulary.iter().flat_map(|(_, score)| score.to_le_bytes()));
    bytes.extend(nodes.first_child.iter().chain(&nodes.pieces).flat_map(|n| n.to_le_bytes()));
    bytes.extend(nodes.labels);
    Some(bytes)
}

struct Nodes {
    first_child: Vec<u32>,
    pieces: Vec<u32>,
    labels: Vec<u8>,
}

impl Nodes {
    fn of(vocabulary: &[(String, f64)]) -> Self {
        // The last piece of a spelling counts, as in the crate.
        let keys: std::collections::BTreeMap<&[u8], u32> =
            vocabulary.iter().zip(0..).map(|((piece, _), id)| (piece.as_bytes(), id)).collect();
        let keys: Vec<(&[u8], u32)> = keys.into_iter().filter(|(key, _)| !key.is_empty()).collect();
        let mut nodes = Self { first_child: Vec::new(), pieces: Vec::new(), labels: vec![0] };
        let mut level = vec![0..keys.len()];
        for depth in 0.. {
            let mut below = Vec::new();
            for range in &level {
                nodes.add(&keys[range.clone()], depth, range.start, &mut below);
            }
            if below.is_empty() {
                break;
            }
            level = below;
        }
        nodes.first_child.push(nodes.labels.len() as u32);
        nodes
    }

    /// Adds the node of the keys with one prefix of `depth` bytes, and to `below` the ranges of its
    /// children. `start` is the place of the first key.
    fn add(
        &mut self,
        keys: &[(&[u8], u32)],
        depth: usize,
        start: usize,
        below: &mut Vec<Range<usize>>,
    ) {
        let own = keys.first().filter(|(key, _)| key.len() == depth);
        self.pieces.push(own.map_or(NO_PIECE, |(_, id)| *id));
        self.first_child.push(self.labels.len() as u32);
        let mut at = usize::from(own.is_some());
        for child in keys[at..].chunk_by(|(a, _), (b, _)| a[depth] == b[depth]) {
            self.labels.push(child[0].0[depth]);
            below.push(start + at..start + at + child.len());
            at += child.len();
        }
    }
}

/// Opens the content of the file.
///
/// # Errors
/// When the file is not one of this format, or the crate refuses the shell.
pub(super) fn open(bytes: Vec<u8>) -> tokenizers::Result<UnigramTokenizer> {
    let trie = Trie::new(bytes).ok_or("it is not a vocabulary")?;
    let shell =
        tokenizers::Tokenizer::from_bytes(trie.bytes.get(trie.shell.clone()).unwrap_or(&[]))?;
    // The shell has given them other ids, having no pieces.
    let mut added: Vec<_> = shell.get_added_tokens_decoder().into_iter().collect();
    added.sort_by_key(|(id, _)| *id);
    let added: Vec<_> = added.into_iter().map(|(_, token)| token).collect();
    let mut tokenizer = UnigramTokenizer::new(trie);
    tokenizer.with_normalizer(shell.get_normalizer().cloned());
    tokenizer.with_pre_tokenizer(shell.get_pre_tokenizer().cloned());
    tokenizer.with_post_processor(shell.get_post_processor().cloned());
    tokenizer.add_tokens(&added);
    Ok(tokenizer)
}

/// The vocabulary, in the bytes of its file.
pub(super) struct Trie {
    bytes: Vec<u8>,
    shell: Range<usize>,
    scores: usize,
    first_child: usize,
    pieces: usize,
    labels: usize,
    n_pieces: usize,
    unknown: u32,
    unknown_score: f64,
}

/// The best way to cut a text up to some byte.
#[derive(Clone, Copy)]
struct Best {
    score: f64,
    /// Where the last piece begins; `None` when no way is known.
    start: Option<usize>,
    id: u32,
}

impl Trie {
    fn new(bytes: Vec<u8>) -> Option<Self> {
        if !bytes.starts_with(MAGIC) {
            return None;
        }
        let head = |n: usize| Some(u32_at(&bytes, MAGIC.len(), n)? as usize);
        let (shell, n_pieces, n_nodes) = (head(0)?, head(1)?, head(2)?);
        let unknown = u32_at(&bytes, MAGIC.len(), 3)?;
        let scores = HEAD_BYTES.checked_add(shell)?;
        let first_child = scores.checked_add(n_pieces.checked_mul(8)?)?;
        let pieces = first_child.checked_add(n_nodes.checked_add(1)?.checked_mul(4)?)?;
        let labels = pieces.checked_add(n_nodes.checked_mul(4)?)?;
        if labels.checked_add(n_nodes)? != bytes.len() || unknown as usize >= n_pieces {
            return None;
        }
        let (stored, _) = bytes[scores..first_child].as_chunks::<8>();
        let lowest =
            stored.iter().map(|score| f64::from_le_bytes(*score)).fold(f64::INFINITY, f64::min);
        Some(Self {
            shell: HEAD_BYTES..scores,
            unknown_score: lowest - UNKNOWN_PENALTY,
            bytes,
            scores,
            first_child,
            pieces,
            labels,
            n_pieces,
            unknown,
        })
    }

    fn score(&self, id: u32) -> f64 {
        let at = self.scores + id as usize * 8;
        let bytes = self.bytes[..self.first_child].get(at..).and_then(<[u8]>::first_chunk);
        bytes.map_or(f64::NEG_INFINITY, |bytes| f64::from_le_bytes(*bytes))
    }

    fn child(&self, node: usize, label: u8) -> Option<usize> {
        let first = u32_at(&self.bytes, self.first_child, node)? as usize;
        let last = u32_at(&self.bytes, self.first_child, node + 1)? as usize;
        let labels = self.bytes.get(self.labels + first..self.labels + last)?;
        Some(first + labels.binary_search(&label).ok()?)
    }

    /// The piece that ends at a node.
    fn piece(&self, node: usize) -> Option<u32> {
        u32_at(&self.bytes, self.pieces, node).filter(|id| *id != NO_PIECE)
    }

    fn find(&self, text: &str) -> Option<u32> {
        self.piece(text.bytes().try_fold(0, |node, label| self.child(node, label))?)
    }

    /// The pieces that `text` begins with, and their lengths.
    fn prefixes<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (usize, u32)> + 'a {
        let walk = text.iter().scan(0, move |node, label| {
            *node = self.child(*node, *label)?;
            Some(*node)
        });
        walk.zip(1..).filter_map(move |(node, length)| Some((length, self.piece(node)?)))
    }

    /// The best cut of `text` up to each of its bytes.
    fn best_paths(&self, text: &str) -> Vec<Best> {
        let mut best = vec![Best { score: 0.0, start: None, id: 0 }; text.len() + 1];
        for (start, character) in text.char_indices() {
            let mut is_known = false;
            for (length, id) in self.prefixes(&text.as_bytes()[start..]) {
                is_known |= length == character.len_utf8();
                reach(&mut best, start, start + length, id, self.score(id));
            }
            if !is_known {
                let end = start + character.len_utf8();
                reach(&mut best, start, end, self.unknown, self.unknown_score);
            }
        }
        best
    }
}

/// Records the way to `end` by the piece `id` from `start`, if it is the best so far.
fn reach(best: &mut [Best], start: usize, end: usize, id: u32, score: f64) {
    let score = best[start].score + score;
    if best[end].start.is_none() || score > best[end].score {
        best[end] = Best { score, start: Some(start), id };
    }
}

fn u32_at(bytes: &[u8], table: usize, n: usize) -> Option<u32> {
    let at = table.checked_add(n.checked_mul(4)?)?;
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

impl Model for Trie {
    type Trainer = UnigramTrainer;

    /// Tokens carry no text: nothing here reads it.
    fn tokenize(&self, text: &str) -> tokenizers::Result<Vec<Token>> {
        let best = self.best_paths(text);
        let mut tokens: Vec<Token> = Vec::new();
        let mut end = text.len();
        while let Some(start) = best[end].start {
            match tokens.last_mut().filter(|last| last.id == self.unknown) {
                // Unknown characters in a row are one token.
                Some(last) if best[end].id == self.unknown => last.offsets.0 = start,
                _ => tokens.push(Token::new(best[end].id, String::new(), (start, end))),
            }
            end = start;
        }
        tokens.reverse();
        Ok(tokens)
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.find(token)
    }

    fn id_to_token(&self, _: u32) -> Option<String> {
        None
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        HashMap::new()
    }

    fn get_vocab_size(&self) -> usize {
        self.n_pieces
    }

    fn save(&self, _: &Path, _: Option<&str>) -> tokenizers::Result<Vec<PathBuf>> {
        Err("a vocabulary is only read".into())
    }

    fn get_trainer(&self) -> Self::Trainer {
        UnigramTrainer::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokenizer_json() -> Vec<u8> {
        let special = ["<s>", "<pad>", "</s>", "<unk>"];
        let mut vocabulary: Vec<(String, f64)> =
            special.iter().map(|token| ((*token).to_owned(), 0.0)).collect();
        let pieces = [
            "▁", "▁a", "a", "b", "ab", "▁ab", "abc", "c", "é", "东", "东京", "京", "▁<", "s", ">",
            "bc", "b", "aa",
        ];
        vocabulary
            .extend(pieces.iter().zip(1..).map(|(p, n)| ((*p).to_owned(), -f64::from(n) / 3.0)));
        vocabulary.push(("<mask>".to_owned(), 0.0));
        let added = |id: usize, token: &str| {
            json!({ "id": id, "content": token, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true })
        };
        let mut tokens: Vec<Value> =
            special.iter().enumerate().map(|(id, token)| added(id, token)).collect();
        tokens.push(added(vocabulary.len() - 1, "<mask>"));
        json!({
            "version": "1.0", "truncation": null, "padding": null,
            "added_tokens": tokens,
            "normalizer": { "type": "NFKC" },
            "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
                { "type": "WhitespaceSplit" },
                { "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always" },
            ] },
            "post_processor": { "type": "TemplateProcessing",
                "single": [
                    { "SpecialToken": { "id": "<s>", "type_id": 0 } },
                    { "Sequence": { "id": "A", "type_id": 0 } },
                    { "SpecialToken": { "id": "</s>", "type_id": 0 } },
                ],
                "pair": [
                    { "Sequence": { "id": "A", "type_id": 0 } },
                    { "Sequence": { "id": "B", "type_id": 1 } },
                ],
                "special_tokens": {
                    "<s>": { "id": "<s>", "ids": [0], "tokens": ["<s>"] },
                    "</s>": { "id": "</s>", "ids": [2], "tokens": ["</s>"] },
                } },
            "decoder": null,
            "model": { "type": "Unigram", "unk_id": 3, "vocab": vocabulary },
        })
        .to_string()
        .into_bytes()
    }

    fn both() -> (UnigramTokenizer, tokenizers::Tokenizer) {
        let json = tokenizer_json();
        (open(trie_of(&json).unwrap()).unwrap(), tokenizers::Tokenizer::from_bytes(json).unwrap())
    }

    #[test]
    fn special_tokens_and_unknown_characters() {
        let (trie, usual) = both();
        for text in ["", " ", "abc ab", "☃☃ b☃", "<s> a <mask>b", "東京", "东京京", "<unk>a"]
        {
            let ids = usual.encode_fast(text, true).unwrap().get_ids().to_vec();
            assert_eq!(trie.encode_fast(text, true).unwrap().get_ids(), ids, "{text:?}");
        }
        assert_eq!(trie.token_to_id("<mask>"), usual.token_to_id("<mask>"));
    }

    #[test]
    fn other_tokenizers_and_damaged_files() {
        assert_eq!(trie_of(b"{}"), None);
        assert_eq!(trie_of(br#"{"model": {"type": "WordPiece", "unk_id": 0, "vocab": []}}"#), None);
        let bytes = trie_of(&tokenizer_json()).unwrap();
        for length in 0..bytes.len() {
            assert!(open(bytes[..length].to_vec()).is_err(), "{length} bytes");
        }
        // Wrong numbers find nothing, or other tokens; they never panic. The shell before them is
        // parsed by the crate, which panics at some decoders that it does not know: its SHA-256 is
        // checked before.
        let shell = u32_at(&bytes, MAGIC.len(), 0).unwrap() as usize;
        for at in HEAD_BYTES + shell..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 0x81;
            if let Ok(tokenizer) = open(other) {
                let _ = tokenizer.encode_fast("abc ab 东京 ☃", true);
            }
        }
    }

    proptest! {
        #[test]
        fn tokens_are_those_of_the_crate(text in "[abcé东京 <s>☃\u{fb01}]{0,24}") {
            let (trie, usual) = both();
            let ids = usual.encode_fast(text.as_str(), true).unwrap();
            let found = trie.encode_fast(text.as_str(), true).unwrap();
            prop_assert_eq!(found.get_ids(), ids.get_ids());
        }
    }
}
