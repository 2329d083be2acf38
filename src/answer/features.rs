//! What is known of a window as an answer: the inputs of the learned choice.
//!
//! Cosines are measured from the mean over the corpus towards 1 (`Tools::scaled`), so models
//! with other scales need no other weights. A feature that is unknown, as cosines are without
//! vectors, is NaN; a tree sends it to the side that it has learnt.

/// Declares a struct of `f64` fields with their names and their values in order.
macro_rules! features {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default)]
        pub(super) struct $name {
            $($(#[$doc])* pub $field: f64,)*
        }

        impl $name {
            pub const NAMES: &'static [&'static str] = &[$(stringify!($field)),*];

            pub fn values(&self) -> Vec<f64> {
                vec![$(self.$field),*]
            }
        }
    };
}

features! {
    /// Of one window. Shares are of the weight of the question's terms, which rare ones have most
    /// of.
    WindowFeatures {
        /// Share in the window.
        coverage,
        /// Share in the window, the headings above it and the title of its document.
        coverage_titled,
        /// Share in the first unit.
        coverage_first,
        /// Largest share in one unit.
        coverage_best,
        /// By how much another window has a larger `coverage_titled`.
        behind_coverage,
        /// Share in the whole passage.
        passage,
        /// By how much another passage has a larger share.
        behind_passage,
        /// Further share in the units directly before and after.
        around,
        /// Weight of the heaviest term that neither the window nor its headings have.
        missing,
        /// The same for the passage.
        missing_in_passage,
        /// Share of the question's neighbouring terms that are neighbours in one unit.
        adjacency,
        /// Share in the heading above.
        in_heading,
        /// The same below a heading that is a question, for the first sentences.
        answers_heading,
        /// Largest cosine of a unit.
        cosine_best,
        /// Mean cosine of the units, weighted by their words.
        cosine_mean,
        /// Cosine of the first unit.
        cosine_first,
        /// By how much a unit elsewhere has a larger cosine.
        behind_cosine,
        /// Units with a larger cosine.
        cosine_place,
        /// Cosine of the passage.
        passage_cosine,
        /// By how much another passage has a larger cosine.
        behind_passage_cosine,
        /// BM25 of the passage, as a share of the best in the corpus.
        passage_lexical,
        /// Place of the passage among the evidence, from 0.
        place,
        /// Words.
        n_words,
        /// Units.
        n_units,
        /// Units that are list items.
        n_items,
        /// Units that are blocks of code.
        n_code,
        /// It consists of a row of a table or of a record.
        is_alone,
        /// Units before it in the passage.
        start,
        /// The passage begins with it, or it follows a heading.
        is_opening,
        /// Its last unit is the last of the passage, or a heading follows.
        is_closing,
        /// Its first unit refers to the one before it.
        is_dependent,
        /// Its first unit announces what follows in it.
        is_led,
        /// Its last unit announces something that is not in it.
        is_cut,
        /// It begins inside a list, without the lead-in.
        begins_in_list,
        /// It ends inside a list.
        ends_in_list,
        /// Sum of the units' oddness: headings, captions, questions, code that was not asked for.
        oddness,
        /// The first unit is short.
        brevity,
        /// Units that are about the text instead of its subject.
        n_meta,
        /// A unit has what is asked for: a number, a date, a name.
        has_type,
        /// The largest degree to which a unit defines the subject of the question.
        defines,
        /// The same for the first unit.
        defines_first,
        /// The largest degree to which a unit names a cause or a remedy.
        explains,
        /// Share of characters that are neither letters nor spaces: a bibliography, a table of
        /// contents, a formula.
        symbols,
        /// A word of negation is in the question or in the window, but not in both.
        polarity,
        /// The kind of answer, as [`Intent::ALL`](super::Intent::ALL) counts them.
        intent,
        /// What is asked for: a person, a place, a time, a number, a reason, anything.
        answer_type,
        /// The question asks for code.
        wants_code,
        /// Terms of the question.
        n_terms,
    }
}

features! {
    /// Of the question and its evidence, for the verdict whether they support an answer. The
    /// features of the chosen window follow them.
    SupportFeatures {
        /// Log-odds of the chosen window, by the learned choice.
        choice,
        /// By how much they exceed those of the best window of another passage.
        ahead,
        /// Largest share of the question in one unit, with part of the share in its context.
        sentence,
        /// Share of the question in terms that the whole index lacks.
        unknown,
        /// Share of the question in names that no passage has.
        missing_names,
        /// Weight of the heaviest term that no passage has.
        missing_anywhere,
        /// Share of the question in terms with a digit that the chosen passage lacks.
        missing_numbers,
        /// Years and versions of the question that the chosen passage lacks, while it has others.
        other_numbers,
        /// The question asks who, where, when or how many, and no unit near the best has a name,
        /// date or number that the question lacks.
        lacks_type,
        /// The question asks who made something.
        asks_for_maker,
        /// Best cosine of a passage.
        best_passage_cosine,
        /// Best cosine of a unit.
        best_unit_cosine,
        /// The question is not in the Latin script.
        is_foreign,
        /// Words of the question that the index lacks and that were read as others.
        n_corrected,
    }
}

/// 1 where it is set.
pub(super) fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}
