//! Web sites of an index: pages are kept in a folder below `sites/` of the data directory, which an
//! ingest reads like any other, and each is named by its address.
//!
//! A site is one origin: scheme, host and port. Its pages are those that the user gave, and those
//! that a sitemap lists below an address. Links are not followed. A page stays until the server
//! says that it is gone; one that cannot be reached keeps its last version.

mod robots;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};

use crate::disk::{self, Blake};
use crate::error::{Fault, Kind, Result};
use crate::http::{Url, Validators, Visit, Visitor};
use crate::strings::StrExt as _;
use robots::Robots;

/// Pause between two requests, unless the site asks for a longer one.
const DELAY: Duration = Duration::from_millis(500);
/// Longest time for all pages of a site; the rest waits for the next ingest.
const MAX_TIME: Duration = Duration::from_secs(3600);
/// Bytes of all pages of a site together.
const MAX_BYTES: u64 = 1 << 30;
const MAX_REDIRECTS: usize = 5;
/// Sitemaps of one site; an index of sitemaps lists others.
const MAX_SITEMAPS: usize = 50;
/// The limit of the protocol (sitemaps.org).
const MAX_SITEMAP_BYTES: u64 = 50 << 20;
const FILE: &str = "site.json";
/// Extensions under which pages are kept, by which their format is detected.
const EXTENSIONS: [&str; 8] = ["html", "pdf", "md", "txt", "rst", "org", "adoc", "tex"];

/// A request to add pages to an index.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Start {
    pub url: String,
    /// The pages that the site's sitemap lists below the address, instead of the page there.
    pub sitemap: bool,
}

/// What may be visited, and how much.
pub struct Limits {
    pub may_visit_private: bool,
    pub max_pages: usize,
    pub max_page_bytes: u64,
}

/// The table of a site's pages.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Table {
    origin: String,
    starts: Vec<Start>,
    /// By their paths.
    pages: BTreeMap<String, Page>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Page {
    url: String,
    #[serde(default)]
    etag: Option<String>,
    #[serde(default)]
    modified: Option<String>,
}

/// The address of a page, without a fragment.
///
/// # Errors
/// A usage fault for what is not the address of a web page. It does not show a password.
pub fn address(text: &str) -> Result<Url> {
    let wrong = |why: &str| Fault::usage(format!("the address of a page {why}"));
    let mut url = Url::parse(text.trim()).map_err(|e| wrong(&format!("is not a URL: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("must begin with http:// or https://"));
    }
    // A URL may have other characters there, but the name of a host does not.
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if url.domain().is_some_and(|name| !name.chars().all(is_of_name)) {
        return Err(wrong("has no valid host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must not contain a user name or a password"));
    }
    url.set_fragment(None);
    Ok(url)
}

/// The site of a page, such as `https://example.org`.
pub fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The folder of the site of a page in an index, created if needed.
pub fn folder(data_dir: &Path, index: &str, url: &Url) -> Result<PathBuf> {
    let port = url.port().map(|port| format!("_{port}")).unwrap_or_default();
    let host = url.host_str().unwrap_or_default().replace(':', "-");
    let host = host.trim_matches(['[', ']']);
    let name = format!("{}_{host}{port}", url.scheme());
    let dir = data_dir.join("sites").join(index).join(name);
    disk::create_dir(&dir)?;
    Ok(disk::real_path(&dir))
}

/// Paths of the pages that a site's folder has, sorted.
///
/// # Errors
/// When the table of the site cannot be read.
pub fn pages(dir: &Path) -> Result<Vec<String>> {
    let table = Table::read(dir)?;
    Ok(table.pages.into_keys().filter(|path| file(dir, path).is_file()).collect())
}

/// The file of a page in the folder of its site.
pub fn file(dir: &Path, path: &str) -> PathBuf {
    let kept = EXTENSIONS.map(|extension| file_as(dir, path, extension));
    kept.iter().find(|file| file.is_file()).unwrap_or(&kept[0]).clone()
}

fn file_as(dir: &Path, path: &str, extension: &str) -> PathBuf {
    let digest: [u8; 16] = Blake::new(16).field(path.as_bytes()).finish();
    dir.join(format!("{}.{extension}", disk::hex(&digest)))
}

/// Adds the pages of `starts` to a site and asks the server for whatever has changed. `on_page` is
/// called with the address of each page. Returns the pages that could not be fetched, with reasons.
///
/// # Errors
/// When nothing may be asked of the site, or its folder cannot be written.
pub fn refresh(
    dir: &Path,
    site: &str,
    starts: Vec<Start>,
    limits: &Limits,
    stop: &dyn Fn() -> bool,
    on_page: &mut dyn FnMut(&str),
) -> Result<Vec<(String, String)>> {
    let mut table = Table::read(dir)?;
    site.clone_into(&mut table.origin);
    for start in starts {
        if !table.starts.contains(&start) {
            table.starts.push(start);
        }
    }
    let visitor = Visitor::new(limits.may_visit_private)?;
    let mut tour = Tour {
        dir,
        limits,
        stop,
        visitor,
        robots: Robots::default(),
        last: None,
        begin: Instant::now(),
        n_bytes: 0,
        failed: Vec::new(),
    };
    let done = tour.run(&mut table, on_page);
    // What was fetched is kept, however the tour ended.
    table.write(dir)?;
    done.map(|()| tour.failed)
}

impl Table {
    fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let Some(bytes) = disk::if_exists(disk::read_small(&path))
            .map_err(|e| Fault::failed(format!("cannot read {}", path.display())).because(e))?
        else {
            return Ok(Self::default());
        };
        serde_json::from_slice(&bytes)
            .map_err(|e| Fault::damaged(format!("{} is damaged: {e}", path.display())))
    }

    fn write(&self, dir: &Path) -> Result<()> {
        disk::replace(&dir.join(FILE), &serde_json::to_vec(self).unwrap_or_default())
    }
}

/// One refresh of a site.
struct Tour<'a> {
    dir: &'a Path,
    limits: &'a Limits,
    stop: &'a dyn Fn() -> bool,
    visitor: Visitor,
    robots: Robots,
    /// When the last request began.
    last: Option<Instant>,
    begin: Instant,
    n_bytes: u64,
    failed: Vec<(String, String)>,
}

