//! What a page states about itself in `meta` tags.

use crate::strings::StrExt as _;

/// The key and the value of a `meta` tag that is of use to a reader.
pub(super) fn entry(key: &[u8], content: &[u8]) -> Option<(&'static str, String)> {
    let key = key_of(&std::str::from_utf8(key).ok()?.trim().to_ascii_lowercase())?;
    let value = String::from_utf8_lossy(content).one_line();
    let value = match key {
        // The day is what people filter by.
        "date" | "modified" => value.split('T').next().unwrap_or_default().to_owned(),
        _ => value,
    };
    // An address of a person's page is no name.
    let is_address = key == "author" && value.contains("://");
    (!value.is_empty() && value.len() <= 1000 && !is_address).then_some((key, value))
}

/// Keys of HTML, Dublin Core, Open Graph, schema.org and the indexes of scientific papers.
fn key_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "author" | "article:author" | "dc.creator" | "dcterms.creator" | "citation_author"
        | "parsely-author" | "byl" => "author",
        "date"
        | "dc.date"
        | "dcterms.date"
        | "dcterms.created"
        | "dc.date.issued"
        | "dcterms.issued"
        | "article:published_time"
        | "citation_publication_date"
        | "citation_date"
        | "datepublished"
        | "pubdate" => "date",
        "last-modified"
        | "article:modified_time"
        | "dcterms.modified"
        | "datemodified"
        | "og:updated_time"
        | "revised" => "modified",
        "description"
        | "og:description"
        | "dc.description"
        | "dcterms.description"
        | "twitter:description"
        | "abstract" => "description",
        "keywords" | "news_keywords" | "article:tag" | "citation_keywords" => "keywords",
        "dc.subject" | "dcterms.subject" | "subject" | "article:section" => "subject",
        "dc.publisher" | "dcterms.publisher" | "publisher" => "publisher",
        "dc.language" | "dcterms.language" | "language" => "language",
        "version" => "version",
        "status" => "status",
        _ => return None,
    })
}
