//! Who could log in to the admin port with a configuration file in effect, as far as that can be told without trying.
//!
//! `ProxySQL` keeps admin, stats and database users in one table, made anew at each start: the users of `admin_credentials` first, then those
//! of `stats_credentials`, then those of `mysql_users`, and the last of a name wins. A list is split at every `;` and `:`, without
//! trimming; empty parts do not count, and what follows a second `:` is dropped. A password that begins with `*` is taken for a hash.
//!
//! What is found here is refused before anything is loaded, and so is known to a plan, too. It is not what decides: after a load, the agent
//! logs in afresh.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use sha1::{Digest as _, Sha1};

/// Who may log in, by the file, and who has to.
#[derive(Clone, Default)]
pub struct Credentials {
    /// `admin-admin_credentials`: `user:password`, separated by `;`.
    pub admin: String,
    /// `admin-stats_credentials`.
    pub stats: String,
    /// `admin-cluster_username`.
    pub cluster_username: String,
    /// `admin-cluster_password`.
    pub cluster_password: String,
    /// Names of active database users for the frontend.
    pub database_users: BTreeSet<String>,
    /// `admin-admin_credentials` and `admin-stats_credentials` as in effect.
    pub in_effect: (String, String),
    /// Whether this node follows others at present.
    pub clustered: bool,
    /// `admin-read_only`.
    pub read_only: bool,
}

/// Whom a name belongs to.
enum Holder<'a> {
    Admin(&'a str),
    Stats,
    Database,
    Nobody,
}

impl Credentials {
    /// Reads the answer to [`crate::domain::proxysql::statement::Statement::Credentials`].
    pub fn read(rows: &[Vec<String>]) -> Self {
        let mut found = Self::default();
        for row in rows {
            let [name, value] = row.as_slice() else { continue };
            match name.as_str() {
                "admin-admin_credentials" => found.admin.clone_from(value),
                "admin-stats_credentials" => found.stats.clone_from(value),
                "admin-cluster_username" => found.cluster_username.clone_from(value),
                "admin-cluster_password" => found.cluster_password.clone_from(value),
                "admin-read_only" => found.read_only = matches!(value.to_ascii_lowercase().as_str(), "true" | "1"),
                "user" => drop(found.database_users.insert(value.clone())),
                "runtime admin-admin_credentials" => found.in_effect.0.clone_from(value),
                "runtime admin-stats_credentials" => found.in_effect.1.clone_from(value),
                _ => found.clustered = !value.is_empty(),
            }
        }
        found
    }

    /// Why the file must not take effect: the agent itself or the other nodes could not log in any more. `password` is that of the
    /// agent, `None` where it cannot be read at the moment.
    pub fn lockout(&self, username: &str, password: Option<&str>) -> Option<String> {
        if self.read_only {
            return Some(
                "read_only is true in it: ProxySQL would let nobody change anything, this agent neither".to_owned(),
            );
        }
        let lists = [("admin", &self.admin, &self.in_effect.0), ("stats", &self.stats, &self.in_effect.1)];
        for (list, wanted, in_effect) in lists {
            if wanted != in_effect && wanted.eq_ignore_ascii_case(in_effect) {
                return Some(format!(
                    "{list}_credentials in it differs from what is in effect in upper and lower case alone, which ProxySQL \
                     takes for no change until it restarts; a ';' at its end makes it one"
                ));
            }
        }
        if let Some(reason) = self.rejection(username, password) {
            return Some(format!("{}{reason}", subject("the agent's own user", username, "its password")));
        }
        if self.cluster_username.is_empty() {
            return self.clustered.then(|| "cluster_username is empty in it, and this node follows others".to_owned());
        }
        let reason = self.rejection(&self.cluster_username, Some(&self.cluster_password))?;
        Some(format!("{}{reason}", subject("the cluster's user", &self.cluster_username, "cluster_password")))
    }

    /// Why somebody would not be let in.
    fn rejection(&self, username: &str, password: Option<&str>) -> Option<&'static str> {
        match self.holder(username) {
            Holder::Admin(stored) => password.is_some_and(|password| !fits(password, stored)).then_some(""),
            Holder::Stats => Some(": stats_credentials has the name, too, and could only look at statistics"),
            Holder::Database => {
                Some(": a database user of mysql_users has the name, too, and the last of a name counts")
            }
            Holder::Nobody => Some(""),
        }
    }

    fn holder(&self, username: &str) -> Holder<'_> {
        let last = |list| pairs(list).filter(|(user, _)| *user == username).map(|(_, password)| password).last();
        if self.database_users.contains(username) {
            return Holder::Database;
        }
        match (last(&self.stats), last(&self.admin)) {
            (Some(_), _) => Holder::Stats,
            (None, Some(password)) => Holder::Admin(password),
            (None, None) => Holder::Nobody,
        }
    }
}

