use super::*;

const PAIR: (i64, i64) = (10, 20);

fn row(hostgroup: i64, host: &str, weight: i64) -> ServerRow {
    ServerRow {
        hostgroup,
        server: (format!("'{host}'"), "3306".to_owned()),
        status: "'ONLINE'".to_owned(),
        rest: vec![weight.to_string()],
    }
}

fn rows(rows: &[(i64, &str, i64)]) -> Vec<ServerRow> {
    rows.iter().map(|(hostgroup, host, weight)| row(*hostgroup, host, *weight)).collect()
}

/// A monitor that has had an answer of these hosts: whether with `read_only`.
fn heard(hosts: &[(&str, bool)]) -> Monitor {
    let answered = hosts.iter().map(|(host, read_only)| ((format!("'{host}'"), "3306".to_owned()), *read_only));
    Monitor { enabled: true, writer_is_also_reader: true, answered: answered.collect(), ..Monitor::default() }
}

fn pair() -> Vec<HostgroupSet> {
    vec![HostgroupSet { writer: PAIR.0, others: vec![PAIR.1], is_pair: true, is_known: true }]
}

fn galera() -> Vec<HostgroupSet> {
    vec![HostgroupSet { writer: 10, others: vec![20, 11, 99], is_pair: false, is_known: true }]
}

