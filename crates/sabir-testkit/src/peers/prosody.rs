use std::path::Path;
use std::process::Command;

use super::{CLIENT_PORT, SITES, Site};
use crate::TownError;
use crate::process::Process;

/// Starts one of two Prosody servers, messages in memory alone.
pub(super) fn start(folder: &Path, site: Site) -> Result<Process, TownError> {
    let own = folder.join(site.name);
    let hosts = own.join("hosts");
    let lines: Vec<String> = SITES
        .iter()
        .map(|other| format!("{} {} {}\n", other.address, other.host, other.rooms))
        .collect();
    std::fs::write(&hosts, lines.concat()).map_err(TownError::io("writing a hosts file"))?;
    let config = own.join("prosody.cfg.lua");
    let text = format!(
        "run_as_root = true; daemonize = false
pidfile = \"{own}/pid\"; data_path = \"{own}\"
interfaces = {{ \"{ip}\" }}; local_interfaces = {{ \"{ip}\" }}
use_ipv6 = false; unbound = {{ resolvconf = false; hoststxt = \"{hosts}\" }}
authentication = \"internal_plain\"; allow_unencrypted_plain_auth = true
c2s_direct_tls_ports = {{ {CLIENT_PORT} }}; c2s_ports = {{}}; s2s_ports = {{ 5269 }}
http_ports = {{}}; https_ports = {{}}
s2s_require_encryption = true; s2s_secure_auth = true
ssl = {{ cafile = \"{ca}\"; key = \"{own}/key.pem\"; certificate = \"{own}/cert.pem\" }}
allow_registration = true
network_backend = \"epoll\"
modules_enabled = {{ \"roster\", \"saslauth\", \"tls\", \"dialback\", \"disco\", \"ping\", \"register\", \"register_ibr\", \
         \"posix\", \"offline\" }}
log = {{ warn = \"{own}/log\" }}
VirtualHost \"{host}\"
Component \"{rooms}\" \"muc\"
  muc_room_locking = false
",
        own = own.display(),
        ip = site.address,
        hosts = hosts.display(),
        ca = folder.join("ca.pem").display(),
        host = site.host,
        rooms = site.rooms,
    );
    std::fs::write(&config, text).map_err(TownError::io("writing a configuration"))?;
    let mut command = Command::new("prosody");
    command.arg("--config").arg(&config);
    Process::start("prosody", command, &own.join("said"))
}
