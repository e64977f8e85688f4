use std::path::{Path, PathBuf};
use std::process::Command;

use super::Site;
use crate::TownError;
use crate::process::Process;

const PORT: u16 = 5499;
/// Where ejabberd's package keeps the tables that it needs.
const TABLES: &str = "/usr/share/ejabberd/sql/pg.sql";

/// A PostgreSQL server as its package makes it: what is committed is on disk. It ends with this value.
pub(super) struct Postgres {
    programs: PathBuf,
    data: PathBuf,
}

impl Postgres {
    /// Makes a database cluster below `folder` and starts it, as the user `postgres`, for it refuses to run as root.
    pub(super) fn start(folder: &Path) -> Result<Self, TownError> {
        let programs = programs()?;
        let data = folder.join("pg");
        std::fs::create_dir_all(&data).map_err(TownError::io("making a folder"))?;
        let own = Self { programs, data };
        let data = own.data.display().to_string();
        run(Command::new("chown").args(["postgres", &data]))?;
        run(Command::new("chmod").arg("755").arg(folder))?;
        own.tool("initdb", &format!("-D {data} -A trust"))?;
        let settings = format!(
            "listen_addresses='127.0.0.1'\nport={PORT}\nunix_socket_directories='{data}'\nshared_buffers=512MB\n\
             max_connections=200\nmax_wal_size=4GB\n"
        );
        let file = own.data.join("postgresql.conf");
        let mut text = std::fs::read_to_string(&file).map_err(TownError::io("reading postgresql.conf"))?;
        text.push_str(&settings);
        std::fs::write(&file, text).map_err(TownError::io("writing postgresql.conf"))?;
        own.tool("pg_ctl", &format!("-D {data} -l {data}/log -w start"))?;
        Ok(own)
    }

    /// Makes a database for a server; gives the lines of its configuration.
    pub(super) fn for_ejabberd(&self, site: Site) -> Result<String, TownError> {
        let name = format!("ejabberd_{}", site.name);
        self.sql("postgres", &["-c", &format!("create database {name}")])?;
        self.sql(&name, &["-f", TABLES])?;
        Ok(format!(
            "sql_type: pgsql\nsql_server: 127.0.0.1\nsql_port: {PORT}\nsql_username: postgres\nsql_password: none\n\
             sql_database: {name}\nsql_pool_size: 8\n"
        ))
    }

    /// Its process, to be measured.
    pub(super) fn process(&self) -> Result<Process, TownError> {
        let text = std::fs::read_to_string(self.data.join("postmaster.pid"))
            .map_err(TownError::io("reading postmaster.pid"))?;
        let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
        let pid = pid.ok_or_else(|| TownError::Wrong("postmaster.pid holds no number".to_owned()))?;
        Ok(Process::of_others("postgresql", pid))
    }

    fn sql(&self, database: &str, arguments: &[&str]) -> Result<(), TownError> {
        let mut command = Command::new(self.programs.join("psql"));
        command
            .args(["-h", "127.0.0.1", "-p", &PORT.to_string(), "-U", "postgres", "-q"])
            .args(arguments)
            .arg(database);
        run(&mut command)
    }

    fn tool(&self, name: &str, arguments: &str) -> Result<(), TownError> {
        let program = self.programs.join(name);
        run(Command::new("su")
            .args(["postgres", "-c"])
            .arg(format!("{} {arguments}", program.display())))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // There is nobody to tell; its folder is thrown away.
        let _ = self.tool(
            "pg_ctl",
            &format!("-D {} -m immediate -w stop", self.data.display()),
        );
    }
}

/// The folder of the newest version's programs.
fn programs() -> Result<PathBuf, TownError> {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").map_err(TownError::io("looking for PostgreSQL"))?;
    let mut versions: Vec<PathBuf> = versions
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|folder| folder.join("initdb").is_file())
        .collect();
    versions.sort();
    let newest = versions.pop();
    newest.ok_or_else(|| TownError::Wrong("PostgreSQL's server is not installed".to_owned()))
}

fn run(command: &mut Command) -> Result<(), TownError> {
    let line = format!("{command:?}");
    // Its children keep what they inherit: a pipe would never end.
    let out = tempfile::tempfile().map_err(TownError::io("making a file"))?;
    let same = out.try_clone().map_err(TownError::io("making a file"))?;
    let status = command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(same)
        .current_dir("/")
        .status()
        .map_err(TownError::io(line.clone()))?;
    if status.success() {
        return Ok(());
    }
    let mut said = String::new();
    // What it said is for the reader alone.
    let _ = std::io::Seek::rewind(&mut &out);
    let _ = std::io::Read::read_to_string(&mut &out, &mut said);
    Err(TownError::Failed {
        command: line,
        code: status
            .code()
            .map_or_else(|| "a signal".to_owned(), |code| code.to_string()),
        stderr: said,
    })
}
