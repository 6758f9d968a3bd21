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
    let candidate = |has_section, in_effect| Candidate { has_section, in_effect, ..Candidate::default() };
    for allow_empty in [false, true] {
        for (has_section, in_effect, doubtful) in
            [(Some(false), 2, false), (Some(false), 0, false), (None, 2, true), (None, 0, false)]
        {
            let judged = judge(Module::MysqlUsers, &candidate(has_section, in_effect), allow_empty);
            assert_eq!(judged, Judgement::LeaveAlone { doubtful }, "{has_section:?} {in_effect}");
        }
    }
}

#[test]
fn a_file_empties_users_and_servers_only_where_it_may() {
    for module in Module::all() {
        for (entries, has_section) in [(0, Some(true)), (3, None), (3, Some(true))] {
            let emptied = Candidate { entries, has_section, effective: 0, in_effect: 2 };
            let refused = matches!(judge(module, &emptied, false), Judgement::Refuse(_));
            assert_eq!(refused, module.is_vital(), "{module}");
            assert_eq!(judge(module, &emptied, true), Judgement::Publish);
            assert_eq!(judge(module, &Candidate { in_effect: 0, ..emptied.clone() }, false), Judgement::Publish);
            assert_eq!(judge(module, &Candidate { effective: 1, ..emptied }, false), Judgement::Publish);
        }
    }
}

#[test]
fn a_file_must_let_the_agent_and_the_cluster_in() {
    let good = Credentials {
        admin: "admin:admin;radmin:s3;cluster:c1".into(),
        cluster_username: "cluster".into(),
        cluster_password: "c1".into(),
        clustered: true,
    };
    assert_eq!(good.lockout("radmin", Some("s3")), None);
    assert_eq!(good.lockout("radmin", None), None, "a password that cannot be read accuses nobody");
    assert!(good.lockout("radmin", Some("other")).is_some());
    assert!(good.lockout("root", Some("s3")).is_some());
    let without = Credentials { admin: "radmin:s3".into(), ..good.clone() };
    let reason = without.lockout("radmin", Some("s3")).unwrap();
    assert!(reason.contains("cluster") && !reason.contains("c1"), "{reason}");
    let off = Credentials { cluster_username: String::new(), ..good.clone() };
    assert!(off.lockout("radmin", Some("s3")).is_some());
    assert_eq!(Credentials { clustered: false, ..off }.lockout("radmin", Some("s3")), None);
    let hashed = Credentials { admin: format!("radmin:*{};cluster:c1", "A".repeat(40)), ..good };
    assert_eq!(hashed.lockout("radmin", Some("s3")), None);
}