impl Tour<'_> {
    fn run(&mut self, table: &mut Table, on_page: &mut dyn FnMut(&str)) -> Result<()> {
        let mut wanted: BTreeMap<String, Url> = BTreeMap::new();
        for page in table.pages.values() {
            let url = address(&page.url)?;
            wanted.insert(path_of(&url), url);
        }
        let starts = table.starts.clone();
        if let Err(fault) = self.read_robots(&table.origin) {
            if fault.kind() != Kind::Outside {
                return Err(fault);
            }
            let given = starts.iter().filter_map(|start| address(&start.url).ok());
            wanted.extend(given.map(|url| (path_of(&url), url)));
            self.failed = wanted.into_keys().map(|path| (path, reason(&fault))).collect();
            return Ok(());
        }
        for start in &starts {
            let url = address(&start.url)?;
            if start.sitemap || is_sitemap(&url) {
                for page in self.listed(&url, &table.origin)? {
                    wanted.entry(path_of(&page)).or_insert(page);
                }
            } else {
                wanted.entry(path_of(&url)).or_insert(url);
            }
        }
        let n = wanted.len();
        for (at, (path, url)) in wanted.into_iter().enumerate() {
            if let Some(limit) = self.limit(at) {
                self.failed.push((path, format!("{} of {n} pages were left out: {limit}", n - at)));
                break;
            }
            on_page(url.as_str());
            self.page(&path, &url, table)?;
        }
        Ok(())
    }

    /// The limit that is reached after `n` pages.
    fn limit(&self, n: usize) -> Option<String> {
        if n >= self.limits.max_pages {
            return Some(format!("more than ingest.max_pages = {n}"));
        }
        if self.n_bytes > MAX_BYTES {
            return Some(format!("they have more than {} MiB", MAX_BYTES >> 20));
        }
        let is_late = self.begin.elapsed() > MAX_TIME;
        is_late.then(|| format!("the site takes longer than {} minutes", MAX_TIME.as_secs() / 60))
    }

    fn read_robots(&mut self, site: &str) -> Result<()> {
        let url = address(&format!("{site}/robots.txt"))?;
        match self.visit(&url, &Validators::default(), 1 << 20)? {
            Visit::Page { bytes, .. } => {
                self.robots = Robots::parse(&String::from_utf8_lossy(&bytes));
                Ok(())
            }
            // RFC 9309: without a file everything is allowed, with a server in trouble nothing is.
            Visit::Refused(status @ 500..) => {
                Err(Fault::outside(format!("its robots.txt answers with status {status}")))
            }
            _ => Ok(()),
        }
    }

    /// Fetches a page if it has changed.
    fn page(&mut self, path: &str, url: &Url, table: &mut Table) -> Result<()> {
        let has_file = file(self.dir, path).is_file();
        let problem = match self.update(path, url, has_file, table) {
            Err(fault) if fault.kind() == Kind::Outside => Some(reason(&fault)),
            other => other?,
        };
        if let Some(why) = problem {
            let kept = if has_file { "; the index keeps its last version" } else { "" };
            self.failed.push((path.to_owned(), format!("{why}{kept}")));
        }
        Ok(())
    }

    /// As [`Tour::page`]; returns why the page could not be fetched.
    fn update(
        &mut self,
        path: &str,
        url: &Url,
        has_file: bool,
        table: &mut Table,
    ) -> Result<Option<String>> {
        if !self.robots.allows(&target(url)) {
            return Ok(Some("the robots.txt of the site does not allow it".to_owned()));
        }
        let known = table.pages.get(path).filter(|_| has_file).cloned().unwrap_or_default();
        let known = Validators { etag: known.etag, modified: known.modified };
        let (bytes, content_type, charset, Validators { etag, modified }) = match self
            .followed(url, &known)?
        {
            Visit::Page { bytes, content_type, charset, validators } => {
                (bytes, content_type, charset, validators)
            }
            Visit::Unchanged => return Ok(None),
            Visit::Moved(to) => {
                return Ok(Some(format!("it has moved to {to}: ingest that address instead")));
            }
            Visit::Refused(status) => {
                return Ok(Some(format!("the server answers with status {status}")));
            }
            Visit::Gone => {
                let what = |e| Fault::failed(format!("cannot remove the file of {url}")).because(e);
                disk::if_exists(std::fs::remove_file(file(self.dir, path))).map_err(what)?;
                table.starts.retain(|start| start.sitemap || start.url != url.as_str());
                let was_known = table.pages.remove(path).is_some();
                return Ok((!was_known).then(|| "the server has no such page".to_owned()));
            }
        };
        let Some(extension) = extension(&content_type, url) else {
            return Ok(Some(format!("pages of the type {content_type} are not read")));
        };
        self.n_bytes += bytes.len() as u64;
        let bytes = match extension {
            "pdf" => bytes,
            _ => in_utf8(bytes, charset.as_deref()),
        };
        let (before, now) = (file(self.dir, path), file_as(self.dir, path, extension));
        if before != now {
            let _ = std::fs::remove_file(before);
        }
        disk::replace(&now, &bytes)?;
        table.pages.insert(path.to_owned(), Page { url: url.to_string(), etag, modified });
        Ok(None)
    }

    /// Visits a page, and follows it within its site.
    fn followed(&mut self, url: &Url, validators: &Validators) -> Result<Visit> {
        let mut at = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let visit = self.visit(&at, validators, self.limits.max_page_bytes)?;
            let Visit::Moved(to) = &visit else { return Ok(visit) };
            let Some(next) = at.join(to).ok().and_then(|to| address(to.as_str()).ok()) else {
                return Err(Fault::outside("it redirects to what is not the address of a page"));
            };
            if origin(&next) != origin(url) {
                return Ok(Visit::Moved(next.to_string()));
            }
            if !self.robots.allows(&target(&next)) {
                return Err(Fault::outside(
                    "it redirects to a page that robots.txt does not allow",
                ));
            }
            at = next;
        }
        Err(Fault::outside(format!("it redirects more than {MAX_REDIRECTS} times")))
    }

    /// One request, after a pause since the last one.
    fn visit(&mut self, url: &Url, validators: &Validators, max_bytes: u64) -> Result<Visit> {
        let delay = self.robots.delay.unwrap_or_default().max(DELAY);
        while let Some(last) = self.last
            && last.elapsed() < delay
        {
            if (self.stop)() {
                return Err(Fault::interrupted());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.last = Some(Instant::now());
        self.visitor.visit(url, validators, max_bytes, self.stop)
    }

    /// The pages that the sitemaps of a site list below an address, or all that a sitemap lists.
    fn listed(&mut self, url: &Url, site: &str) -> Result<Vec<Url>> {
        let (mut maps, prefix) = match is_sitemap(url) {
            true => (vec![url.to_string()], String::from("/")),
            false => (self.robots.sitemaps.clone(), url.path().to_owned()),
        };
        if maps.is_empty() {
            maps.push(format!("{site}/sitemap.xml"));
        }
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(map) = maps.get(at).cloned() {
            at += 1;
            let of_site = |url: &String| address(url).ok().filter(|url| origin(url) == site);
            let Some(map) = of_site(&map) else { continue };
            let bytes = match self.followed_map(&map) {
                Ok(bytes) => bytes,
                Err(why) => {
                    self.failed.push((path_of(&map), why?));
                    continue;
                }
            };
            let bytes = match unpacked(bytes) {
                Ok(bytes) => bytes,
                Err(why) => {
                    self.failed.push((path_of(&map), why));
                    continue;
                }
            };
            let text = String::from_utf8_lossy(&bytes);
            let locations = locations(&text);
            if text.contains("<sitemapindex") {
                let room = MAX_SITEMAPS.saturating_sub(maps.len());
                maps.extend(locations.into_iter().take(room));
            } else {
                let pages = locations.iter().filter_map(of_site);
                found.extend(pages.filter(|url| url.path().starts_with(&prefix)));
            }
        }
        Ok(found)
    }

    /// The bytes of a sitemap, or why there are none.
    fn followed_map(&mut self, map: &Url) -> Result<Vec<u8>, Result<String>> {
        match self.visit(map, &Validators::default(), MAX_SITEMAP_BYTES) {
            Ok(Visit::Page { bytes, .. }) => Ok(bytes),
            Ok(Visit::Refused(status)) => {
                Err(Ok(format!("the sitemap answers with status {status}")))
            }
            Ok(_) => Err(Ok("there is no sitemap".to_owned())),
            Err(fault) if fault.kind() == Kind::Outside => Err(Ok(reason(&fault))),
            Err(fault) => Err(Err(fault)),
        }
    }
}

/// Path and query of a page, which name it below its site.
pub fn path_of(url: &Url) -> String {
    match target(url).strip_prefix('/') {
        // A document has a name; most servers have this one for their first page.
        Some("") | None => "index.html".to_owned(),
        Some(path) => path.to_owned(),
    }
}

fn target(url: &Url) -> String {
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}{query}", url.path())
}

