//! The function words by which follow-ups in four languages refer to the conversation, and the
//! detection of the language.
//!
//! Lower case, as typed. A phrase comes before its own beginning.

use crate::analysis;

/// The words of one language.
pub(super) struct Language {
    code: &'static str,
    /// Begin a question that continues the conversation: *and*, *but*.
    pub openers: &'static [&'static str],
    /// Begin a question that names only what is different: *what about*.
    pub contrasts: &'static [&'static str],
    /// Refer to a thing that was named.
    pub pronouns: &'static [&'static str],
    /// Refer to what was said as a whole, unless a noun follows or, after *that*, a clause.
    pub demonstratives: &'static [&'static str],
    /// Refer to an owner.
    pub possessives: &'static [&'static str],
    /// Refer to what was said, but are not nouns: *there*, *instead*.
    pub others: &'static [&'static str],
    /// The words of one entry replace each other.
    pub prepositions: &'static [&'static str],
    pub articles: &'static [&'static str],
    /// Make a fragment a whole question.
    pub clause: &'static [&'static str],
    /// Begin a second clause, whose pronoun may refer to the first.
    pub joints: &'static [&'static str],
    /// A verb follows: *how do I install*.
    pub before_verb: &'static [&'static str],
    /// Words that say nothing without a subject.
    pub hollow: &'static str,
}

const ENGLISH: Language = Language {
    code: "en",
    openers: &[
        "and then", "and also", "ok and", "okay and", "but then", "and", "but", "also", "then",
        "or", "so", "ok", "okay", "plus",
    ],
    contrasts: &[
        "what about",
        "how about",
        "what of",
        "same for",
        "same with",
        "same question for",
        "the same for",
        "and what about",
        "and how about",
        "but what about",
    ],
    pronouns: &["it", "they", "them", "one", "ones"],
    demonstratives: &["that", "this", "these", "those"],
    possessives: &["its", "their"],
    others: &["there", "instead", "otherwise", "too", "else", "latter", "former"],
    prepositions: &[
        "on under",
        "in into inside within",
        "with without using",
        "for",
        "from",
        "to",
        "by via through",
        "at",
        "of",
        "outside",
        "between",
        "during",
        "before",
        "after",
    ],
    articles: &["a", "an", "the"],
    clause: &[
        "how", "what", "why", "when", "where", "which", "who", "is", "are", "was", "were", "do",
        "does", "did", "can", "could", "should", "would", "will", "must", "may", "has", "have",
        "if",
    ],
    joints: &[
        "and", "or", "but", "if", "when", "while", "before", "after", "because", "so", "until",
        "unless", "once",
    ],
    before_verb: &["i", "you", "we", "how to"],
    hollow: "advantage advantages allowed alternative alternatives bad benefit benefits best \
         better case cases code cost costs default detail details \
        difference differences different disadvantage disadvantages downside downsides drawback \
        drawbacks easier easy elaborate exactly example examples \
        explain explained fast faster flag get give go going good happen happened happens \
        important kind kinds know like limit limitation limitations \
        limits long longer look make makes mean meant means need needed needs new option options \
        possible problem problems purpose quick really reason \
        reasons required safe safer say short shorter show simple simpler slow slower step steps \
        syntax thing things use used useful uses using way ways \
        work working works worse wrong",
};

