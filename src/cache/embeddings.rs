//! Vectors by text. The key depends on the content, so a row cannot be stale, only damaged.

use super::rows::{Lookup, Reading};
use super::store::Cache;
use super::table::{Key, Table};
use crate::vector::Vector;

impl Key {
    /// Of the vector of a text.
    pub fn embedding(model: &str, role: &str, text: &str) -> Self {
        Self::of("embedding v1", [model.as_bytes(), role.as_bytes(), text.as_bytes()])
    }
}

impl Cache {
    /// The cached vector; counts a hit or a miss. A bad row is a miss.
    pub fn embedding(
        &self,
        key: &Key,
        model: &str,
        dimension: usize,
        now_s: i64,
    ) -> Option<Vector> {
        let lookup = Lookup { table: Table::Embeddings, key, scope: model, now_s };
        self.find(lookup, |bytes| Reading::of(Vector::from_bytes(bytes, dimension)))
    }

    /// Stores vectors and writes them to the file.
    pub fn put_embeddings(&self, model: &str, rows: &[(Key, Vector)], now_s: i64) {
        for (key, vector) in rows {
            self.put(Table::Embeddings, *key, model, vector.to_bytes(), now_s);
        }
        self.flush();
    }
}
