//! Answers about a name folded into the addresses it leads to: what to believe, and when an address is gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// An address goes when so many answers in a row were without it. Every core asks for itself, and some resolvers give a part of the
/// records, another one each time: a row too many costs nothing, one that comes and goes is a load on every node.
const MISSES_BEFORE_REMOVAL: u8 = 3;
/// What comes back after it was gone is given twice the patience, up to this: the answers of a resolver that gives parts then add up
/// to the whole, on every core to the same.
const MOST_MISSES_BEFORE_REMOVAL: u8 = 24;
/// After so many answers in a row with it, an address is like any other again.
const STEADY: u8 = 60;
/// Addresses that came back, as far as they are remembered.
const MOST_GONE: usize = 64;
/// A name that leads to more addresses than this is no list of cores.
const MOST_ADDRESSES: usize = 256;
/// The least time between two looks, however short the records are to be kept.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
/// Longest name, without the dot at its end (RFC 1035, 3.1).
const LONGEST_NAME: usize = 253;

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// A record of kind A.
    V4,
    /// A record of kind AAAA.
    V6,
}

impl Family {
    /// Which of the two an address is of.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "A",
            Self::V6 => "AAAA",
        })
    }
}

/// What came of one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsAnswer {
    /// Records of the kind that was asked for.
    Records {
        /// Their addresses; at least one.
        addresses: BTreeSet<IpAddr>,
        /// How long they may be kept: the least of their TTLs.
        keep: Duration,
    },
    /// The name is there, but has no record of this kind.
    NoRecord,
    /// There is no such name (`NXDOMAIN`).
    NoName,
    /// Nothing to go by, and why.
    Failure(String),
}

/// The answers to all questions of one look, by kind of record.
pub type LookOutcome = BTreeMap<Family, DnsAnswer>;

/// What a look comes to, taken as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsVerdict {
    /// The name leads somewhere. The other kind of record may have failed all the same; see [`trouble`].
    Found,
    /// Every answer says that there is nothing.
    Nothing,
    /// There may be something, but nobody said what.
    Unknown,
}

/// What a look comes to.
pub fn classify_lookup(look: &LookOutcome) -> DnsVerdict {
    let mut answers = look.values();
    if answers.clone().any(|answer| matches!(answer, DnsAnswer::Records { .. })) {
        DnsVerdict::Found
    } else if answers.all(|answer| matches!(answer, DnsAnswer::NoRecord | DnsAnswer::NoName)) {
        DnsVerdict::Nothing
    } else {
        DnsVerdict::Unknown
    }
}

/// What is wrong with a look, the way a person reads it; `None` if nothing is. The same trouble is the same text.
pub fn trouble(look: &LookOutcome) -> Option<String> {
    let found = classify_lookup(look) == DnsVerdict::Found;
    let mut texts: Vec<String> = Vec::new();
    for (family, answer) in look {
        texts.extend(match answer {
            DnsAnswer::Failure(reason) => Some(format!("{family}: {reason}")),
            DnsAnswer::NoName => Some(format!("{family}: no such name (NXDOMAIN)")),
            // One kind of record is enough.
            DnsAnswer::NoRecord if !found => Some(format!("{family}: no record")),
            DnsAnswer::NoRecord | DnsAnswer::Records { .. } => None,
        });
    }
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// How long the answers of a look may be kept: at most `interval`, at least a second.
pub fn keep(look: &LookOutcome, interval: Duration) -> Duration {
    let kept = look.values().filter_map(|answer| match answer {
        DnsAnswer::Records { keep, .. } => Some(*keep),
        _ => None,
    });
    kept.min().unwrap_or(interval).max(LEAST_PAUSE).min(interval)
}

/// Whether a record with this address may lead to a core. Some resolvers answer `0.0.0.0` for what they block.
pub fn is_usable(address: IpAddr) -> bool {
    let useless = match address {
        // A link-local one means nothing without an interface, which a row cannot name; a mapped one belongs into an A record.
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.to_ipv4_mapped().is_some(),
        IpAddr::V4(v4) => v4.is_broadcast(),
    };
    !(address.is_unspecified() || address.is_multicast() || useless)
}

/// Names to ask for, in this order, where somebody wrote `name`: as the C library does it with `search` and `ndots` of
/// `resolv.conf`. A name that ends with a dot is itself.
pub fn candidates(name: &str, search: &[String], ndots: u32) -> Vec<String> {
    let plain = |text: &str| text.trim_matches('.').to_ascii_lowercase();
    let name_itself = plain(name);
    if name.ends_with('.') {
        return vec![name_itself];
    }
    let mut names: Vec<String> = search
        .iter()
        .map(|suffix| plain(suffix))
        .map(|suffix| if suffix.is_empty() { name_itself.clone() } else { format!("{name_itself}.{suffix}") })
        .filter(|candidate| candidate.len() <= LONGEST_NAME)
        .collect();
    let dots = u32::try_from(name.matches('.').count()).unwrap_or(u32::MAX);
    let at = if dots >= ndots { 0 } else { names.len() };
    names.insert(at, name_itself);
    let mut seen = BTreeSet::new();
    names.retain(|candidate| seen.insert(candidate.clone()));
    names
}

/// The addresses that a name leads to, as far as its answers are believed.
///
/// An address that an answer names is there at once. It goes when [`MISSES_BEFORE_REMOVAL`] answers in a row left it out: answers for its kind of
/// record, in looks that found somebody. Nothing else removes anybody, so a set that is not empty never gets empty.
///
/// Nobody is known before one look went well in everything: the list of members may be older than this process, and half an answer
/// would take the other half out of it.
#[derive(Debug, Clone, Default)]
pub struct Followed {
    is_known: bool,
    here: BTreeMap<IpAddr, Presence>,
    /// Who has gone, the latest last, and the patience it had.
    gone: VecDeque<(IpAddr, u8)>,
}

#[derive(Debug, Clone, Copy)]
struct Presence {
    /// Answers in a row without it.
    missed: u8,
    /// Answers in a row with it, up to [`STEADY`].
    seen: u8,
    patience: u8,
}

/// More addresses than a list of cores has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {MOST_ADDRESSES} addresses: too many to be cores")
    }
}

