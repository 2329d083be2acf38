//! Vectors by text. The key is content-addressed, so a row cannot go stale; it can only be damaged.

use super::rows::Reading;
use super::{Cache, Key, Table};
use crate::vector::Vector;

impl Key {
    /// Of the vector of a text.
    pub fn embedding(model: &str, role: &str, text: &str) -> Self {
        Self::of("embedding v1", [model.as_bytes(), role.as_bytes(), text.as_bytes()])
    }
}

impl Cache {
    /// The vector kept under `key`; counts a hit or a miss. A bad row is a miss.
    pub fn embedding(
        &self,
        key: &Key,
        model: &str,
        dimension: usize,
        now_s: i64,
    ) -> Option<Vector> {
        self.find(Table::Embeddings, key, model, now_s, |bytes| {
            Reading::of(Vector::from_bytes(bytes, dimension))
        })
    }

    /// Keeps vectors for good, replacing rows of the same keys. What cannot be kept is forgotten: a
    /// cache may lose rows.
    pub fn keep_embeddings(&self, model: &str, rows: &[(Key, Vector)], now_s: i64) {
        for (key, vector) in rows {
            self.keep(Table::Embeddings, *key, model, vector.to_bytes(), now_s);
        }
        self.flush();
    }
}
