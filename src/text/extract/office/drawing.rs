//! What a part draws: the labels and values of charts, the text of diagrams and text boxes.

use super::super::build::Build;
use super::super::doc::{BlockKind, NoText};
use super::super::table::Table;
use super::super::xml::{self, Node};
use super::archive::Archive;
use super::number;

/// Writes the charts, diagrams and drawings that a part refers to.
pub(super) fn write(
    archive: &mut Archive<'_>,
    part: &str,
    build: &mut Build,
) -> Result<(), NoText> {
    let mut drawings = vec![part.to_owned()];
    // A sheet refers to its drawing, which refers to charts.
    while let Some(drawing) = drawings.pop() {
        let mut related: Vec<(String, String)> =
            archive.relations(&drawing)?.into_values().collect();
        related.sort();
        related.dedup();
        for (kind, path) in related {
            match kind.as_str() {
                "chart" => {
                    if let Some(text) = archive.text(&path)? {
                        Chart::read(&text)?.write(build);
                    }
                }
                "drawing" if drawing == part => {
                    if let Some(text) = archive.text(&path)? {
                        texts(&text, build)?;
                    }
                    drawings.push(path);
                }
                "diagramData" => {
                    if let Some(text) = archive.text(&path)? {
                        texts(&text, build)?;
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// The description of a picture for readers who cannot see it. Programs that have none give the
/// name of a file.
pub(super) fn description(element: &xml::Element) -> Option<&str> {
    let text = element.get("descr")?.trim();
    let text = text.trim_end_matches("Description automatically generated").trim();
    let is_file_name = !text.contains(char::is_whitespace) && text.contains('.');
    (!text.is_empty() && !is_file_name).then_some(text)
}

/// The paragraphs of a drawing or a diagram, and the descriptions of its pictures.
fn texts(text: &str, build: &mut Build) -> Result<(), NoText> {
    let (mut paragraph, mut in_text) = (String::new(), false);
    xml::walk(text, &mut |node| {
        match node {
            Node::Open(element) => match element.name.as_str() {
                "p" => paragraph.clear(),
                "t" => in_text = true,
                "br" => paragraph.push('\n'),
                "cNvPr" if !is_hidden(element) => {
                    if let Some(text) = description(element) {
                        build.block(BlockKind::Paragraph, text);
                    }
                }
                _ => {}
            },
            Node::Text(text) if in_text => paragraph.push_str(text),
            Node::Close("t") => in_text = false,
            Node::Close("p") => {
                return build.block(BlockKind::Paragraph, &std::mem::take(&mut paragraph));
            }
            _ => {}
        }
        true
    })
}

pub(super) fn is_hidden(element: &xml::Element) -> bool {
    matches!(element.get("hidden"), Some("1" | "true"))
}

/// Maximum points of a series.
const MAX_POINTS: usize = 100_000;

#[derive(Default)]
struct Series {
    name: String,
    labels: Vec<String>,
    values: Vec<String>,
}

/// A chart as its titles and a table of its values.
#[derive(Default)]
struct Chart {
    titles: Vec<String>,
    series: Vec<Series>,
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    None,
    Name,
    Label,
    Value,
}

impl Chart {
    fn read(text: &str) -> Result<Self, NoText> {
        let mut chart = Self::default();
        let mut role = Role::None;
        let (mut in_series, mut in_title, mut in_text) = (false, false, false);
        let (mut format, mut in_format) = (String::new(), false);
        let (mut point, mut value, mut n_points) = (0_usize, String::new(), 0_usize);
        xml::walk(text, &mut |node| {
            match node {
                Node::Open(element) => match element.name.as_str() {
                    "ser" => {
                        chart.series.push(Series::default());
                        (in_series, role) = (true, Role::None);
                    }
                    "title" => {
                        chart.titles.push(String::new());
                        in_title = true;
                    }
                    "tx" if in_series => role = Role::Name,
                    "cat" | "xVal" if in_series => role = Role::Label,
                    "val" | "yVal" | "bubbleSize" if in_series => role = Role::Value,
                    "numCache" | "numLit" => "General".clone_into(&mut format),
                    "formatCode" => {
                        format.clear();
                        in_format = true;
                    }
                    "pt" => {
                        point = element.get("idx").and_then(|n| n.parse().ok()).unwrap_or(0);
                    }
                    "v" | "t" => {
                        in_text = true;
                        value.clear();
                    }
                    _ => {}
                },
                Node::Text(text) if in_format => format.push_str(text),
                Node::Text(text) if in_text => value.push_str(text),
                Node::Text(_) => {}
                Node::Close(name) => match name {
                    "ser" => in_series = false,
                    "title" => in_title = false,
                    "formatCode" => in_format = false,
                    "tx" | "cat" | "xVal" | "val" | "yVal" | "bubbleSize" => role = Role::None,
                    "numCache" | "numLit" => format.clear(),
                    "v" | "t" => {
                        in_text = false;
                        n_points += 1;
                        if in_title {
                            if let Some(title) = chart.titles.last_mut() {
                                title.push_str(&value);
                            }
                        } else if let Some(series) = chart.series.last_mut().filter(|_| in_series) {
                            let shown = match value.trim().parse::<f64>() {
                                Ok(n) if !format.is_empty() => number::shown(n, &format, false),
                                _ => value.clone(),
                            };
                            let list = match role {
                                Role::Name => {
                                    series.name.push_str(&shown);
                                    return true;
                                }
                                Role::Label => &mut series.labels,
                                Role::Value => &mut series.values,
                                Role::None => return true,
                            };
                            if point < MAX_POINTS && point <= list.len() + 1000 {
                                if list.len() <= point {
                                    list.resize(point + 1, String::new());
                                }
                                list[point] = shown;
                            }
                        }
                    }
                    _ => {}
                },
            }
            n_points < MAX_POINTS * 10
        })?;
        Ok(chart)
    }

    fn write(self, build: &mut Build) {
        for title in &self.titles {
            build.block(BlockKind::Paragraph, title);
        }
        let is_named = self.series.iter().any(|series| !series.name.trim().is_empty());
        let n_rows = self.series.iter().map(|s| s.values.len().max(s.labels.len())).max();
        let mut table = Table { headers: usize::from(is_named), ..Table::default() };
        if is_named {
            let names = self.series.iter().map(|series| series.name.clone());
            table.rows.push(std::iter::once(String::new()).chain(names).collect());
        }
        for n in 0..n_rows.unwrap_or(0).min(MAX_POINTS) {
            let label = self.series.iter().find_map(|series| series.labels.get(n)).cloned();
            let values =
                self.series.iter().map(|series| series.values.get(n).cloned().unwrap_or_default());
            table.rows.push(std::iter::once(label.unwrap_or_default()).chain(values).collect());
        }
        table.write(build);
    }
}
