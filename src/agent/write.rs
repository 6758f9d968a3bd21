//! A file that `ProxySQL` does not see, written into its memory as it would read it itself.

use std::collections::BTreeMap;

use super::Proxysql;
use crate::domain::config_file::{Reading, written, written_variables};
use crate::domain::proxysql::statement::{Module, Shape, Statement};
use crate::edge::admin::AdminError;

/// Adds to memory what the file has of a module, entry by entry. What `ProxySQL` refuses is passed over, as it does itself. Gives the number
/// of entries that it would count.
pub(super) async fn write<P: Proxysql>(module: Module, reading: &Reading, admin: &mut P) -> Result<u64, AdminError> {
    let mut kinds: BTreeMap<String, BTreeMap<String, bool>> = BTreeMap::new();
    for row in admin.run(&Statement::ColumnKinds(module)).await?.rows {
        let Ok([table, column, kind]) = <[String; 3]>::try_from(row) else { continue };
        kinds.entry(table).or_default().insert(column, kind.to_ascii_uppercase().starts_with("INT"));
    }
    let (mut count, mut rows) = (0, Vec::new());
    for table in module.tables() {
        let name = module.section_of(*table);
        let (Some(section), Some(kinds)) = (reading.section(name), kinds.get(table.name)) else { continue };
        let found = match table.shape {
            Shape::Variables(prefix) => written_variables(prefix, section.settings()),
            Shape::NotInConfigFile => continue,
            _ => written(*table, section, kinds),
        };
        count += found.counted;
        rows.extend(found.rows.into_iter().map(|row| (*table, row)));
    }
    for (table, row) in rows {
        match admin.run(&Statement::WriteRow(table, row)).await {
            Err(error) if !error.is_refusal() => return Err(error),
            _ => {}
        }
    }
    Ok(count)
}
