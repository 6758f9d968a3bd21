//! Statements that belong together.

use std::fmt;

use super::{Module, Statement};

/// Statements in the order in which they are sent. Empty means that there is nothing to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan(Vec<Statement>);

impl Plan {
    /// Adds a statement at the end.
    #[must_use]
    pub fn then(mut self, statement: Statement) -> Self {
        self.0.push(statement);
        self
    }

    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The statements, in order.
    pub fn statements(&self) -> &[Statement] {
        &self.0
    }

    /// The modules whose epoch the plan moves.
    pub fn loads(&self) -> impl Iterator<Item = Module> + '_ {
        self.0.iter().filter_map(Statement::loads)
    }
}

impl From<Vec<Statement>> for Plan {
    fn from(statements: Vec<Statement>) -> Self {
        Self(statements)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, statement) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            statement.fmt(f)?;
        }
        Ok(())
    }
}