impl Followed {
    /// Whether there was a look that went well in everything.
    pub fn is_known(&self) -> bool {
        self.is_known
    }

    /// Folds a look. Whether that changed who is here.
    ///
    /// # Errors
    /// A look with too many addresses is not believed, and neither is one that would make too many of those that are here.
    pub fn fold(&mut self, look: &LookOutcome) -> Result<bool, TooMany> {
        if classify_lookup(look) != DnsVerdict::Found || !(self.is_known || trouble(look).is_none()) {
            return Ok(false);
        }
        let named: BTreeSet<IpAddr> = look.values().flat_map(addresses).copied().collect();
        let most = named.iter().filter(|address| !self.here.contains_key(*address)).count() + self.here.len();
        if most > MOST_ADDRESSES {
            return Err(TooMany);
        }
        self.is_known = true;
        let mut changed = false;
        for (family, answer) in look {
            match answer {
                DnsAnswer::Records { .. } | DnsAnswer::NoRecord => changed |= self.answered(*family, &named),
                // Nothing is known of this kind of record.
                DnsAnswer::NoName | DnsAnswer::Failure(_) => {}
            }
        }
        Ok(changed)
    }

    /// Who is here; nobody while that is not known.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.here.keys().copied()
    }

    fn answered(&mut self, family: Family, named: &BTreeSet<IpAddr>) -> bool {
        let mut changed = false;
        for address in named.iter().copied().filter(|address| Family::of(*address) == family) {
            if let Some(presence) = self.here.get_mut(&address) {
                presence.missed = 0;
                presence.seen = presence.seen.saturating_add(1).min(STEADY);
                if presence.seen == STEADY {
                    presence.patience = MISSES_BEFORE_REMOVAL;
                }
            } else {
                let patience = self.patience_of(address);
                self.here.insert(address, Presence { missed: 0, seen: 1, patience });
                changed = true;
            }
        }
        let mut gone: Vec<(IpAddr, u8)> = Vec::new();
        for (address, presence) in self.here.iter_mut().filter(|(a, _)| Family::of(**a) == family && !named.contains(a))
        {
            presence.missed += 1;
            presence.seen = 0;
            if presence.missed >= presence.patience {
                gone.push((*address, presence.patience));
            }
        }
        for (address, patience) in gone {
            self.here.remove(&address);
            if self.gone.len() == MOST_GONE {
                self.gone.pop_front();
            }
            self.gone.push_back((address, patience));
            changed = true;
        }
        changed
    }

    fn patience_of(&mut self, address: IpAddr) -> u8 {
        let Some(at) = self.gone.iter().position(|(gone, _)| *gone == address) else { return MISSES_BEFORE_REMOVAL };
        let before = self.gone.remove(at).map_or(MISSES_BEFORE_REMOVAL, |(_, patience)| patience);
        before.saturating_mul(2).min(MOST_MISSES_BEFORE_REMOVAL)
    }
}

fn addresses(answer: &DnsAnswer) -> impl Iterator<Item = &IpAddr> {
    match answer {
        DnsAnswer::Records { addresses, .. } => Some(addresses.iter()),
        _ => None,
    }
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests;