fn is_sitemap(url: &Url) -> bool {
    let name = url.path().rsplit('/').next().unwrap_or_default();
    name.contains("sitemap") && (name.ends_with(".xml") || name.ends_with(".xml.gz"))
}

/// The text of a sitemap, which may be compressed (sitemaps.org).
///
/// # Errors
/// Why it cannot be read.
fn unpacked(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if !bytes.starts_with(b"\x1F\x8B") {
        return Ok(bytes);
    }
    let mut text = Vec::new();
    let reader = flate2::read::MultiGzDecoder::new(&*bytes);
    let read = reader.take(MAX_SITEMAP_BYTES + 1).read_to_end(&mut text);
    read.map_err(|e| format!("the sitemap cannot be unpacked: {e}"))?;
    match text.len() as u64 > MAX_SITEMAP_BYTES {
        true => Err(format!("the sitemap has more than {} MiB", MAX_SITEMAP_BYTES >> 20)),
        false => Ok(text),
    }
}

/// The bytes of a page in UTF-8 with a byte order mark, if the server states another encoding: what
/// it states counts more than what the page says of itself, and only the page is kept.
fn in_utf8(bytes: Vec<u8>, charset: Option<&str>) -> Vec<u8> {
    const MARKS: [&[u8]; 3] = [b"\xEF\xBB\xBF", b"\xFF\xFE", b"\xFE\xFF"];
    let encoding = charset.and_then(|name| Encoding::for_label(name.as_bytes()));
    let Some(encoding) = encoding.filter(|_| !MARKS.iter().any(|mark| bytes.starts_with(mark)))
    else {
        return bytes;
    };
    let converted = {
        let (text, has_errors) = encoding.decode_without_bom_handling(&bytes);
        // Servers often say UTF-8 of every page: then the bytes decide.
        (!has_errors && text.as_bytes() != &*bytes).then(|| [MARKS[0], text.as_bytes()].concat())
    };
    converted.unwrap_or(bytes)
}