type Rows<'a> = &'a [(i64, &'a str, i64)];

fn sight(file: Rows<'_>, loaded: Rows<'_>, runtime: Rows<'_>, monitor: Monitor) -> Sight {
    let (file, runtime, loaded) = (rows(file), rows(runtime), Some(rows(loaded)));
    Sight { file, runtime, loaded, groups: pair(), monitor, ..Sight::default() }
}

/// What the file's rows become, in order.
fn becomes(sight: &Sight) -> Vec<(i64, String, i64)> {
    let placed = place(sight);
    let mut memory = sight.file.clone();
    memory.retain(|row| !placed.remove.contains(row));
    for new in placed.write {
        memory.retain(|row| (row.hostgroup, &row.server) != (new.hostgroup, &new.server));
        memory.push(new);
    }
    let mut found: Vec<(i64, String, i64)> = memory
        .into_iter()
        .map(|row| (row.hostgroup, row.server.0.trim_matches('\'').to_owned(), row.rest[0].parse().unwrap()))
        .collect();
    found.sort();
    found
}

fn is(sight: &Sight, wanted: Rows<'_>) {
    let wanted: Vec<_> =
        wanted.iter().map(|(hostgroup, host, weight)| (*hostgroup, (*host).to_owned(), *weight)).collect();
    assert_eq!(becomes(sight), wanted);
}

const BEFORE: Rows<'static> = &[(10, "a", 1), (20, "b", 1)];
const FAILED_OVER: Rows<'static> = &[(10, "b", 1), (20, "a", 1), (20, "b", 1)];

#[test]
fn what_the_file_says_of_both_hostgroups_counts_where_the_monitor_has_not_spoken() {
    for monitor in [Monitor::default(), heard(&[])] {
        for file in [
            &[(10, "a", 1), (20, "a", 1), (20, "b", 1)][..],
            &[(10, "b", 1), (20, "a", 1)],
            &[(20, "a", 1), (20, "b", 1)],
            &[(10, "a", 9), (20, "a", 3), (20, "b", 1)],
        ] {
            is(&sight(file, BEFORE, BEFORE, monitor.clone()), file);
        }
    }
}

#[test]
fn a_failover_is_not_undone() {
    let monitor = heard(&[("a", true), ("b", false)]);
    is(&sight(BEFORE, BEFORE, FAILED_OVER, monitor.clone()), FAILED_OVER);
    // Nor by what is new in the file, be it of other servers or of these.
    let file = &[(10, "a", 5), (20, "b", 7), (20, "c", 1)];
    is(&sight(file, BEFORE, FAILED_OVER, monitor.clone()), &[(10, "b", 7), (20, "a", 5), (20, "b", 7), (20, "c", 1)]);
    // Nor where another node, or the agent itself, has loaded it like this already.
    is(&sight(BEFORE, FAILED_OVER, FAILED_OVER, monitor.clone()), FAILED_OVER);
    // Nor once the log of the monitor is empty, or the servers are down.
    is(&sight(BEFORE, BEFORE, FAILED_OVER, heard(&[])), FAILED_OVER);
    let other = &[(10, "a", 5), (20, "b", 1)];
    is(&sight(other, BEFORE, FAILED_OVER, heard(&[])), &[(10, "b", 1), (20, "a", 5), (20, "b", 1)]);
    // Nor with a monitor that was switched off since.
    is(&sight(BEFORE, BEFORE, FAILED_OVER, Monitor::default()), FAILED_OVER);
}

#[test]
fn a_failover_is_not_undone_where_the_hostgroups_get_other_numbers() {
    let monitor = heard(&[("a", true), ("b", false)]);
    let mut sight = sight(&[(30, "a", 1), (40, "b", 1)], BEFORE, FAILED_OVER, monitor);
    sight.groups = vec![HostgroupSet { writer: 30, others: vec![40], is_pair: true, is_known: true }];
    is(&sight, &[(30, "b", 1), (40, "a", 1), (40, "b", 1)]);
}

#[test]
fn a_writer_gets_the_rows_that_the_monitor_would_make_of_it() {
    let monitor = heard(&[("a", false), ("b", true)]);
    let of = |file: Rows<'_>, monitor: &Monitor, wanted: Rows<'_>| {
        is(&sight(file, BEFORE, BEFORE, monitor.clone()), wanted);
    };
    of(&[(10, "a", 8), (20, "a", 4), (20, "b", 1)], &monitor, &[(10, "a", 8), (20, "a", 4), (20, "b", 1)]);
    of(&[(20, "a", 4), (20, "b", 1)], &monitor, &[(10, "a", 4), (20, "a", 4), (20, "b", 1)]);
    let apart = Monitor { writer_is_also_reader: false, ..monitor.clone() };
    of(&[(20, "a", 4), (20, "b", 1)], &apart, &[(10, "a", 4), (20, "b", 1)]);
    of(&[(10, "a", 8), (20, "a", 4), (20, "b", 1)], &apart, &[(10, "a", 8), (20, "a", 4), (20, "b", 1)]);
    // Swapped in the file, and the databases say otherwise.
    of(&[(10, "b", 2), (20, "a", 3)], &monitor, &[(10, "a", 3), (20, "a", 3), (20, "b", 2)]);
    // A reader with a row in each keeps that of readers.
    of(&[(10, "a", 1), (10, "b", 9), (20, "b", 2)], &monitor, &[(10, "a", 1), (20, "b", 2)]);
}

#[test]
fn a_row_taken_out_of_one_hostgroup_goes_and_one_that_the_monitor_made_stays() {
    let both: Rows<'_> = &[(10, "a", 1), (20, "a", 1), (20, "b", 1)];
    let monitor = heard(&[("a", false), ("b", true)]);
    is(&sight(BEFORE, both, both, monitor.clone()), BEFORE);
    is(&sight(BEFORE, both, both, Monitor::default()), BEFORE);
    // It was a reader for a while: nobody has loaded that row.
    is(&sight(BEFORE, BEFORE, both, monitor.clone()), both);
    is(&sight(&[(10, "a", 5), (20, "b", 1)], BEFORE, both, monitor), &[(10, "a", 5), (20, "a", 5), (20, "b", 1)]);
}

#[test]
fn what_was_loaded_for_the_monitors_sake_is_remembered_as_such() {
    let both: Rows<'_> = &[(10, "a", 1), (20, "a", 1), (20, "b", 1)];
    let monitor = heard(&[("a", false), ("b", true)]);
    let first = sight(&[(10, "a", 5), (20, "b", 1)], BEFORE, both, monitor.clone());
    let placed = place(&first);
    let loaded: Rows<'_> = &[(10, "a", 5), (20, "a", 5), (20, "b", 1)];
    let mut second = sight(&[(10, "a", 5), (20, "b", 1)], loaded, loaded, monitor.clone());
    second.instead = placed.instead.clone();
    is(&second, loaded);
    // Somebody has loaded other rows since.
    let mut third = sight(BEFORE, both, both, monitor);
    third.instead = placed.instead;
    is(&third, BEFORE);
}

#[test]
fn who_was_discovered_is_left_while_the_file_has_the_group() {
    let file: Rows<'_> = &[(10, "a", 1)];
    let found: Rows<'_> = &[(10, "a", 1), (20, "b", 1)];
    for groups in [pair(), galera()] {
        let mut sight = sight(file, file, found, heard(&[("a", false)]));
        sight.groups = groups;
        is(&sight, found);
        sight.file.clear();
        is(&sight, &[]);
        // Loaded, and not in the file any more.
        sight.file = rows(file);
        sight.loaded = Some(rows(found));
        is(&sight, file);
        // Unless it would be discovered again.
        sight.monitor.members.insert(("'b'".into(), "3306".into()));
        is(&sight, found);
    }
}

#[test]
fn nodes_of_a_cluster_stand_where_it_has_put_them() {
    let file: Rows<'_> = &[(10, "a", 1), (10, "b", 2), (10, "c", 3)];
    let moved: Rows<'_> = &[(10, "c", 3), (11, "a", 1), (20, "a", 1), (99, "b", 2)];
    let monitor = heard(&[("a", false), ("c", false)]);
    let mut sight = sight(file, file, moved, monitor);
    sight.groups = galera();
    is(&sight, moved);
    // Another weight for each, another one beside them.
    sight.file = rows(&[(10, "a", 7), (10, "b", 8), (10, "c", 9), (10, "d", 4)]);
    is(&sight, &[(10, "c", 9), (10, "d", 4), (11, "a", 7), (20, "a", 7), (99, "b", 8)]);
    // One that is gone from the file was not discovered.
    sight.file = rows(&[(10, "a", 1), (10, "c", 3)]);
    is(&sight, &[(10, "c", 3), (11, "a", 1), (20, "a", 1)]);
}

#[test]
fn a_server_that_is_shunned_is_no_other() {
    let mut sight = sight(BEFORE, BEFORE, FAILED_OVER, heard(&[]));
    for row in &mut sight.runtime {
        row.status = "'SHUNNED'".into();
    }
    let placed = place(&sight);
    assert!(placed.write.iter().all(|row| row.hostgroup == 20 || row.server.0 == "'b'"), "{placed:?}");
    is(&sight, FAILED_OVER);
}

#[test]
fn who_is_out_of_service_is_in_the_place_that_the_monitor_knew_last() {
    // Both were exchanged while the old writer was OFFLINE_SOFT; the file has it back.
    let mut sight =
        sight(BEFORE, BEFORE, &[(10, "a", 1), (10, "b", 1), (20, "b", 1)], heard(&[("a", true), ("b", false)]));
    sight.loaded.as_mut().unwrap()[0].status = "'OFFLINE_SOFT'".into();
    sight.runtime[0].status = "'OFFLINE_SOFT'".into();
    is(&sight, FAILED_OVER);
}

#[test]
fn without_the_word_of_what_was_loaded_a_failover_is_not_undone_either() {
    let mut sight = sight(BEFORE, &[], FAILED_OVER, heard(&[("a", true), ("b", false)]));
    sight.loaded = None;
    is(&sight, FAILED_OVER);
}

#[test]
fn rows_are_read_and_written_in_the_order_of_their_columns() {
    let names = ["hostgroup_id", "hostname", "port", "gtid_port", "status", "weight", "comment"];
    let literals: Vec<String> = ["7", "'a'", "1", "0", "'ONLINE'", "5", "'x'"].map(ToOwned::to_owned).into();
    let row = ServerRow::read(&names, &literals).unwrap();
    assert_eq!((row.hostgroup, &*row.status, &row.rest[..]), (7, "'ONLINE'", &["0", "5", "'x'"].map(String::from)[..]));
    assert_eq!(row.literals(&names), literals);
}

#[test]
fn in_a_group_that_is_new_nobody_has_been_moved_yet() {
    // Configured as they stand, before there was a group; the monitor knows them from an earlier one.
    let before: Rows<'_> = &[(10, "b", 1), (20, "a", 1)];
    for (groups, monitor) in [(pair(), heard(&[("a", false), ("b", true)])), (galera(), heard(&[("a", false)]))] {
        let mut sight = sight(BEFORE, before, before, monitor);
        sight.groups = groups;
        sight.groups[0].is_known = false;
        is(&sight, BEFORE);
    }
    // What a pair is new for is put right at once where the databases say otherwise.
    let mut sight = sight(BEFORE, before, before, heard(&[("a", true), ("b", false)]));
    sight.groups[0].is_known = false;
    is(&sight, FAILED_OVER);
    // Where none has answered, the file is all there is.
    sight.monitor = heard(&[]);
    is(&sight, BEFORE);
}
