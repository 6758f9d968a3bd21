//! The list of members: what is there, what should be, and the least that brings one to the other.

use super::member::{Member, Members};
use crate::domain::proxysql::observation::{Checksum, Observation};
use crate::domain::proxysql::statement::{Module, Plan, Statement};

/// `proxysql_servers` on this node, as edited and as in effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The table in memory.
    pub memory: Members,
    /// The table in effect.
    pub runtime: Members,
    /// No member has loaded it since it started, so nobody pulls it, be it right or wrong, and it is this node's turn to.
    pub is_blocked: bool,
}

/// Who made the list that is in effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The file or the disk that `ProxySQL` started from.
    Start,
    /// This node: its agent, or a person.
    Here,
    /// Another member, which this node pulled it from.
    Pulled,
}

/// How far what is known of the members can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// It is not older than the list in effect.
    Fresh,
    /// It may be older than a list that another member has made.
    Doubtful,
    /// Others know better, whoever made the list.
    Stale,
}

/// What the list should be, by what is known and how far that can be relied on; `None` where the list in effect is left to others.
///
/// A core that does not hear of pods any more undoes nothing that another one has loaded, and removes nobody. It mends what takes no
/// knowledge: a list without anybody of those that were known, which is the bootstrap row, and its own row.
pub fn target(
    known: &Members,
    own: Option<&Member>,
    runtime: &Members,
    origin: Origin,
    knowledge: Knowledge,
) -> Option<Members> {
    match (knowledge, origin) {
        (Knowledge::Fresh, _) | (Knowledge::Doubtful, Origin::Here) => Some(known.clone()),
        (Knowledge::Doubtful, Origin::Start) | (Knowledge::Doubtful | Knowledge::Stale, Origin::Pulled) => None,
        (Knowledge::Stale, Origin::Start | Origin::Here) => {
            let is_nobody = !runtime.iter().any(|row| known.iter().any(|member| member.key() == row.key()));
            if runtime.is_empty() || (origin == Origin::Start && is_nobody) {
                return Some(known.clone());
            }
            let others = runtime.iter().filter(|row| own.is_none_or(|own| own.key() != row.key()));
            Some(others.chain(own).cloned().collect())
        }
    }
}

/// Who made the list in effect. `is_own` says that it is the one that this agent loaded last, or found right. A person has made it here
/// only if it is newer than what every other member has: whom it was pulled from may have loaded another one since.
pub fn origin(seen: &Observation, own: Option<&Member>, is_own: bool) -> Origin {
    let list = Module::ProxysqlServers.checksum_name();
    let Some(sum) = seen.own.get(list) else { return Origin::Here };
    if sum.version == 1 {
        return Origin::Start;
    }
    if is_own {
        return Origin::Here;
    }
    let others = seen.peers.iter().filter(|peer| own.is_none_or(|own| own.key() != peer.key()));
    let may_be_whose =
        |theirs: &Checksum| theirs.version > 1 && (theirs.checksum == sum.checksum || theirs.epoch >= sum.epoch);
    if others.filter_map(|peer| peer.modules.get(list)).any(may_be_whose) { Origin::Pulled } else { Origin::Here }
}

/// Whether another member has loaded another list, and no earlier than the one here: one of both knows better. What is loaded here for
/// another reason would replace it, whoever is right.
pub fn is_contested(seen: &Observation, own: Option<&Member>) -> bool {
    let list = Module::ProxysqlServers.checksum_name();
    let Some(sum) = seen.own.get(list) else { return false };
    let others = seen.peers.iter().filter(|peer| own.is_none_or(|own| own.key() != peer.key()));
    let contests =
        |theirs: &Checksum| theirs.version > 1 && theirs.checksum != sum.checksum && theirs.epoch >= sum.epoch;
    others.filter_map(|peer| peer.modules.get(list)).any(contests)
}