/// The addresses in the `loc` elements of a sitemap.
fn locations(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for piece in text.split("<loc>").skip(1) {
        let address = piece.split("</loc>").next().unwrap_or_default().one_line();
        let address = address.trim_start_matches("<![CDATA[").trim_end_matches("]]>");
        found.push(address.trim().replace("&amp;", "&"));
    }
    found
}

/// The extension of the file of a page, if its type is read.
fn extension(content_type: &str, url: &Url) -> Option<&'static str> {
    let name = url.path().rsplit('/').next().unwrap_or_default().to_lowercase();
    let stated = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let known = EXTENSIONS.into_iter().find(|extension| *extension == stated);
    Some(match content_type {
        "text/html" | "application/xhtml+xml" => "html",
        "application/pdf" => "pdf",
        "text/markdown" | "text/x-markdown" => "md",
        "text/plain" => known.filter(|extension| *extension != "html").unwrap_or("txt"),
        "" => known.unwrap_or("html"),
        _ => return None,
    })
}

/// A fault with its cause on one line.
fn reason(fault: &Fault) -> String {
    let cause = std::error::Error::source(fault).map(|cause| format!(": {cause}"));
    format!("{fault}{}", cause.unwrap_or_default()).one_line()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_pages_are_taken() {
        assert_eq!(address("https://x.org/a#b").unwrap().as_str(), "https://x.org/a");
        for wrong in ["x.org", "file:///etc/passwd", "ftp://x.org/", "https://u:hidden@x.org/"] {
            let fault = address(wrong).unwrap_err();
            assert_eq!(fault.kind(), Kind::Usage, "{wrong}");
            assert!(!fault.to_string().contains("hidden"), "{fault}");
        }
    }

    #[test]
    fn a_page_is_named_by_its_path() {
        let path = |url: &str| path_of(&address(url).unwrap());
        assert_eq!(path("https://x.org"), "index.html");
        assert_eq!(path("https://x.org/docs/"), "docs/");
        assert_eq!(path("https://x.org/a?b=1"), "a?b=1");
        assert_eq!(origin(&address("https://x.org:443/a").unwrap()), "https://x.org");
    }

    #[test]
    fn a_compressed_sitemap_is_unpacked_within_its_limit() {
        let gz = |content: &[u8]| {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut out, content).unwrap();
            out.finish().unwrap()
        };
        assert_eq!(unpacked(gz(b"<urlset>")).unwrap(), b"<urlset>");
        assert_eq!(unpacked(b"<urlset>".to_vec()).unwrap(), b"<urlset>");
        assert!(unpacked(gz(b"<urlset>")[..12].to_vec()).unwrap_err().contains("unpacked"));
        let bomb = gz(&vec![b' '; (MAX_SITEMAP_BYTES + 1) as usize]);
        assert!(unpacked(bomb).unwrap_err().contains("50 MiB"));
        assert!(is_sitemap(&address("https://x.org/sitemap-1.xml.gz").unwrap()));
    }

    #[test]
    fn the_encoding_that_a_server_states_counts() {
        let page = b"<meta charset=utf-8>Gr\xFC\xDFe".to_vec();
        let read = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let marked = in_utf8(page.clone(), Some("iso-8859-1"));
        assert_eq!(read(&marked), "\u{feff}<meta charset=utf-8>Grüße");
        for charset in [None, Some("utf-8"), Some("no-such-charset")] {
            assert_eq!(in_utf8(page.clone(), charset), page, "{charset:?}");
        }
        let plain = "Grüße".as_bytes().to_vec();
        assert_eq!(in_utf8(plain.clone(), Some("utf-8")), plain);
    }

    #[test]
    fn sitemaps_list_addresses() {
        let map = "<urlset><url><loc>\n https://x.org/a?b&amp;c </loc></url>\
                   <url><loc><![CDATA[https://x.org/d]]></loc></url></urlset>";
        assert_eq!(locations(map), ["https://x.org/a?b&c", "https://x.org/d"]);
    }

    #[test]
    fn the_type_of_a_page_selects_its_format() {
        let check = |content_type: &str, url: &str, expected: Option<&str>| {
            assert_eq!(extension(content_type, &address(url).unwrap()), expected, "{content_type}");
        };
        check("text/html", "https://x.org/a.pdf", Some("html"));
        check("text/plain", "https://x.org/a.rst", Some("rst"));
        check("text/plain", "https://x.org/a", Some("txt"));
        check("application/pdf", "https://x.org/a", Some("pdf"));
        check("image/png", "https://x.org/a.png", None);
    }
}
