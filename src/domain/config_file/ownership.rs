//! Which rows a module should have: those of each of its owners, table by table. A row that no owner wants is removed.

use crate::domain::proxysql::module::{Shape, Table};

/// Who wants rows in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The configuration file.
    File,
    /// `ProxySQL` as it runs: the rows that it has stay, by whichever client they were loaded.
    Runtime,
}

/// Whose rows a table gets, in the order in which they are written. Of two rows with the same key the one that is written first stays: the file
/// comes before every other owner.
///
/// `in_file` is how many rows the file has for the table. A table that older versions of `ProxySQL` cannot express in their file is the
/// file's only where the file has rows for it.
pub fn owners(table: Table, in_file: u64) -> &'static [Owner] {
    if table.shape == Shape::NotInConfigFile && in_file == 0 { &[Owner::File, Owner::Runtime] } else { &[Owner::File] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::proxysql::module::Module;

    #[test]
    fn the_file_owns_every_table_and_comes_first() {
        for table in Module::in_file().flat_map(|module| module.tables().iter().copied()) {
            for in_file in [0, 1, 7] {
                let owners = owners(table, in_file);
                assert_eq!(owners.first(), Some(&Owner::File), "{}", table.name);
                assert!(owners.is_sorted(), "{}", table.name);
            }
        }
    }

    #[test]
    fn what_an_older_file_cannot_express_stays_as_it_runs_unless_the_file_has_it() {
        let tables: Vec<Table> = Module::in_file().flat_map(|module| module.tables().iter().copied()).collect();
        let kept = |in_file| -> Vec<&str> {
            tables.iter().filter(|table| owners(**table, in_file).contains(&Owner::Runtime)).map(|t| t.name).collect()
        };
        assert!(kept(0).contains(&"mysql_query_rules_fast_routing"), "{:?}", kept(0));
        assert!(!kept(0).contains(&"mysql_users"));
        assert_eq!(kept(1), Vec::<&str>::new());
    }
}
