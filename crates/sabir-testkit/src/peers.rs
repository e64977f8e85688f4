//! Today's servers under the same loads: ejabberd and Prosody, each as two federated servers with TLS between them.
//!
//! ```text
//!   10 senders --TLS--> pa.test ==TLS== pb.test --TLS--> 10 receivers        (1to1, and at 50 messages a second: low)
//!   50 occupants of a room of pa.test, half of them at pb.test, 4 of them send                              (group)
//! ```
//!
//! The loads are those of [`crate::load`], in the same sizes, spoken in XMPP. The servers come from the operating system's packages and are configured here, on loopback
//! addresses of their own; nothing is installed or resolved from here. The figures are for ratios on one machine, and
//! the promises differ: a server that keeps messages in memory answers before anything is on disk, `sabird` after.

mod ejabberd;
mod group;
mod pairs;
mod postgres;
mod prosody;
mod xmpp;

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use crate::load::{Figures, Plan, Workload};
use crate::process::Process;
use crate::{Authority, TownError};

/// The two servers of every kind: name, group chat service, address.
const SITES: [Site; 2] = [
    Site {
        name: "pa",
        host: "pa.test",
        rooms: "muc.pa.test",
        address: Ipv4Addr::new(127, 0, 0, 12),
    },
    Site {
        name: "pb",
        host: "pb.test",
        rooms: "muc.pb.test",
        address: Ipv4Addr::new(127, 0, 0, 13),
    },
];
/// Where clients connect, with TLS from the first byte.
const CLIENT_PORT: u16 = 5223;
/// How long a server may take to answer.
const START: Duration = Duration::from_secs(60);

/// One of the two servers.
#[derive(Debug, Clone, Copy)]
struct Site {
    name: &'static str,
    host: &'static str,
    rooms: &'static str,
    address: Ipv4Addr,
}

/// A kind of server, and what it promises of a message that it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// ejabberd, messages in memory alone.
    Ejabberd,
    /// ejabberd, every message in a PostgreSQL archive before it is passed on.
    EjabberdDurable,
    /// Prosody, messages in memory alone.
    Prosody,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ejabberd, Self::EjabberdDurable, Self::Prosody];

    /// What it is called on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ejabberd => "ejabberd",
            Self::EjabberdDurable => "ejabberd-postgresql",
            Self::Prosody => "prosody",
        }
    }

    /// What a message that it took survives.
    #[must_use]
    pub const fn promise(self) -> &'static str {
        match self {
            Self::Ejabberd | Self::Prosody => "volatile",
            Self::EjabberdDurable => "durable",
        }
    }
}

/// Starts two servers of a kind in `folder`, runs the plan against them, and stops them.
///
/// # Errors
/// [`TownError`]: the servers are not installed or do not start, or a message did not arrive.
pub fn run(folder: &Path, kind: Kind, plan: Plan) -> Result<Figures, TownError> {
    std::fs::create_dir_all(folder).map_err(TownError::io("making a folder"))?;
    let authority = Authority::create(folder)?;
    for site in SITES {
        let own = folder.join(site.name);
        std::fs::create_dir_all(&own).map_err(TownError::io("making a folder"))?;
        let (chain, key) = authority.issue_to(&[site.host, site.rooms], &own)?;
        let all = [chain, key].map(std::fs::read).into_iter();
        let all: Result<Vec<_>, _> = all.collect();
        let all = all.map_err(TownError::io("reading a certificate"))?.concat();
        std::fs::write(own.join("all.pem"), all).map_err(TownError::io("writing a certificate"))?;
    }
    let (servers, _database) = start(folder, kind)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(TownError::io("starting a runtime"))?;
    let measured = runtime.block_on(async {
        let trust = xmpp::Trust::read(authority.certificate())?;
        for site in SITES {
            trust.answers(site).await?;
        }
        let pids = servers.iter().map(Process::pid).collect();
        match plan.workload {
            Workload::OneToOne | Workload::Low => pairs::run(&trust, pids, plan).await,
            Workload::Group => group::flood(&trust, pids, plan).await,
        }
    });
    // Readers wait for ever on connections that end with the servers.
    runtime.shutdown_background();
    measured
}

/// The two servers, and the database that they write to, where they have one.
type Started = (Vec<Process>, Option<postgres::Postgres>);

fn start(folder: &Path, kind: Kind) -> Result<Started, TownError> {
    let mut database = None;
    let mut servers = Vec::new();
    if kind == Kind::EjabberdDurable {
        database = Some(postgres::Postgres::start(folder)?);
    }
    for site in SITES {
        servers.push(match kind {
            Kind::Ejabberd => ejabberd::start(folder, site, None)?,
            Kind::EjabberdDurable => ejabberd::start(folder, site, database.as_ref())?,
            Kind::Prosody => prosody::start(folder, site)?,
        });
    }
    for (site, server) in SITES.iter().zip(&mut servers) {
        server.wait_for((site.address, CLIENT_PORT).into(), START)?;
    }
    if let Some(database) = &mut database {
        servers.push(database.process()?);
    }
    Ok((servers, database))
}
