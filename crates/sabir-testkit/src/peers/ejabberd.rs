use std::path::Path;
use std::process::Command;

use super::postgres::Postgres;
use super::{CLIENT_PORT, SITES, Site};
use crate::TownError;
use crate::process::Process;

/// Starts one of two ejabberd servers. With a database every message is archived there before it is passed on.
pub(super) fn start(folder: &Path, site: Site, database: Option<&Postgres>) -> Result<Process, TownError> {
    let own = folder.join(site.name);
    let (data, log) = (own.join("db"), own.join("log"));
    for made in [&data, &log] {
        std::fs::create_dir_all(made).map_err(TownError::io("making a folder"))?;
    }
    let mut hosts = String::from("127.0.0.1 localhost\n");
    for other in SITES {
        hosts.push_str(&format!("{} {} {}\n", other.address, other.host, other.rooms));
    }
    let write = |name: &str, text: &str| {
        let path = own.join(name);
        std::fs::write(&path, text).map_err(TownError::io(format!("writing {}", path.display())))?;
        Ok::<_, TownError>(path)
    };
    let hosts = write("hosts", &hosts)?;
    let (sql, archive) = match database {
        Some(database) => (
            database.for_ejabberd(site)?,
            "  mod_mam: {default: always, request_activates_archiving: false, db_type: sql}\n",
        ),
        None => (String::new(), ""),
    };
    let config = write(
        "ejabberd.yml",
        &format!(
            "hosts: [\"{host}\"]
loglevel: warning
certfiles: [\"{own}/all.pem\"]
ca_file: \"{ca}\"
s2s_use_starttls: required
s2s_dns_timeout: 1
s2s_dns_retries: 1
max_fsm_queue: 100000
auth_method: internal
auth_password_format: plain
shaper: {{}}
{sql}listen:
  - {{port: {CLIENT_PORT}, ip: \"{ip}\", module: ejabberd_c2s, tls: true, max_stanza_size: 262144}}
  - {{port: 5269, ip: \"{ip}\", module: ejabberd_s2s_in, max_stanza_size: 524288}}
access_rules: {{local: {{allow: all}}}}
registration_timeout: infinity
modules:
  mod_disco: {{}}
  mod_roster: {{}}
  mod_ping: {{}}
  mod_offline: {{}}
  mod_register: {{ip_access: all}}
  mod_muc: {{host: \"muc.@HOST@\", access: all, access_create: all, max_users: 500, history_size: 0, \
             default_room_options: {{mam: {rooms}}}}}
{archive}",
            host = site.host,
            own = own.display(),
            ca = folder.join("ca.pem").display(),
            ip = site.address,
            rooms = database.is_some(),
        ),
    )?;
    // It asks the system's resolver for addresses. So it sees a hosts file of its own in place of the system's.
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c"])
        .arg("mount --bind \"$1\" /etc/hosts && shift && exec erl \"$@\"")
        .arg("erl")
        .arg(hosts)
        .args([
            "+K", "true", "+P", "250000", "+sbwt", "none", "-noinput", "-mnesia", "dir",
        ])
        .arg(format!("{data:?}"))
        .args(["-s", "ejabberd"])
        .current_dir(&own)
        .env("ERL_LIBS", "/usr/lib/x86_64-linux-gnu")
        .env("HOME", &own)
        .env("EJABBERD_CONFIG_PATH", config)
        .env("EJABBERD_LOG_PATH", log.join("ejabberd.log"))
        .env("SPOOL_DIR", &data)
        .env("LOGS_DIR", &log);
    Process::start("ejabberd", command, &own.join("said"))
}