fn subject(who: &str, username: &str, by: &str) -> String {
    format!("admin_credentials in it does not let {who} {username} in with {by}")
}

fn pairs(list: &str) -> impl Iterator<Item = (&str, &str)> {
    list.split(';').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut parts = pair.split(':').filter(|part| !part.is_empty());
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    })
}

/// Whether the password is the one that is stored. What only `ProxySQL` can tell counts as yes.
fn fits(password: &str, stored: &str) -> bool {
    match stored.strip_prefix('*') {
        Some(hash) => hash.eq_ignore_ascii_case(&native_hash(password)),
        None => stored.starts_with("$A$") || stored == password,
    }
}

fn native_hash(password: &str) -> String {
    Sha1::digest(Sha1::digest(password)).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("cluster_username", &self.cluster_username).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(admin: &str) -> Credentials {
        Credentials {
            admin: admin.into(),
            cluster_username: "cluster".into(),
            cluster_password: "c".into(),
            in_effect: (admin.into(), String::new()),
            ..Credentials::default()
        }
    }

    fn refused(credentials: &Credentials) -> bool {
        credentials.lockout("radmin", Some("r")).is_some()
    }

    #[test]
    fn whoever_is_let_in_by_the_list_is_let_in_here() {
        // Hash of "r", and one of another password.
        let hash = native_hash("r");
        for good in [
            "radmin:r;cluster:c".to_owned(),
            ";;cluster:c;radmin:r:dropped;".to_owned(),
            format!("radmin:*{hash};cluster:c"),
            format!("radmin:*{};cluster:c", hash.to_ascii_lowercase()),
            "radmin:old;radmin:r;cluster:c".to_owned(),
            "radmin:$A$005$abc;cluster:c".to_owned(),
        ] {
            assert_eq!(credentials(&good).lockout("radmin", Some("r")), None, "{good}");
        }
        assert_eq!(credentials("radmin:r;cluster:c").lockout("radmin", None), None, "the password cannot be read now");
    }

    #[test]
    fn ten_ways_to_be_locked_out_are_told_from_the_list_alone() {
        let other = native_hash("other");
        for bad in [
            "cluster:c".to_owned(),
            "radmin:R;cluster:c".to_owned(),
            "radmin;cluster:c".to_owned(),
            " radmin:r;cluster:c".to_owned(),
            "radmin :r;cluster:c".to_owned(),
            "radmin: r;cluster:c".to_owned(),
            "radmin:r".to_owned(),
            "radmin:r; cluster:c".to_owned(),
            "radmin:r;radmin:x;cluster:c".to_owned(),
            format!("radmin:*{other};cluster:c"),
            "radmin:*r;cluster:c".to_owned(),
            "radmin:r;cluster:x".to_owned(),
        ] {
            assert!(refused(&credentials(&bad)), "{bad}");
        }
    }

    #[test]
    fn the_last_of_a_name_counts_and_case_alone_is_no_change_to_proxysql() {
        let good = credentials("radmin:r;cluster:c");
        let user = |name: &str| Credentials { database_users: [name.to_owned()].into(), ..good.clone() };
        assert!(refused(&user("radmin")) && refused(&user("cluster")) && !refused(&user("app")));
        let stats = |list: &str| Credentials {
            stats: list.into(),
            in_effect: (good.admin.clone(), list.into()),
            ..good.clone()
        };
        assert!(refused(&stats("s:s;radmin:r")) && refused(&stats("cluster:c")) && !refused(&stats("stats:stats")));
        let case = Credentials { in_effect: ("radmin:R;cluster:c".into(), String::new()), ..good.clone() };
        assert!(case.lockout("radmin", Some("r")).unwrap().contains("upper and lower case"));
        assert!(refused(&Credentials { read_only: true, ..good.clone() }));
        let hashed = Credentials { cluster_password: format!("*{}", native_hash("c")), ..good.clone() };
        assert!(refused(&hashed), "it is sent as it stands");
        let alone = Credentials { cluster_username: String::new(), ..good };
        assert_eq!(alone.lockout("radmin", Some("r")), None);
        assert!(refused(&Credentials { clustered: true, ..alone }));
    }

    #[test]
    fn no_password_is_in_its_debug_form() {
        assert!(!format!("{:?}", credentials("radmin:r-secret;cluster:c")).contains("r-secret"));
    }
}
