//! How a round left things, apart from what `ProxySQL` itself says: for people and machines to read.

use super::drift::{Class, Subject};
use super::generation;
use super::isolation;
use super::member::Members;
use super::roster::Discovery;

/// What a core's or a satellite's agent knows after a round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Situation {
    /// Where this node and its peers differ for longer than a pull takes.
    pub diverging: Vec<(Subject, Class)>,
    /// Why the configuration file is not published, if it is not.
    pub refused: Option<String>,
    /// The members that the pods make; `None` on a satellite, and while nobody knows or there are none.
    pub desired: Option<Members>,
    /// The last members stay because no core pod runs, says who should know.
    pub held: bool,
    /// Whether this core's file is the newest; `None` on a satellite.
    pub generation: Option<generation::Standing>,
    /// What a satellite's list of cores can do; `None` on a core and before the first round.
    pub following: Option<isolation::Standing>,
    /// How the search for pods goes; `None` on a satellite.
    pub discovery: Option<Discovery>,
}
