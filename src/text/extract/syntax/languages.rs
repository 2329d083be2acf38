//! The languages with a grammar: how to detect them, and which nodes have a name for citations.

use tree_sitter::{Node as Tree, Parser};

use crate::document::{extension_of, kind_name};
use crate::strings::StrExt as _;

/// One grammar.
pub(super) struct Language {
    grammar: fn() -> tree_sitter::Language,
    extensions: &'static str,
    /// Interpreters in the `#!` line.
    programs: &'static str,
    /// Kinds of nodes with a name, and the word before the name.
    names: &'static [(&'static str, &'static str)],
}

static LANGUAGES: [Language; 13] = [
    Language {
        grammar: || tree_sitter_rust::LANGUAGE.into(),
        extensions: "rs",
        programs: "",
        names: &[
            ("function_item", "fn"),
            ("function_signature_item", "fn"),
            ("struct_item", "struct"),
            ("enum_item", "enum"),
            ("union_item", "union"),
            ("trait_item", "trait"),
            ("impl_item", "impl"),
            ("mod_item", "mod"),
            ("macro_definition", "macro"),
            ("const_item", "const"),
            ("static_item", "static"),
            ("type_item", "type"),
        ],
    },
    Language {
        grammar: || tree_sitter_python::LANGUAGE.into(),
        extensions: "py pyi",
        programs: "python python2 python3",
        names: &[("function_definition", "def"), ("class_definition", "class")],
    },
    Language {
        grammar: || tree_sitter_javascript::LANGUAGE.into(),
        extensions: "js jsx mjs cjs",
        programs: "node",
        names: SCRIPT,
    },
    Language {
        grammar: || tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
        extensions: "ts mts cts",
        programs: "deno",
        names: SCRIPT,
    },
    Language {
        grammar: || tree_sitter_typescript::LANGUAGE_TSX.into(),
        extensions: "tsx",
        programs: "",
        names: SCRIPT,
    },
    Language {
        grammar: || tree_sitter_go::LANGUAGE.into(),
        extensions: "go",
        programs: "",
        names: &[
            ("function_declaration", "func"),
            ("method_declaration", "func"),
            ("type_spec", "type"),
            ("type_alias", "type"),
            ("const_spec", "const"),
            ("var_spec", "var"),
        ],
    },
    Language {
        grammar: || tree_sitter_java::LANGUAGE.into(),
        extensions: "java",
        programs: "",
        names: &[
            ("class_declaration", "class"),
            ("interface_declaration", "interface"),
            ("annotation_type_declaration", "@interface"),
            ("enum_declaration", "enum"),
            ("record_declaration", "record"),
            ("method_declaration", "method"),
            ("constructor_declaration", "constructor"),
            ("compact_constructor_declaration", "constructor"),
            ("module_declaration", "module"),
        ],
    },
    Language {
        grammar: || tree_sitter_c::LANGUAGE.into(),
        extensions: "c",
        programs: "",
        names: C,
    },
    Language {
        grammar: || tree_sitter_cpp::LANGUAGE.into(),
        extensions: "cc cpp cxx hh hpp hxx inl",
        programs: "",
        names: C,
    },
    Language {
        grammar: || tree_sitter_c_sharp::LANGUAGE.into(),
        extensions: "cs",
        programs: "",
        names: &[
            ("class_declaration", "class"),
            ("struct_declaration", "struct"),
            ("interface_declaration", "interface"),
            ("enum_declaration", "enum"),
            ("record_declaration", "record"),
            ("delegate_declaration", "delegate"),
            ("method_declaration", "method"),
            ("local_function_statement", "function"),
            ("constructor_declaration", "constructor"),
            ("destructor_declaration", "destructor"),
            ("property_declaration", "property"),
            ("event_declaration", "event"),
            ("namespace_declaration", "namespace"),
        ],
    },
    Language {
        grammar: || tree_sitter_ruby::LANGUAGE.into(),
        extensions: "rb rake gemspec",
        programs: "ruby",
        names: &[
            ("class", "class"),
            ("module", "module"),
            ("method", "def"),
            ("singleton_method", "def"),
        ],
    },
    Language {
        grammar: || tree_sitter_php::LANGUAGE_PHP.into(),
        extensions: "php",
        programs: "php",
        names: &[
            ("class_declaration", "class"),
            ("interface_declaration", "interface"),
            ("trait_declaration", "trait"),
            ("enum_declaration", "enum"),
            ("function_definition", "function"),
            ("method_declaration", "method"),
            ("namespace_definition", "namespace"),
        ],
    },
    Language {
        grammar: || tree_sitter_bash::LANGUAGE.into(),
        extensions: "sh bash",
        programs: "sh bash dash ksh",
        names: &[("function_definition", "function")],
    },
];

const SCRIPT: &[(&str, &str)] = &[
    ("class_declaration", "class"),
    ("abstract_class_declaration", "class"),
    ("interface_declaration", "interface"),
    ("enum_declaration", "enum"),
    ("type_alias_declaration", "type"),
    ("internal_module", "namespace"),
    ("module", "module"),
    ("function_declaration", "function"),
    ("generator_function_declaration", "function"),
    ("function_signature", "function"),
    ("method_definition", "method"),
    ("variable_declarator", "const"),
];

const C: &[(&str, &str)] = &[
    ("function_definition", "function"),
    ("struct_specifier", "struct"),
    ("union_specifier", "union"),
    ("enum_specifier", "enum"),
    ("class_specifier", "class"),
    ("namespace_definition", "namespace"),
    ("concept_definition", "concept"),
    ("type_definition", "typedef"),
    ("preproc_function_def", "#define"),
];

