//! Buckets in a build without the feature `cluster`: a fault that says so.

use std::path::Path;

use super::object::{Answer, Content, Object, Tag};
use crate::config::DepotPlace;
use crate::error::{Fault, Result};

/// Never constructed.
#[derive(Debug)]
pub enum Bucket {}

impl Bucket {
    /// # Errors
    /// Always.
    pub fn open(_: &DepotPlace) -> Result<Self> {
        Err(Fault::left_out("cluster"))
    }

    pub fn url(&self) -> &str {
        match *self {}
    }

    pub fn read(&self, _: &str) -> Result<Option<Content>> {
        match *self {}
    }

    pub fn write(&self, _: &str, _: &[u8]) -> Result<()> {
        match *self {}
    }

    pub fn put_if(&self, _: &str, _: Option<&Tag>, _: &[u8]) -> Answer {
        match *self {}
    }

    pub fn find(&self, _: &str) -> Result<Option<Object>> {
        match *self {}
    }

    pub fn upload(&self, _: &str, _: &Path, _: &dyn Fn() -> bool) -> Result<()> {
        match *self {}
    }

    pub fn download(&self, _: &str, _: &Path, _: u64, _: &dyn Fn() -> bool) -> Result<bool> {
        match *self {}
    }

    pub fn list(&self, _: &str) -> Result<Vec<Object>> {
        match *self {}
    }

    pub fn is_versioned(&self) -> bool {
        match *self {}
    }

    pub fn delete(&self, _: &str) -> Result<()> {
        match *self {}
    }
}
