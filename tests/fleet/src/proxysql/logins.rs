//! Who may log in: admin, stats and database users in one table, where the last of a name wins.

use std::collections::HashMap;

use super::auth;
use super::modules::Runtime;
use super::store::TextRow;

/// Variables that put users into the table.
const CREDENTIALS: [(&str, Side); 2] =
    [("admin-admin_credentials", Side::Admin), ("admin-stats_credentials", Side::Stats)];

/// What a user may log in to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The admin port, for everything.
    Admin,
    /// The admin port, to look at statistics.
    Stats,
    /// The port for clients.
    Clients,
}

/// One user of the table.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) password: String,
    pub(crate) side: Side,
}

/// All users, by name.
pub(crate) type Logins = HashMap<String, Account>;

impl Runtime {
    /// Makes the table anew, as a start and every load of users do. Rows of users in runtime are of the frontend or of the backend.
    pub(crate) fn make_logins(&mut self) {
        self.logins.clear();
        for (name, side) in CREDENTIALS {
            let value = self.variable(name).to_owned();
            self.add(&value, side);
        }
        let value = |row: &TextRow, column: usize| row.get(column).cloned().flatten().unwrap_or_default();
        let rows = self.rows.get("mysql_users").into_iter().flatten();
        let users = rows.filter(|row| value(row, 10) == "1");
        let users: Vec<_> =
            users.map(|row| (value(row, 0), Account { password: value(row, 1), side: Side::Clients })).collect();
        self.logins.extend(users);
    }

    /// A variable changes. What differs in upper and lower case alone is no change to the table, and who is taken out of a list is gone
    /// from it, whoever else has the name.
    pub(crate) fn change_logins(&mut self, name: &str, before: &str, value: &str) {
        let Some((_, side)) = CREDENTIALS.iter().find(|(known, _)| *known == name) else { return };
        if before.eq_ignore_ascii_case(value) {
            return;
        }
        for (user, _) in auth::pairs(before) {
            self.logins.remove(user);
        }
        self.add(value, *side);
    }

    fn add(&mut self, credentials: &str, side: Side) {
        let users = auth::pairs(credentials);
        let users = users.map(|(user, password)| (user.to_owned(), Account { password: password.to_owned(), side }));
        self.logins.extend(users);
    }
}
