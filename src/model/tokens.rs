//! The model's tokenizer, without truncation and padding.
//!
//! `tokenizer.json` often enables both (all-MiniLM-L6-v2 pads every text to 128 tokens), which
//! would make a query cost as much as a page. The window is applied here instead.

use std::borrow::Cow;

use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{
    DecoderWrapper, Encoding, NormalizerWrapper, PostProcessor as _, PostProcessorWrapper,
    PreTokenizerWrapper, TokenizerImpl, TruncationDirection,
};

use super::files::ModelFiles;
use super::manifest::damaged;
use super::unigram::{self, UnigramTokenizer};
use crate::error::{Fault, Result};

/// Text to token ids.
pub struct Tokenizer {
    inner: Inner,
    /// Number of special tokens around every text, such as `[CLS]` and `[SEP]`.
    special: usize,
    unknown: Option<u32>,
    lower_case: bool,
}

impl Tokenizer {
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when `tokenizer.json` does not match the
    /// manifest.
    pub fn load(files: &ModelFiles) -> Result<Self> {
        let fault =
            |file: &str, e: tokenizers::Error| damaged(&files.dir.join(file), &e.to_string());
        let (file, inner) = match files.vocabulary() {
            Some(bytes) => {
                (unigram::FILE, unigram::open(bytes?).map(|found| Inner::Unigram(Box::new(found))))
            }
            None => (
                "tokenizer.json",
                read(&files.tokenizer()?).map(|read| Inner::Usual(Box::new(read))),
            ),
        };
        let inner = inner.map_err(|e| fault(file, e))?;
        let special = inner.encode("", true).map_err(|e| fault(file, e))?.len();
        let unknown = ["[UNK]", "<unk>"].iter().find_map(|token| inner.token_to_id(token));
        Ok(Self { inner, special, unknown, lower_case: files.spec.lower_case })
    }

    /// Number of tokens in `text`, without special tokens.
    pub fn count(&self, text: &str) -> usize {
        self.ids(text, false).len()
    }

    /// Number of special tokens around every text.
    pub fn special(&self) -> usize {
        self.special
    }

    /// Token ids with special tokens, truncated to `max`. A truncated text keeps its closing
    /// special token.
    pub fn encode(&self, text: &str, max: usize) -> Vec<u32> {
        let mut ids = self.ids(text, true);
        if ids.len() > max {
            let last = ids[ids.len() - 1];
            ids.truncate(max);
            if let (Some(end), true) = (ids.last_mut(), self.special > 1) {
                *end = last;
            }
        }
        ids
    }

    /// Token ids and types of a pair with its special tokens. The passage is cut so that they are
    /// at most `max`; a query that leaves it less than half is cut too.
    ///
    /// # Errors
    /// When the tokenizer knows no pairs.
    pub fn encode_pair(&self, query: &str, passage: &str, max: usize) -> Result<Pair> {
        let encode = |text: &str| self.inner.encode(&self.lowered(text), false);
        let pair = encode(query).and_then(|mut query| {
            let mut passage = encode(passage)?;
            let room = max.saturating_sub(self.inner.added_to_pairs());
            query.truncate(room / 2, 0, TruncationDirection::Right);
            passage.truncate(room - query.len(), 0, TruncationDirection::Right);
            self.inner.join(query, passage)
        });
        let pair = pair.map_err(|e| Fault::failed(format!("a pair cannot be tokenized: {e}")))?;
        Ok(Pair { ids: pair.get_ids().to_vec(), types: pair.get_type_ids().to_vec() })
    }

    /// Whether `word` is one token: a word that was common in the texts the model learned from, and
    /// so not a misspelt one.
    pub fn has_word(&self, word: &str) -> bool {
        matches!(*self.ids(word, false), [id] if Some(id) != self.unknown)
    }

    fn ids(&self, text: &str, special: bool) -> Vec<u32> {
        // Encoding fails only on broken pre-tokenizer state; such a text has no tokens.
        let encoding = self.inner.encode(&self.lowered(text), special);
        encoding.map(|encoding| encoding.get_ids().to_vec()).unwrap_or_default()
    }

    fn lowered<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.lower_case {
            true => Cow::Owned(text.to_lowercase()),
            false => Cow::Borrowed(text),
        }
    }
}

