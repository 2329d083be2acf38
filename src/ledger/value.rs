//! Parameters and rows of statements, and reports about the database.

use std::time::Duration;

use serde_json::Value as Json;

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Param {
    Null,
    Text(String),
    Int(i64),
    Real(f64),
    Flag(bool),
    Json(Json),
}

impl Param {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub fn of<T>(value: Option<T>, make: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Null, make)
    }
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Text(String),
    Int(i64),
    Real(f64),
    Flag(bool),
    Json(Json),
}

/// A row. A column of another type reads as the default value of the asked one.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub Vec<Cell>);

impl Row {
    pub fn text(&self, column: usize) -> String {
        match self.0.get(column) {
            Some(Cell::Text(text)) => text.clone(),
            _ => String::new(),
        }
    }

    pub fn int(&self, column: usize) -> i64 {
        match self.0.get(column) {
            Some(Cell::Int(n)) => *n,
            _ => 0,
        }
    }

    pub fn real(&self, column: usize) -> f64 {
        match self.0.get(column) {
            Some(Cell::Real(x)) => *x,
            _ => 0.0,
        }
    }

    pub fn flag(&self, column: usize) -> bool {
        matches!(self.0.get(column), Some(Cell::Flag(true)))
    }

    pub fn json(&self, column: usize) -> Json {
        match self.0.get(column) {
            Some(Cell::Json(json)) => json.clone(),
            _ => Json::Null,
        }
    }
}

/// What a migration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    pub from: u32,
    pub to: u32,
}

/// The state of the connections, for health checks and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether the last statement got an answer.
    pub is_well: bool,
    pub open: usize,
    pub used: usize,
    pub most: usize,
    /// Of the last answer.
    pub latency: Option<Duration>,
}
