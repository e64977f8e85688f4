//! Sabir beside today's servers, on one machine and in one run: ejabberd and Prosody from Debian's packages.
//!
//! Every server gets the same loads, one after the other, in rounds; the medians are compared. The load tools share
//! the machine with the servers, so ratios say more than rates.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{USAGE, build_with};
use crate::repo::Repo;

/// What must be there: a program, and the packages that bring it.
const NEEDED: &[(&str, &[&str])] = &[
    ("/usr/sbin/ejabberdctl", &["ejabberd", "erlang-p1-pgsql"]),
    ("/usr/bin/prosody", &["prosody", "lua-unbound", "lua-sec"]),
    ("/usr/lib/postgresql", &["postgresql"]),
];
/// The loads, as both load tools name them.
const WORKLOADS: &[&str] = &["1to1", "low", "group"];
/// The servers, ours first.
const SERVERS: &[&str] = &["sabird", "ejabberd", "ejabberd-postgresql", "prosody"];
/// The figures that are compared, and whether more is better.
const COMPARED: &[(&str, bool)] = &[
    ("delivered_per_s", true),
    ("cpu_s_per_10k", false),
    ("p50_ms", false),
];

/// What the caller asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    secs: u64,
    rounds: usize,
    json: bool,
}

impl Options {
    /// Reads the arguments after `peers`.
    pub(super) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            secs: 6,
            rounds: 3,
            json: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let number = arguments.next().and_then(|text| text.parse::<u32>().ok());
                number.filter(|number| *number > 0).ok_or(USAGE)
            };
            match argument.as_str() {
                "--json" => options.json = true,
                "--secs" => options.secs = u64::from(number()?),
                "--rounds" => options.rounds = number()? as usize,
                other => return Err(format!("unknown argument `{other}`\n{USAGE}")),
            }
        }
        Ok(options)
    }
}

/// Runs every server under every load and prints the medians and ratios.
pub(super) fn run(repo: &Repo, options: &Options) -> Result<bool, String> {
    if let Some(missing) = missing(Path::exists) {
        return Err(missing);
    }
    let folder = build_with(repo, &["sabir-peers"])?;
    for workload in WORKLOADS {
        let mut rows = vec![Vec::new(); SERVERS.len()];
        for round in 1..=options.rounds {
            for (server, row) in SERVERS.iter().zip(&mut rows) {
                eprintln!("{workload}, round {round} of {}: {server}", options.rounds);
                row.push(measure(&folder, server, workload, options.secs)?);
            }
        }
        let medians: Vec<Value> = rows.iter().map(|row| median_of(row)).collect();
        print(workload, &medians, options.json);
    }
    Ok(true)
}

/// What to install where something is missing. Nothing is installed from here: it is somebody's machine.
fn missing(is_there: impl Fn(&Path) -> bool) -> Option<String> {
    let packages: Vec<&str> = NEEDED
        .iter()
        .filter(|(program, _)| !is_there(Path::new(program)))
        .flat_map(|(_, packages)| packages.iter().copied())
        .collect();
    (!packages.is_empty()).then(|| {
        format!(
            "a server is missing\nhint: on Debian, as root: apt-get install --no-install-recommends {}",
            packages.join(" ")
        )
    })
}

fn measure(folder: &Path, server: &str, workload: &str, secs: u64) -> Result<Value, String> {
    let mut command = if server == "sabird" {
        let mut command = Command::new(folder.join("sabir-load"));
        command.args(["--workload", workload, "--secs", &secs.to_string(), "--json"]);
        command
    } else {
        let mut command = Command::new(folder.join("sabir-peers"));
        command.args([server, workload, &secs.to_string()]);
        command
    };
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{server} under {workload} failed"));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut figures: Value =
        serde_json::from_str(text.trim()).map_err(|error| format!("{server}: {error}"))?;
    if server == "sabird"
        && let Some(members) = figures.as_object_mut()
    {
        members.insert("server".to_owned(), json!("sabird"));
        members.insert("promise".to_owned(), json!("durable"));
    }
    Ok(figures)
}

