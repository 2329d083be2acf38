//! Which rows a purge removes when it does not empty whole tables: those of an index, of documents,
//! or of web sites. Pure.
//!
//! Only rankings and answers know what they were made from. A row of an older version does not say
//! it; a purge removes it too, because keeping it might keep what was to go.

use serde::{Deserialize, Serialize};

use super::origin::Origin;
use super::table::Table;
use crate::error::{Fault, Result};
use crate::naming::{self, composed};

/// The tables whose rows have an origin.
pub const WITH_ORIGIN: [Table; 2] = [Table::Retrieval, Table::Answers];

/// Which rows of which tables a user wants removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purge {
    pub tables: Vec<Table>,
    /// `None` for all rows.
    pub selection: Option<Selection>,
}

impl Purge {
    /// Without tables, those whose rows have an origin.
    ///
    /// # Errors
    /// A usage fault for nothing at all, for a table whose rows cannot be selected, and those of
    /// `Selection::new`.
    pub fn new(tables: Option<Vec<Table>>, tags: &[String], domains: &[String]) -> Result<Self> {
        let selection = Selection::new(tags, domains)?;
        let Some(tables) = tables else {
            return match selection.is_empty() {
                true => Err(Fault::usage("a purge needs tables, tags or domains")),
                false => Ok(Self { tables: WITH_ORIGIN.to_vec(), selection: Some(selection) }),
            };
        };
        if selection.is_empty() {
            return Ok(Self { tables, selection: None });
        }
        if tables == Table::ALL {
            return Ok(Self { tables: WITH_ORIGIN.to_vec(), selection: Some(selection) });
        }
        match tables.iter().find(|table| !WITH_ORIGIN.contains(table)) {
            Some(table) => {
                let name = table.name();
                Err(Fault::usage(format!("rows of `{name}` have neither tags nor domains"))
                    .hint("only those of `retrieval` and `answers` have"))
            }
            None => Ok(Self { tables, selection: Some(selection) }),
        }
    }
}

/// The rows to remove: those that fit any of the tags or domains.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// Names of indexes, of documents, or of folders above documents.
    tags: Vec<String>,
    /// Hosts of web pages, in lower case.
    domains: Vec<String>,
}

impl Selection {
    /// # Errors
    /// A usage fault for an empty tag, and for a domain that is not the name of a host.
    pub fn new(tags: &[String], domains: &[String]) -> Result<Self> {
        if tags.iter().any(|tag| matches!(naming::plain(tag.trim()), "" | ".")) {
            return Err(Fault::usage("a tag is empty")
                .hint("name an index, a document or a folder of documents"));
        }
        let is_host = |text: &str| {
            // As in an address, where letters of other scripts are encoded.
            let is_part = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
            text.contains(|c: char| c.is_ascii_alphanumeric()) && text.bytes().all(is_part)
        };
        if let Some(wrong) = domains.iter().find(|domain| !is_host(domain)) {
            return Err(Fault::usage(format!("`{wrong}` is not the name of a host"))
                .hint("name it as in `--domain docs.example.org`, without `https://` and path"));
        }
        let tag = |tag: &String| composed(naming::plain(tag.trim())).into_owned();
        let domain = |domain: &String| domain.trim_matches(['.', '[', ']']).to_lowercase();
        Ok(Self {
            tags: tags.iter().map(tag).collect(),
            domains: domains.iter().map(domain).collect(),
        })
    }

    fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.domains.is_empty()
    }

    /// Whether the value of a row of a table is to be removed.
    pub(super) fn has(&self, table: Table, value: &[u8]) -> bool {
        let origin = match table {
            Table::Retrieval => Origin::of_ranking(value),
            Table::Answers => Origin::of_answer(value),
            Table::Embeddings | Table::Rerank => return false,
        };
        origin.is_none_or(|origin| self.has_origin(&origin))
    }

    fn has_origin(&self, origin: &Origin) -> bool {
        self.tags.contains(&origin.index)
            || origin.documents.iter().any(|document| self.has_document(document))
    }

    fn has_document(&self, name: &str) -> bool {
        let name = composed(naming::plain(name));
        let is_tagged = |tag: &String| {
            let rest = name.strip_prefix(tag.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || tag.ends_with('/'))
        };
        let is_of = |host: &str, domain: &String| {
            let rest = host.strip_suffix(domain.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.tags.iter().any(is_tagged)
            || host(&name).is_some_and(|host| self.domains.iter().any(|one| is_of(&host, one)))
    }
}

/// The host of a document that is a web page.
fn host(name: &str) -> Option<String> {
    let rest = naming::is_address(name).then(|| name.split_once("://"))??.1;
    let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match place.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => place.split(':').next().unwrap_or_default(),
    };
    Some(host.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(tags: &[&str], domains: &[&str]) -> Selection {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        Selection::new(&owned(tags), &owned(domains)).unwrap()
    }

    #[test]
    fn a_tag_is_an_index_a_document_or_a_folder_above_it() {
        let origin = Origin {
            index: "handbook".into(),
            documents: vec!["docs/leave/paid.md".into(), "/srv/notes/x.md".into()],
        };
        let cases = [
            ("handbook", true),
            ("hand", false),
            ("docs", true),
            ("./docs/", true),
            ("docs/leave", true),
            ("docs/lea", false),
            ("docs/leave/paid.md", true),
            ("leave/paid.md", false),
            ("/srv", true),
            ("/", true),
            ("srv", false),
        ];
        for (tag, expected) in cases {
            assert_eq!(selection(&[tag], &[]).has_origin(&origin), expected, "{tag}");
        }
        assert!(selection(&["none", "docs"], &[]).has_origin(&origin));
    }

    #[test]
    fn a_domain_is_a_host_and_those_below_it() {
        let page = |url: &str| Origin { index: "i".into(), documents: vec![url.into()] };
        let cases = [
            ("https://docs.example.org/a/b", "docs.example.org", true),
            ("https://docs.example.org/a/b", "Example.ORG", true),
            ("https://docs.example.org/a/b", "example.com", false),
            ("https://notexample.org/", "example.org", false),
            ("http://127.0.0.1:8080/a", "127.0.0.1", true),
            ("http://[::1]:8080/a", "[::1]", true),
            ("docs.example.org/a", "docs.example.org", false),
            ("https://other.net/example.org", "example.org", false),
        ];
        for (url, domain, expected) in cases {
            assert_eq!(selection(&[], &[domain]).has_origin(&page(url)), expected, "{url}");
        }
        assert!(selection(&["https://docs.example.org/a"], &[]).has_origin(&page(cases[0].0)));
    }

    #[test]
    fn an_empty_tag_and_an_address_as_domain_are_refused() {
        let of = |text: &str| vec![text.to_owned()];
        for tag in ["", " ", "./"] {
            assert!(Selection::new(&of(tag), &[]).is_err(), "{tag}");
        }
        for domain in ["", "https://x.org", "x.org/a"] {
            assert!(Selection::new(&[], &of(domain)).is_err(), "{domain}");
        }
    }

    #[test]
    fn only_tables_with_origins_can_be_selected_from() {
        let tags = ["handbook".to_owned()];
        let tables = |purge: Result<Purge>| purge.unwrap().tables;
        assert_eq!(tables(Purge::new(None, &tags, &[])), WITH_ORIGIN);
        assert_eq!(tables(Purge::new(Some(Table::ALL.to_vec()), &tags, &[])), WITH_ORIGIN);
        let answers = vec![Table::Answers];
        assert_eq!(tables(Purge::new(Some(answers.clone()), &tags, &[])), answers);
        assert!(Purge::new(Some(vec![Table::Rerank]), &tags, &[]).is_err());
        assert!(Purge::new(Some(vec![Table::Rerank]), &[], &[]).unwrap().selection.is_none());
        assert!(Purge::new(None, &[], &[]).is_err());
    }

    #[test]
    fn what_does_not_say_its_origin_is_removed() {
        let selection = selection(&["handbook"], &[]);
        assert!(selection.has(Table::Answers, b"{\"text\": \"old\"}"));
        assert!(selection.has(Table::Retrieval, b"not JSON"));
        assert!(!selection.has(Table::Embeddings, b""));
    }
}
