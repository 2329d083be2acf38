//! Engines in a build without the feature `cluster`: none is ever opened.

use super::space::{Generation, Proposed, Rows, Status};
use crate::config::{NearestPlace, OnFailure};
use crate::error::{Fault, Result};
use crate::ledger::Migration;

/// Any of them. Never constructed.
pub enum LeftOut {}

impl LeftOut {
    /// # Errors
    /// Always.
    pub fn open(_: &NearestPlace) -> Result<Self> {
        Err(Fault::left_out("cluster"))
    }

    pub fn on_failure(&self) -> OnFailure {
        match *self {}
    }

    pub fn number(&self, _: &Generation) -> Result<Option<i64>> {
        match *self {}
    }

    pub fn propose(&self, _: &Generation, _: i64, _: &[f32], _: usize) -> Result<Vec<Proposed>> {
        match *self {}
    }

    pub fn publish(&self, _: &Generation, _: &Rows<'_>) -> Result<()> {
        match *self {}
    }

    pub fn retire(&self, _: &str, _: &[Generation]) -> Result<()> {
        match *self {}
    }

    pub fn check(&self) -> Result<String> {
        match *self {}
    }

    pub fn migrate(&self) -> Result<Migration> {
        match *self {}
    }

    pub fn status(&self) -> Status {
        match *self {}
    }
}