/// A query and a passage as one input.
pub struct Pair {
    pub ids: Vec<u32>,
    /// Which of the two a token is from.
    pub types: Vec<u32>,
}

/// The crate's tokenizer, by its vocabulary.
enum Inner {
    Usual(Box<tokenizers::Tokenizer>),
    Unigram(Box<UnigramTokenizer>),
}

impl Inner {
    fn encode(&self, text: &str, special: bool) -> tokenizers::Result<Encoding> {
        match self {
            Self::Usual(tokenizer) => tokenizer.encode_fast(text, special),
            Self::Unigram(tokenizer) => tokenizer.encode_fast(text, special),
        }
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        match self {
            Self::Usual(tokenizer) => tokenizer.token_to_id(token),
            Self::Unigram(tokenizer) => tokenizer.token_to_id(token),
        }
    }

    /// Number of special tokens around a pair.
    fn added_to_pairs(&self) -> usize {
        let processor = match self {
            Self::Usual(tokenizer) => tokenizer.get_post_processor(),
            Self::Unigram(tokenizer) => tokenizer.get_post_processor(),
        };
        processor.map_or(0, |processor| processor.added_tokens(true))
    }

    fn join(&self, first: Encoding, second: Encoding) -> tokenizers::Result<Encoding> {
        match self {
            Self::Usual(tokenizer) => tokenizer.post_process(first, Some(second), true),
            Self::Unigram(tokenizer) => tokenizer.post_process(first, Some(second), true),
        }
    }
}

/// Parses `tokenizer.json`. Most models are of the BERT family. With that type given, the crate
/// reads the vocabulary directly into its table, 4 ms; otherwise it makes three copies, 30 ms.
fn read(bytes: &[u8]) -> tokenizers::Result<tokenizers::Tokenizer> {
    type Bert = TokenizerImpl<
        WordPiece,
        NormalizerWrapper,
        PreTokenizerWrapper,
        PostProcessorWrapper,
        DecoderWrapper,
    >;
    let mut tokenizer = match serde_json::from_slice::<Bert>(bytes) {
        Ok(tokenizer) => tokenizer.into(),
        Err(_) => tokenizers::Tokenizer::from_bytes(bytes)?,
    };
    tokenizer.with_truncation(None)?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_ways_to_read_a_vocabulary_give_the_same_tokens() {
        let vocabulary = [
            "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "bee", "##s", "dance", "é", "东",
            ",", ".",
        ];
        let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(|token| {
            let id = vocabulary.iter().position(|known| *known == token);
            json!({ "id": id, "content": token, "single_word": false,
                "lstrip": token == "[MASK]", "rstrip": false,
                "normalized": false, "special": true })
        });
        let vocab: serde_json::Map<_, _> =
            vocabulary.iter().zip(0..).map(|(t, id)| ((*t).to_owned(), json!(id))).collect();
        let file = json!({
            "version": "1.0",
            "added_tokens": special,
            "truncation": null,
            "padding": null,
            "normalizer": { "type": "BertNormalizer", "clean_text": true,
                "handle_chinese_chars": true, "strip_accents": null, "lowercase": true },
            "pre_tokenizer": { "type": "BertPreTokenizer" },
            "post_processor": { "type": "BertProcessing",
                "sep": ["[SEP]", 3], "cls": ["[CLS]", 2] },
            "decoder": null,
            "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": vocab },
        });
        let bytes = file.to_string().into_bytes();
        let (quick, usual) =
            (read(&bytes).unwrap(), tokenizers::Tokenizer::from_bytes(&bytes).unwrap());
        for text in [
            "",
            "The bees dance.",
            "THE Bees, [MASK] é 东京 ☃",
            "the [SEP] bee[CLS]s",
            &"dance ".repeat(400),
        ] {
            let ids = |tokenizer: &tokenizers::Tokenizer| {
                tokenizer.encode(text, true).unwrap().get_ids().to_vec()
            };
            assert_eq!(ids(&quick), ids(&usual), "{text:?}");
        }
        assert_eq!(quick.encode("The bees", true).unwrap().get_ids(), [2, 5, 6, 7, 3]);
        assert!(read(b"{}").is_err());
    }
}