/// The least that makes `desired` the list in effect; empty where it is.
///
/// An empty `desired` gives an empty plan: an empty list, loaded once, empties every node of the fleet, disks included.
/// Rows that nobody desires go, the bootstrap row with them, in the same load that brings the real ones.
pub fn plan(listed: &Listed, desired: &Members) -> Plan {
    if desired.is_empty() {
        return Plan::default();
    }
    let mut plan = Plan::default();
    // A row that changed has the same key in both: it is deleted first, for `proxysql_servers` has one row a key.
    let stale: Members = listed.memory.difference(desired).cloned().collect();
    if !stale.is_empty() {
        plan = plan.then(Statement::DeleteMembers(stale));
    }
    let missing: Members = desired.difference(&listed.memory).cloned().collect();
    if !missing.is_empty() {
        plan = plan.then(Statement::InsertMembers(missing));
    }
    if listed.runtime != *desired || listed.is_blocked {
        plan = plan.then(Statement::LoadToRuntime(Module::ProxysqlServers));
    }
    plan
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOAD: Statement = Statement::LoadToRuntime(Module::ProxysqlServers);

    fn members(names: &[&str]) -> Members {
        names.iter().map(|n| Member::of_pod(format!("10.0.0.{n}"), 6032, format!("core-{n}"))).collect()
    }

    fn bootstrap() -> Member {
        Member { hostname: "proxysql-core".into(), port: 6032, weight: 0, comment: String::new() }
    }

    /// What `ProxySQL` holds after the statements, by its own rules.
    fn apply(plan: &Plan, mut listed: Listed) -> Listed {
        for statement in plan.statements() {
            match statement {
                Statement::DeleteMembers(rows) => listed.memory.retain(|m| !rows.iter().any(|r| r.key() == m.key())),
                Statement::InsertMembers(rows) => {
                    for row in rows {
                        assert!(!listed.memory.iter().any(|m| m.key() == row.key()), "UNIQUE constraint failed");
                        listed.memory.insert(row.clone());
                    }
                }
                Statement::LoadToRuntime(Module::ProxysqlServers) => {
                    listed.runtime = listed.memory.clone();
                    listed.is_blocked = false;
                }
                other => panic!("a membership plan holds {other}"),
            }
        }
        listed
    }

    #[test]
    fn the_bootstrap_row_goes_in_the_load_that_brings_the_first_member() {
        let seed: Members = [bootstrap()].into();
        let plan = plan(&Listed { memory: seed.clone(), runtime: seed.clone(), is_blocked: true }, &members(&["1"]));
        assert_eq!(
            plan.statements(),
            [Statement::DeleteMembers(seed), Statement::InsertMembers(members(&["1"])), LOAD.clone()]
        );
    }

    #[test]
    fn an_empty_answer_never_empties_the_table() {
        let there = members(&["1", "2"]);
        assert!(plan(&Listed { memory: there.clone(), runtime: there, is_blocked: false }, &Members::new()).is_empty());
    }

    #[test]
    fn a_row_edited_by_hand_but_never_loaded_is_put_back_without_a_load() {
        let there = members(&["1", "2"]);
        let edited = Listed { memory: members(&["1", "3"]), runtime: there.clone(), is_blocked: false };
        let plan = plan(&edited, &there);
        assert_eq!(
            plan.statements(),
            [Statement::DeleteMembers(members(&["3"])), Statement::InsertMembers(members(&["2"]))]
        );
    }

    #[test]
    fn the_right_list_that_nobody_pulls_is_loaded_once() {
        let there = members(&["1", "2"]);
        let restarted = Listed { memory: there.clone(), runtime: there.clone(), is_blocked: true };
        let first = plan(&restarted, &there);
        assert_eq!(first.statements(), [LOAD]);
        assert!(plan(&apply(&first, restarted), &there).is_empty());
    }

    #[test]
    fn a_blind_core_undoes_nothing_and_mends_what_takes_no_knowledge() {
        let known = members(&["1", "2", "3"]);
        let own = known.first();
        let target = |runtime: &Members, origin| target(&known, own, runtime, origin, Knowledge::Stale);
        let newer = members(&["1", "2", "4"]);
        assert_eq!(target(&newer, Origin::Pulled), None, "others know better");
        assert_eq!(target(&members(&["2", "4"]), Origin::Pulled), None, "its own row included");
        assert_eq!(target(&newer, Origin::Here), Some(newer.clone()), "and who has edited it here may know");
        assert_eq!(target(&members(&["2", "4"]), Origin::Here), Some(newer));
        assert_eq!(target(&[bootstrap()].into(), Origin::Start), Some(known.clone()), "the bootstrap row alone");
        for origin in [Origin::Start, Origin::Here] {
            assert_eq!(target(&Members::new(), origin), Some(known.clone()));
        }
        assert_eq!(
            target(&members(&["4", "5"]), Origin::Here),
            Some(members(&["1", "4", "5"])),
            "all others were replaced"
        );
    }

    #[test]
    fn who_is_in_doubt_asks_before_it_undoes_what_another_one_loaded() {
        let (known, runtime) = (members(&["1", "2"]), members(&["1", "3"]));
        let target = |origin, knowledge| target(&known, known.first(), &runtime, origin, knowledge);
        assert_eq!(target(Origin::Pulled, Knowledge::Doubtful), None);
        assert_eq!(target(Origin::Start, Knowledge::Doubtful), None);
        assert_eq!(target(Origin::Pulled, Knowledge::Fresh), Some(known.clone()));
        assert_eq!(target(Origin::Here, Knowledge::Doubtful), Some(known.clone()));
    }

    #[test]
    fn a_list_that_a_member_has_too_and_nobody_made_here_was_pulled() {
        let at = |version, epoch, checksum: &str| Checksum { version, epoch, checksum: checksum.into() };
        let sum = |version, checksum: &str| at(version, 9, checksum);
        let list = |sum: Checksum| std::collections::BTreeMap::from([("proxysql_servers".to_owned(), sum)]);
        let [own, other] = ["1", "2"].map(|n| members(&[n]).pop_first().unwrap());
        let seen = |mine: Checksum, theirs: Checksum| {
            let peer = |member: &Member, sum: Checksum| crate::domain::proxysql::observation::Peer {
                hostname: member.hostname.clone(),
                port: member.port,
                modules: list(sum),
                ..Default::default()
            };
            let peers = vec![peer(&own, mine.clone()), peer(&other, theirs)];
            Observation { own: list(mine), peers, ..Observation::default() }
        };
        let origin = |seen: &Observation, is_own| origin(seen, Some(&own), is_own);
        assert_eq!(origin(&seen(sum(1, "0xA"), sum(2, "0xA")), false), Origin::Start);
        assert_eq!(origin(&seen(sum(3, "0xA"), sum(2, "0xA")), false), Origin::Pulled);
        assert_eq!(origin(&seen(sum(3, "0xA"), sum(2, "0xA")), true), Origin::Here);
        assert_eq!(origin(&seen(sum(3, "0xA"), at(2, 8, "0xB")), false), Origin::Here, "its own row is not another's");
        assert_eq!(
            origin(&seen(sum(3, "0xA"), at(3, 10, "0xB")), false),
            Origin::Pulled,
            "that one loaded another since"
        );
        let contested = |theirs: Checksum| is_contested(&seen(sum(3, "0xA"), theirs), Some(&own));
        assert!(contested(at(3, 10, "0xB")) && contested(at(3, 9, "0xB")));
        assert!(!contested(at(3, 10, "0xA")), "loaded once more");
        assert!(!contested(at(3, 8, "0xB")), "that one is about to pull this one");
        assert!(!contested(at(1, 10, "0xB")), "nobody pulls that");
    }

    fn any_members() -> impl Strategy<Value = Members> {
        let member = (0..6u8, 0..2u8, 0..2i64, 0..2u8).prop_map(|(ip, port, weight, comment)| Member {
            hostname: format!("10.0.0.{ip}"),
            port: 6032 + u16::from(port),
            weight,
            comment: format!("core-{comment}"),
        });
        // One row a key, as in the table.
        proptest::collection::vec(member, 0..8).prop_map(|rows| {
            let mut by_key = std::collections::BTreeMap::new();
            for m in rows {
                by_key.insert((m.hostname.clone(), m.port), m);
            }
            by_key.into_values().collect()
        })
    }

    proptest! {
        #[test]
        fn applying_a_plan_gives_the_desired_list_and_then_nothing_is_left_to_do(
            memory in any_members(), runtime in any_members(), desired in any_members(), is_blocked: bool,
        ) {
            let listed = Listed { memory, runtime, is_blocked };
            let first = plan(&listed, &desired);
            prop_assert_eq!(first.to_string(), plan(&listed, &desired).to_string());
            prop_assert!(first.loads().count() <= 1);
            let after = apply(&first, listed.clone());
            if desired.is_empty() {
                prop_assert_eq!(after, listed);
            } else {
                prop_assert_eq!(&after.memory, &desired);
                prop_assert_eq!(&after.runtime, &desired);
                prop_assert!(plan(&after, &desired).is_empty());
            }
        }
    }
}
