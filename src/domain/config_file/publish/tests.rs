use super::*;

const USERS: Table = Module::MysqlUsers.tables()[0];
const VARIABLES: Table = Module::MysqlVariables.tables()[0];

fn columns(names: &[&str], keys: usize) -> Vec<Column> {
    names.iter().enumerate().map(|(i, name)| Column { name: (*name).to_owned(), key: i < keys }).collect()
}

fn row(values: &[&str]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn users(rows: &[&[&str]]) -> Vec<Difference> {
    let rows: Vec<_> = rows.iter().map(|values| row(values)).collect();
    differences(USERS, &columns(&["username", "backend", "password", "comment"], 2), &rows)
}

fn variables(rows: &[&[&str]]) -> Vec<Difference> {
    let rows: Vec<_> = rows.iter().map(|values| row(values)).collect();
    differences(VARIABLES, &columns(&["variable_name", "variable_value"], 1), &rows)
}

#[test]
fn rows_are_paired_by_their_key() {
    let found = users(&[
        &["file", "app", "1", "", "new"],
        &["runtime", "app", "1", "", "old"],
        &["file", "here", "0", "", ""],
        &["file", "here", "1", "", ""],
        &["runtime", "gone", "0", "", ""],
    ]);
    let cell = Cell { column: "comment".into(), from: Some("old".into()), to: Some("new".into()) };
    assert_eq!(
        found.iter().map(|d| (d.to_string(), d.change.clone())).collect::<Vec<_>>(),
        [
            ("~app".to_owned(), Change::Changed(vec![cell])),
            ("-gone".to_owned(), Change::Removed),
            ("+here".to_owned(), Change::Added),
        ]
    );
}

#[test]
fn a_row_that_differs_in_nothing_that_is_shown_differs_in_a_secret() {
    let found = users(&[&["file", "app", "1", "", "same"], &["runtime", "app", "1", "", "same"]]);
    let secret = Cell { column: "password".into(), from: None, to: None };
    assert_eq!(found[0].change, Change::Changed(vec![secret]));
}

#[test]
fn variables_that_the_file_does_not_name_are_no_difference() {
    assert_eq!(variables(&[&["runtime", "mysql-max_connections", "1"]]), []);
    assert_eq!(variables(&[&["file", "mysql-nosuch", "1"]])[0].change, Change::Added);
}

#[test]
fn truth_has_two_spellings() {
    for (file, runtime) in [("1", "true"), ("0", "false"), ("TRUE", "true")] {
        assert_eq!(variables(&[&["file", "mysql-x", file], &["runtime", "mysql-x", runtime]]), [], "{file}");
    }
    for (file, runtime) in [("1", "false"), ("2", "true"), ("1", "0"), ("", "false")] {
        assert_eq!(variables(&[&["file", "mysql-x", file], &["runtime", "mysql-x", runtime]]).len(), 1, "{file}");
    }
}

#[test]
fn secret_variables_differ_without_a_value() {
    let found = variables(&[&["file", "mysql-monitor_password", ""], &["runtime", "mysql-monitor_password", ""]]);
    assert_eq!(found[0].change, Change::Changed(vec![Cell { column: String::new(), from: None, to: None }]));
}

#[test]
fn some_variables_wait_for_the_next_start() {
    let threads = variables(&[&["file", "mysql-threads", "8"], &["runtime", "mysql-threads", "4"]]);
    assert!(waits_for_restart(&threads[0]));
    let other = variables(&[&["file", "mysql-max_connections", "8"], &["runtime", "mysql-max_connections", "4"]]);
    assert!(!waits_for_restart(&other[0]));
}

#[test]
fn a_file_may_say_nothing_of_a_module() {
    for (entries, has_section, spoken) in
        [(0, Some(true), true), (1, None, true), (1, Some(false), true), (0, Some(false), false), (0, None, false)]
    {
        let mention = Mention::of(entries, has_section);
        assert_eq!(matches!(mention, Mention::Spoken(_)), spoken, "{entries} {has_section:?}");
    }
    assert_eq!((Mention::of(0, Some(false)), Mention::of(0, None)), (Mention::Absent, Mention::Unknown));
}

#[test]
fn a_file_empties_users_and_servers_only_where_it_may() {
    for module in Module::all() {
        assert_eq!(empties(module, 0, 2, false).is_some(), module.is_vital(), "{module}");
        assert_eq!(empties(module, 0, 2, true), None);
        assert_eq!(empties(module, 0, 0, false), None);
        assert_eq!(empties(module, 1, 2, false), None);
    }
}

/// Where `ProxySQL` keeps a password in another form, every change of it looks the same.
#[test]
fn a_secret_is_told_from_another_by_its_digest_and_shown_by_none() {
    let of = |file: &str, runtime: &str| {
        users(&[&["file", "app", "1", file, ""], &["runtime", "app", "1", runtime, ""]]).remove(0)
    };
    let (one, other, effect) = (of("new-secret", "*HASH"), of("newer-secret", "*HASH"), of("new-secret", "*HASX"));
    assert_eq!(one.change, other.change);
    assert_eq!(one.fingerprint(), of("new-secret", "*HASH").fingerprint());
    assert_ne!(one.fingerprint(), other.fingerprint());
    assert_ne!(one.fingerprint(), effect.fingerprint());
    let variable = |value: &str| {
        let name = "admin-admin_credentials";
        variables(&[&["file", name, value], &["runtime", name, "x:hidden-secret"]]).remove(0)
    };
    assert_ne!(variable("a:one-secret").fingerprint(), variable("a:two-secret").fingerprint());
    for difference in [one, other, effect, variable("a:one-secret")] {
        let json = serde_json::to_string(&difference).unwrap();
        for text in [format!("{difference:?}"), json, difference.shown_as(), difference.to_string()] {
            assert!(!text.contains("secret") && !text.contains("*HAS"), "{text}");
        }
    }
}

/// A variable that there is not, and a value that is none, are given another value.
#[test]
fn what_a_load_did_not_bring_about_is_known_by_its_values() {
    let unknown = |value: &str| variables(&[&["file", "mysql-nosuch", value]]).remove(0);
    assert_eq!(unknown("1").fingerprint(), unknown("1").fingerprint());
    assert_ne!(unknown("1").fingerprint(), unknown("2").fingerprint());
    let version =
        variables(&[&["file", "mysql-server_version", "5.1.30"], &["runtime", "mysql-server_version", "8.0.27"]]);
    assert_eq!(version[0].shown_as(), r#"mysql-server_version="5.1.30": ProxySQL shows this as "8.0.27""#);
    assert_eq!(unknown("1").shown_as(), "mysql-nosuch: ProxySQL does not show it");
}
