//! `robots.txt` (RFC 9309): which pages of a site a program may ask for, and how often.

use std::time::Duration;

use crate::strings::StrExt as _;

/// A server that asks for longer pauses is visited with these.
const MAX_DELAY: Duration = Duration::from_secs(30);

/// The rules of a site for this program.
#[derive(Debug, Default)]
pub(super) struct Robots {
    /// Whether a path that the pattern matches is allowed.
    rules: Vec<(String, bool)>,
    pub delay: Option<Duration>,
    pub sitemaps: Vec<String>,
}

impl Robots {
    /// The rules of the groups that name `rag`, or else of those for all programs.
    pub fn parse(text: &str) -> Self {
        let (mut own, mut all) = (Self::default(), Self::default());
        let mut has_own = false;
        let mut sitemaps = Vec::new();
        // The programs that the current group is for: this one, all.
        let mut group = (false, false);
        let mut in_names = false;
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let Some((key, value)) = line.split_once(':') else { continue };
            let (key, value) = (key.trim().to_lowercase(), value.trim());
            if key == "sitemap" {
                sitemaps.push(value.to_owned());
                continue;
            }
            if key == "user-agent" {
                if !in_names {
                    group = (false, false);
                }
                group.0 |= value.eq_ignore_ascii_case("rag");
                group.1 |= value == "*";
                has_own |= group.0;
                in_names = true;
                continue;
            }
            in_names = false;
            for (robots, _) in
                [(&mut own, group.0), (&mut all, group.1)].into_iter().filter(|g| g.1)
            {
                robots.add(&key, value);
            }
        }
        Self { sitemaps, ..if has_own { own } else { all } }
    }

    fn add(&mut self, key: &str, value: &str) {
        match key {
            "allow" | "disallow" if !value.is_empty() => {
                self.rules.push((value.to_owned(), key == "allow"));
            }
            "crawl-delay" => {
                let seconds = value.parse().ok().filter(|seconds: &f64| *seconds >= 0.0);
                let delay = seconds.map(|s| Duration::try_from_secs_f64(s).unwrap_or(MAX_DELAY));
                self.delay = delay.map(|delay| delay.min(MAX_DELAY));
            }
            _ => {}
        }
    }

    /// Whether a path with its query may be asked for: the longest pattern decides, and of two
    /// equally long ones the one that allows.
    pub fn allows(&self, path: &str) -> bool {
        let matching = self.rules.iter().filter(|(pattern, _)| matches(pattern, path));
        let longest = matching.max_by_key(|(pattern, allows)| (pattern.len(), *allows));
        longest.is_none_or(|(_, allows)| *allows)
    }
}

/// Whether a path begins with a pattern, in which `*` matches any text and `$` the end.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, is_whole) = match pattern.strip_suffix('$') {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let mut parts = pattern.split('*');
    let Some(mut rest) = path.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (n, part) in parts.iter().enumerate() {
        let is_last = n + 1 == parts.len();
        if is_last && is_whole {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = rest.slice(at + part.len()..);
    }
    !is_whole || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_rule_of_the_own_group_decides() {
        let text = "User-agent: *\nDisallow: /private\nAllow: /private/open\nDisallow: /*.zip$\n\
                    Crawl-delay: 2\n\nUser-agent: other\nDisallow: /\n\
                    Sitemap: https://x.org/map.xml # all\n";
        let robots = Robots::parse(text);
        let check =
            |path: &str, expected: bool| assert_eq!(robots.allows(path), expected, "{path}");
        check("/", true);
        check("/private/a", false);
        check("/private/open/a", true);
        check("/a/b.zip", false);
        check("/a/b.zip?x", true);
        assert_eq!(robots.delay, Some(Duration::from_secs(2)));
        assert_eq!(robots.sitemaps, ["https://x.org/map.xml"]);

        let own = Robots::parse(
            "User-agent: a\nUser-agent: RAG\nDisallow: /x\n\nUser-agent: *\nDisallow: /\n",
        );
        assert!(own.allows("/y") && !own.allows("/x/1"));
        assert!(Robots::parse("").allows("/anything"));
        assert!(Robots::parse("User-agent: *\nDisallow:\n").allows("/anything"));
    }
}