impl Language {
    /// The language by the name of the file, else by its `#!` line.
    pub(super) fn of(path: &str, text: &str) -> Option<&'static Self> {
        let name = kind_name(path);
        let has = |words: &str, word: &str| words.split(' ').any(|other| other == word);
        let by_extension =
            |extension: &str| LANGUAGES.iter().find(|language| has(language.extensions, extension));
        match extension_of(&name) {
            "" => {
                let line = text.lines().next()?.strip_prefix("#!")?;
                let words = line
                    .split([' ', '/'])
                    .filter(|word| !word.starts_with('-') && !word.contains('='));
                let program = words
                    .filter(|word| !word.is_empty() && *word != "env")
                    .find(|word| LANGUAGES.iter().any(|language| has(language.programs, word)))?;
                LANGUAGES.iter().find(|language| has(language.programs, program))
            }
            "h" => by_extension(if is_cpp(text) { "hpp" } else { "c" }),
            extension => by_extension(extension),
        }
    }

    pub(super) fn parser(&self) -> Option<Parser> {
        let mut parser = Parser::new();
        parser.set_language(&(self.grammar)()).ok()?;
        Some(parser)
    }

    /// The name of a node in citations: `impl Foo`, `method bar`. Variables have one if they are
    /// outermost or functions.
    pub(super) fn name(&self, node: Tree<'_>, text: &str, is_outermost: bool) -> Option<String> {
        let node = unwrapped(node)?;
        let (kind, label) = self.names.iter().find(|(kind, _)| *kind == node.kind())?;
        let of = |field: &str| {
            node.child_by_field_name(field).map(|child| short(text.slice(child.byte_range())))
        };
        let name = match *kind {
            "impl_item" => {
                let name = of("type")?;
                of("trait").map_or(name.clone(), |of_trait| format!("{of_trait} for {name}"))
            }
            "method_declaration" if node.child_by_field_name("receiver").is_some() => {
                let receiver = of("receiver")?;
                let of_type =
                    receiver.trim_matches(['(', ')']).rsplit([' ', '*']).next()?.to_owned();
                format!("{of_type}.{}", of("name")?)
            }
            "variable_declarator" | "const_spec" | "var_spec" => {
                let value = node.child_by_field_name("value").map_or("", |value| value.kind());
                let is_function = value.contains("function") || value == "class";
                let is_name = node
                    .child_by_field_name("name")
                    .is_some_and(|name| name.kind() == "identifier");
                (is_name && (is_outermost || is_function)).then(|| of("name")).flatten()?
            }
            "singleton_method" => format!("{}.{}", of("object")?, of("name")?),
            "function_definition" | "type_definition"
                if node.child_by_field_name("name").is_none() =>
            {
                short(text.slice(declared(node)?.byte_range()))
            }
            // Without a body it is a use, not a definition.
            "struct_specifier" | "union_specifier" | "enum_specifier" | "class_specifier" => {
                node.child_by_field_name("body")?;
                of("name")?
            }
            _ => of("name")?,
        };
        let name = format!("{label} {name}");
        name.contains(char::is_alphanumeric).then_some(name)
    }
}

/// Whether a header file is C++ rather than C.
fn is_cpp(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        let begins = |word: &str| {
            line.strip_prefix(word).is_some_and(|rest| rest.starts_with([' ', '<', ':']))
        };
        begins("class") && !line.ends_with(',')
            || ["namespace", "template", "public:", "private:", "using"].into_iter().any(begins)
            || ["public:", "private:", "protected:"].contains(&line.trim_end())
    })
}

/// The definition inside its wrappers: decorators, `export`, `template <…>`, `const f =`.
fn unwrapped(mut node: Tree<'_>) -> Option<Tree<'_>> {
    // `export declare namespace …` has three levels.
    for _ in 0..4 {
        node = match node.kind() {
            "decorated_definition" => node.child_by_field_name("definition")?,
            "export_statement" => node
                .child_by_field_name("declaration")
                .or_else(|| node.child_by_field_name("value"))?,
            "template_declaration" | "ambient_declaration" | "expression_statement" => {
                last_named_child(node)?
            }
            // Several declarations together have no common name.
            "lexical_declaration"
            | "variable_declaration"
            | "type_declaration"
            | "const_declaration"
            | "var_declaration" => {
                if node.named_child_count() != 1 {
                    return None;
                }
                last_named_child(node)?
            }
            _ => return Some(node),
        };
    }
    Some(node)
}

fn last_named_child(node: Tree<'_>) -> Option<Tree<'_>> {
    node.named_child(u32::try_from(node.named_child_count()).ok()?.checked_sub(1)?)
}

/// Whether a node wraps a definition.
pub(super) fn wraps(node: Tree<'_>) -> bool {
    matches!(
        node.kind(),
        "decorated_definition"
            | "export_statement"
            | "template_declaration"
            | "ambient_declaration"
    )
}

/// The name in the middle of a C declarator: `*(*name[4])(int)`.
fn declared(node: Tree<'_>) -> Option<Tree<'_>> {
    const MAX_DEPTH: usize = 16;
    let mut node = node.child_by_field_name("declarator")?;
    for _ in 0..MAX_DEPTH {
        node = match node.child_by_field_name("declarator") {
            Some(inner) => inner,
            None if node.kind() == "parenthesized_declarator"
                || node.kind() == "reference_declarator" =>
            {
                last_named_child(node)?
            }
            None => return Some(node),
        };
    }
    None
}

/// A name on one line, cut if it is too long.
fn short(name: &str) -> String {
    const MAX_CHARS: usize = 60;
    // A type with a thousand parameters has a name of a thousand lines.
    let name = name.split_whitespace().take(MAX_CHARS).collect::<Vec<_>>().join(" ");
    match name.char_indices().nth(MAX_CHARS) {
        Some((cut, _)) => format!("{}…", name.slice(..cut)),
        None => name,
    }
}
