//! `stats_mysql_query_digest`: rows that are kept, or rows that are generated while they are read.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::host::Life;
use super::log::Outcome;
use super::store::{Store, TextRow};
use super::wire::Wire;

/// Makes the row with a number from 0 on.
type Generator = Arc<dyn Fn(u64) -> TextRow + Send + Sync>;

#[derive(Clone, Default)]
pub(crate) struct Digests {
    generated: Option<(u64, Generator)>,
}

impl fmt::Debug for Digests {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Digests").field("rows", &self.generated.as_ref().map(|(rows, _)| rows)).finish()
    }
}

impl Digests {
    pub(crate) fn is_generated(&self) -> bool {
        self.generated.is_some()
    }

    pub(crate) fn clear(&mut self) {
        self.generated = None;
    }
}

/// Reading the twin that resets empties both.
pub(crate) fn read(_life: &Life, store: &Store, sql: &str) {
    if sql.contains("stats_mysql_query_digest_reset") {
        // Nothing else can be in the way of it.
        let _ = store
            .script("DELETE FROM stats.stats_mysql_query_digest; DELETE FROM stats.stats_mysql_query_digest_reset");
    }
}

pub(crate) async fn stream<S: AsyncRead + AsyncWrite + Unpin>(
    _digests: Digests,
    _sql: String,
    _wire: &mut Wire<S>,
) -> io::Result<(u64, Outcome)> {
    Ok((0, Outcome::Open))
}