const GERMAN: Language = Language {
    code: "de",
    openers: &["und dann", "und auch", "und", "aber", "oder", "dann", "auch", "also", "ok"],
    contrasts: &[
        "und was ist mit",
        "was ist mit",
        "wie ist es mit",
        "wie sieht es mit",
        "und wie ist es mit",
        "und wie sieht es mit",
        "wie steht es mit",
        "genauso für",
        "gilt das auch für",
    ],
    pronouns: &["es", "sie", "ihn", "ihm", "ihnen", "welche", "eines", "eine", "einen", "einer"],
    demonstratives: &["das", "dies", "diese", "dieser", "dieses", "diesen", "diesem"],
    possessives: &[
        "sein", "seine", "seinen", "seiner", "ihr", "ihre", "ihren", "ihrer", "deren", "dessen",
    ],
    others: &[
        "davon",
        "damit",
        "dafür",
        "dazu",
        "darin",
        "daran",
        "darauf",
        "dabei",
        "dort",
        "stattdessen",
        "dagegen",
    ],
    prepositions: &[
        "unter auf",
        "in im ins",
        "mit ohne",
        "für",
        "von vom",
        "zu zum zur nach",
        "bei beim",
        "aus",
        "über",
        "zwischen",
        "während",
    ],
    articles: &["der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "einer"],
    clause: &[
        "wie", "was", "warum", "wann", "wo", "welche", "welcher", "welches", "wer", "ist", "sind",
        "kann", "können", "soll", "muss", "hat", "gibt", "wird", "werden", "wenn",
    ],
    joints: &[
        "und", "oder", "aber", "wenn", "während", "bevor", "nachdem", "weil", "dass", "bis",
        "sobald",
    ],
    before_verb: &["wie"],
    hollow: "alternative alternativen anders beispiel beispiele besser code eigentlich einfacher \
         funktioniert funktionieren geht genau grund gründe heißt \
        kosten langsam langsamer machen macht möglich nachteil nachteile neu neue neuen problem \
        probleme schnell schneller schritt schritte sicher syntax \
        unterschied unterschiede verwenden vorteil vorteile weg wichtig zeig zweck bedeutet",
};

const FRENCH: Language = Language {
    code: "fr",
    openers: &[
        "et puis", "et aussi", "et alors", "et", "mais", "ou", "alors", "puis", "aussi", "ok",
    ],
    contrasts: &[
        "et qu'en est-il de",
        "qu'en est-il de",
        "qu'en est-il des",
        "qu'en est-il du",
        "et quid de",
        "quid de",
        "quid des",
        "quid du",
        "même chose pour",
        "pareil pour",
    ],
    pronouns: &[
        "il", "elle", "ils", "elles", "le", "la", "les", "lui", "celui-ci", "celle-ci", "ceux-ci",
        "l'un",
    ],
    demonstratives: &["ça", "cela", "ceci"],
    possessives: &["son", "sa", "ses", "leur", "leurs"],
    others: &["là", "là-bas", "y", "en"],
    prepositions: &[
        "sur sous",
        "dans en",
        "avec sans",
        "pour",
        "de du des",
        "à au aux",
        "par via",
        "chez",
        "entre",
        "pendant",
        "depuis",
    ],
    articles: &["le", "la", "les", "un", "une", "des", "du"],
    clause: &[
        "comment",
        "que",
        "quoi",
        "pourquoi",
        "quand",
        "où",
        "quel",
        "quelle",
        "quels",
        "quelles",
        "qui",
        "est",
        "sont",
        "peut",
        "peut-on",
        "puis-je",
        "faut-il",
        "a",
        "ont",
        "si",
        "est-ce",
        "qu'est-ce",
    ],
    joints: &[
        "et", "ou", "mais", "si", "quand", "lorsque", "pendant", "avant", "après", "car", "que",
        "qui", "puis",
    ],
    before_verb: &["comment", "puis-je", "peut-on", "on", "je"],
    hollow: "alternative avantage avantages cas code coût différence différences exactement \
         exemple exemples facile faire fonctionne fonctionnent important \
        inconvénient inconvénients lent marche mieux montre moyen nouveau nouvelle option pire \
        possible problème raison raisons rapide simple sûr syntaxe \
        étape étapes utile utiliser",
};

const SPANISH: Language = Language {
    code: "es",
    openers: &[
        "y entonces",
        "y también",
        "y luego",
        "y",
        "pero",
        "o",
        "entonces",
        "también",
        "luego",
        "ok",
    ],
    contrasts: &[
        "y qué hay de",
        "qué hay de",
        "y qué pasa con",
        "qué pasa con",
        "y qué tal",
        "qué tal",
        "lo mismo para",
        "lo mismo con",
    ],
    pronouns: &["él", "ella", "ellos", "ellas", "lo", "los", "las", "uno", "una"],
    demonstratives: &[
        "eso", "esto", "ese", "esa", "esos", "esas", "este", "esta", "estos", "estas",
    ],
    possessives: &["su", "sus"],
    others: &["ahí", "allí"],
    prepositions: &[
        "en sobre bajo",
        "con sin",
        "para por",
        "de del desde",
        "a al",
        "entre",
        "durante",
        "hasta",
    ],
    articles: &["el", "la", "los", "las", "un", "una", "unos", "unas"],
    clause: &[
        "cómo", "como", "qué", "que", "cuándo", "dónde", "cuál", "cuáles", "quién", "es", "son",
        "está", "puede", "puedo", "debo", "hay", "tiene", "si",
    ],
    joints: &[
        "y", "o", "pero", "si", "cuando", "mientras", "antes", "después", "porque", "que", "hasta",
    ],
    before_verb: &["cómo", "como", "puedo", "debo"],
    hollow: "alternativa alternativas caso código costo coste diferencia diferencias ejemplo \
         ejemplos exactamente fácil forma funciona funcionan hacer \
        importante lento manera mejor muestra nueva nuevo opción paso pasos peor posible problema \
        rápido razón razones seguro sencillo sintaxis sirve usar \
        ventaja ventajas desventaja desventajas útil",
};

const ALL: [&Language; 4] = [&ENGLISH, &GERMAN, &FRENCH, &SPANISH];

impl Language {
    /// The language whose function words are most frequent; English in a tie.
    pub fn of<'a>(words: &(impl Iterator<Item = &'a str> + Clone)) -> &'static Self {
        let n_own = |language: &Self| {
            words
                .clone()
                .filter(|word| language.knows(word) || analysis::is_stop_word(word, language.code))
                .count()
        };
        ALL.into_iter().rev().max_by_key(|language| n_own(language)).unwrap_or(&ENGLISH)
    }

    /// Whether a word is a function word.
    pub fn is_small(&self, word: &str) -> bool {
        let is_small = |word: &str| self.knows(word) || analysis::is_stop_word(word, self.code);
        let elided = word
            .split_once('\'')
            .filter(|(before, _)| matches!(*before, "l" | "d" | "qu" | "n" | "s" | "c" | "j"));
        is_small(word) || elided.is_some_and(|(_, after)| is_small(after))
    }

    /// Whether a word says nothing without a subject.
    pub fn is_hollow(&self, word: &str) -> bool {
        self.hollow.split_ascii_whitespace().any(|hollow| hollow == word)
    }

    /// The entry of prepositions that has `word`.
    pub fn preposition(&self, word: &str) -> Option<&'static str> {
        self.prepositions
            .iter()
            .copied()
            .find(|group| group.split(' ').any(|preposition| preposition == word))
    }

    fn knows(&self, word: &str) -> bool {
        [
            self.pronouns,
            self.demonstratives,
            self.possessives,
            self.others,
            self.articles,
            self.clause,
            self.joints,
        ]
        .iter()
        .any(|list| list.contains(&word))
            || self.preposition(word).is_some()
    }
}