/// One object with the median of every number, each for itself.
fn median_of(rows: &[Value]) -> Value {
    let Some(Value::Object(first)) = rows.first() else {
        return Value::Null;
    };
    let median = |name: &String, value: &Value| {
        if !value.is_number() {
            return value.clone();
        }
        let mut values: Vec<f64> = rows.iter().filter_map(|row| row.get(name)?.as_f64()).collect();
        values.sort_by(f64::total_cmp);
        values
            .get(values.len() / 2)
            .map_or(Value::Null, |value| json!(value))
    };
    let members = first
        .iter()
        .map(|(name, value)| (name.clone(), median(name, value)));
    Value::Object(members.collect())
}

/// How many times better ours is than another's, or `None` without figures.
fn ratio(ours: &Value, other: &Value, (name, more): (&str, bool)) -> Option<f64> {
    let [ours, other] = [ours, other].map(|row| {
        row.get(name)
            .and_then(Value::as_f64)
            .filter(|figure| *figure > 0.0)
    });
    Some(if more { ours? / other? } else { other? / ours? })
}

fn print(workload: &str, medians: &[Value], as_json: bool) {
    let Some((ours, others)) = medians.split_first() else {
        return;
    };
    if as_json {
        for row in medians {
            println!("{row}");
        }
        for other in others {
            let ratios: serde_json::Map<String, Value> = COMPARED
                .iter()
                .map(|compared| (compared.0.to_owned(), json!(ratio(ours, other, *compared))))
                .collect();
            println!(
                "{}",
                json!({ "workload": workload, "sabird_better_than": other["server"], "times": ratios })
            );
        }
        return;
    }
    println!(
        "\n{workload:<22}{:>10}{:>14}{:>10}{:>10}{:>14}{:>9}",
        "promise", "delivered/s", "p50 ms", "p99 ms", "CPU s / 10k", "RSS MB"
    );
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let number = |row: &Value, name: &str| row[name].as_f64().unwrap_or(f64::NAN);
    for row in medians {
        println!(
            "{:<22}{:>10}{:>14.0}{:>10.2}{:>10.2}{:>14.2}{:>9.0}",
            text(row, "server"),
            text(row, "promise"),
            number(row, "delivered_per_s"),
            number(row, "p50_ms"),
            number(row, "p99_ms"),
            number(row, "cpu_s_per_10k"),
            number(row, "rss_mb"),
        );
    }
    for other in others {
        let times: Vec<String> = COMPARED
            .iter()
            .filter_map(|compared| Some(format!("{} {:.2}", compared.0, ratio(ours, other, *compared)?)))
            .collect();
        println!(
            "  sabird is better than {} by: {}",
            text(other, "server"),
            times.join(", ")
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_arguments() {
        let parse = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
            Options::parse(&arguments)
        };
        assert!(parse(&[]).is_ok_and(|options| options.secs == 6 && options.rounds == 3 && !options.json));
        let some = parse(&["--secs", "2", "--rounds", "1", "--json"]);
        assert!(some.is_ok_and(|options| options.secs == 2 && options.rounds == 1 && options.json));
        for wrong in [&["--secs"][..], &["--rounds", "0"], &["--x"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn says_what_to_install() {
        assert_eq!(missing(|_| true), None);
        let said = missing(|program| program.ends_with("prosody")).unwrap_or_default();
        assert!(
            said.ends_with("apt-get install --no-install-recommends ejabberd erlang-p1-pgsql postgresql"),
            "{said}"
        );
    }

    #[test]
    fn medians_and_ratios() {
        let row =
            |rate: f64, cpu: f64| json!({ "server": "s", "delivered_per_s": rate, "cpu_s_per_10k": cpu });
        let ours = median_of(&[row(30.0, 0.5), row(10.0, 9.0), row(20.0, 1.0)]);
        assert_eq!(ours, row(20.0, 1.0));
        let other = row(10.0, 4.0);
        assert_eq!(ratio(&ours, &other, ("delivered_per_s", true)), Some(2.0));
        assert_eq!(ratio(&ours, &other, ("cpu_s_per_10k", false)), Some(4.0));
        assert_eq!(ratio(&ours, &other, ("p50_ms", false)), None);
    }
}
