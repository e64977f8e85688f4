//! Files between two people of two providers: whole, without their metadata, unreadable on the way, through kills at any
//! moment, and in little memory.
//!
//! `SABIR_FILE_MIB` makes the large file larger: 2048 is the size that the bound on memory was made for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use sabir_testkit::{Profile, Town, find, until};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(120);
const MIB: usize = 1 << 20;

/// A file of so many bytes that do not repeat.
fn write_file(path: &Path, length: usize) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    let mut state = length as u64 | 1;
    let mut left = length;
    while left > 0 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let bytes = state.rotate_left(29).to_le_bytes();
        let some = left.min(bytes.len());
        out.write_all(&bytes[..some]).unwrap();
        left -= some;
    }
    out.flush().unwrap();
}

fn same_bytes(one: &Path, other: &Path) -> bool {
    let [mut one, mut other] = [one, other].map(|path| File::open(path).unwrap());
    let length = one.metadata().unwrap().len();
    if other.metadata().unwrap().len() != length {
        return false;
    }
    let (mut here, mut there) = (vec![0; MIB], vec![0; MIB]);
    let mut left = usize::try_from(length).unwrap();
    while left > 0 {
        let some = left.min(MIB);
        one.read_exact(&mut here[..some]).unwrap();
        other.read_exact(&mut there[..some]).unwrap();
        if here[..some] != there[..some] {
            return false;
        }
        left -= some;
    }
    true
}

/// The newest message of a conversation that has a file, once there is one.
fn message_with_file(person: &Profile, with: &Profile, name: &str) -> Value {
    until(&format!("that {} has {name}", person.address()), PATIENCE, || {
        let lines = person.messages(with.address()).ok()?.into_iter();
        lines.rev().find(|line| line["files"][0]["name"] == name)
    })
    .unwrap()
}

fn save(person: &Profile, message: &Value, to: &Path) -> Value {
    person
        .ask(&["save", &message["id"].to_string(), to.to_str().unwrap()])
        .unwrap()
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap();
    [&[0xff, marker][..], &length.to_be_bytes(), content].concat()
}

#[test]
fn a_picture_arrives_without_its_metadata_and_nobody_on_the_way_sees_it() {
    let mut town = Town::new(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    let files = town.folder().join("files");
    std::fs::create_dir(&files).unwrap();
    let place = b"52.5163 N 13.3777 E, at home";
    let picture = b"what-the-picture-shows".repeat(500);
    let parts = [
        b"\xff\xd8".to_vec(),
        segment(
            0xe1,
            &[b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0", &place[..]].concat(),
        ),
        segment(0xdb, b"tables"),
        segment(0xda, b"scan"),
        picture.clone(),
        b"\xff\xd9".to_vec(),
    ];
    let photo = files.join("garden.jpg");
    std::fs::write(&photo, parts.concat()).unwrap();
    let bare = [&parts[0], &parts[2], &parts[3], &parts[4], &parts[5]]
        .map(Vec::as_slice)
        .concat();

    let path = photo.to_str().unwrap();
    let sent = alice
        .ask(&["send", "--file", path, bob.address(), "our garden"])
        .unwrap();
    assert_eq!(
        (&sent["state"], &sent["transfer"]["state"]),
        (&"sent".into(), &"done".into()),
        "{sent}"
    );
    let message = message_with_file(&bob, &alice, "garden.jpg");
    assert_eq!(message["text"], "our garden");
    let file = &message["files"][0];
    assert_eq!(
        (&file["media_type"], &file["bytes"]),
        (&"image/jpeg".into(), &bare.len().into())
    );

    let folder = files.join("bob");
    std::fs::create_dir(&folder).unwrap();
    let saved = save(&bob, &message, &folder);
    let at = folder.join("garden.jpg");
    assert_eq!(
        (&saved["state"], &saved["path"]),
        (&"done".into(), &at.to_str().unwrap().into())
    );
    assert_eq!(std::fs::read(&at).unwrap(), bare);
    let names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["garden.jpg"], "nothing is left beside it");
    // What is there stays.
    std::fs::write(&at, b"mine").unwrap();
    let number = message["id"].to_string();
    let folder = folder.to_str().unwrap();
    assert!(bob.ask(&["save", &number, folder]).is_err());
    assert_eq!(std::fs::read(&at).unwrap(), b"mine");
    bob.ask(&["save", &number, folder, "--overwrite"]).unwrap();
    assert_eq!(std::fs::read(&at).unwrap(), bare);
    // Alice's own message has it, too.
    let own = message_with_file(&alice, &bob, "garden.jpg");
    save(&alice, &own, &files.join("again.jpg"));
    assert_eq!(std::fs::read(files.join("again.jpg")).unwrap(), bare);

    for folder in [
        town.provider("a.example").unwrap().folder(),
        town.provider("b.example").unwrap().folder(),
        alice.folder(),
        bob.folder(),
    ] {
        for word in [&place[..], &picture[..44], b"garden.jpg"] {
            let found = find(folder, word).unwrap();
            assert!(
                found.is_none(),
                "{found:?} holds {:?}",
                String::from_utf8_lossy(word)
            );
        }
    }
    let stored = std::fs::read_dir(
        town.provider("a.example")
            .unwrap()
            .folder()
            .join("data/assets/whole"),
    )
    .unwrap();
    assert_eq!(stored.count(), 1, "one file is stored, by the sender's provider");
    let stored = std::fs::read_dir(
        town.provider("b.example")
            .unwrap()
            .folder()
            .join("data/assets/whole"),
    )
    .unwrap();
    assert_eq!(stored.count(), 0);

    let renamed = files.join("as-it-is.jpg");
    std::fs::rename(&photo, &renamed).unwrap();
    alice
        .ask(&[
            "send",
            "--keep-metadata",
            "--file",
            renamed.to_str().unwrap(),
            bob.address(),
        ])
        .unwrap();
    let message = message_with_file(&bob, &alice, "as-it-is.jpg");
    assert_eq!(message["text"], "as-it-is.jpg", "for faces that know no files");
    save(&bob, &message, &files.join("whole.jpg"));
    assert_eq!(std::fs::read(files.join("whole.jpg")).unwrap(), parts.concat());
}

/// The bytes of the only file in a folder that ends so, or 0.
fn length_in(folder: &Path, ending: &str) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let mut lengths = entries.filter_map(Result::ok).filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        name.ends_with(ending)
            .then(|| entry.metadata().ok().map(|metadata| metadata.len()))?
    });
    lengths.next().unwrap_or(0)
}

/// Waits until a file has grown beyond `from`, or the command has ended.
fn grown(folder: &Path, ending: &str, from: u64, command: &mut std::process::Child) -> u64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let length = length_in(folder, ending);
        if length > from || command.try_wait().unwrap().is_some() {
            return length;
        }
        assert!(Instant::now() < deadline, "nothing moves in {}", folder.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn whatever_is_killed_a_file_arrives_whole() {
    let mut town = Town::quiet(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    let file = town.folder().join("large.bin");
    let length = 96 * MIB;
    write_file(&file, length);
    let partial = town
        .provider("a.example")
        .unwrap()
        .folder()
        .join("data/assets/partial");
    let send = ["send", "--file", file.to_str().unwrap(), bob.address()];
    let mut command = alice.spawn(&send).unwrap();
    let first = grown(&partial, "", 8 * MIB as u64, &mut command);
    alice.kill_agent().unwrap();
    let second = grown(&partial, "", first + 8 * MIB as u64, &mut command);
    let provider = town.provider_mut("a.example").unwrap();
    provider.kill();
    provider.start().unwrap();
    let third = grown(&partial, "", second + 8 * MIB as u64, &mut command);
    // Ctrl-C ends the command alone.
    command.kill().unwrap();
    command.wait().unwrap();
    println!("interrupted at {first}, {second} and {third} of {length} bytes");
    assert!(
        0 < first && first < second && third < length as u64,
        "it was too fast to be interrupted"
    );
    // The same again is the same transfer.
    let sent = alice.ask(&send).unwrap();
    assert_eq!(sent["transfer"]["transfer"], 1, "{sent}");

    let message = message_with_file(&bob, &alice, "large.bin");
    let folder = town.folder().join("bob's");
    std::fs::create_dir(&folder).unwrap();
    let save = ["save", &message["id"].to_string(), folder.to_str().unwrap()];
    let mut command = bob.spawn(&save).unwrap();
    let first = grown(&folder, "sabir-part", 8 * MIB as u64, &mut command);
    bob.kill_agent().unwrap();
    let second = grown(&folder, "sabir-part", first + 8 * MIB as u64, &mut command);
    for domain in ["a.example", "b.example"] {
        let provider = town.provider_mut(domain).unwrap();
        provider.kill();
        provider.start().unwrap();
    }
    println!("interrupted at {first} and {second} of {length} bytes");
    assert!(
        0 < first && first < second && second < length as u64,
        "it was too fast to be interrupted"
    );
    let ended = command.wait_with_output().unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    assert!(same_bytes(&file, &folder.join("large.bin")));
    assert_eq!(
        std::fs::read_dir(&folder).unwrap().count(),
        1,
        "nothing is left beside it"
    );
    assert_eq!(std::fs::read_dir(&partial).unwrap().count(), 0);
    let texts: Vec<String> = bob
        .log(alice.address())
        .unwrap()
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert_eq!(texts, ["large.bin"], "one message");
}

#[test]
fn a_file_that_changes_meanwhile_is_not_sent() {
    let mut town = Town::quiet(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    let file = town.folder().join("draft.txt");
    std::fs::write(&file, "first version").unwrap();
    // Nobody is there to upload it to.
    town.provider_mut("a.example").unwrap().kill();
    let send = ["send", "--queue", "--file", file.to_str().unwrap(), bob.address()];
    let queued = alice.ask(&send).unwrap();
    // Once the plan is made, the transfer waits for the provider.
    until("that it waits", PATIENCE, || {
        let state = &alice.ask(&send).unwrap()["transfer"]["state"];
        (state == "waiting").then_some(())
    })
    .unwrap();
    std::fs::write(&file, "other version").unwrap();
    town.provider_mut("a.example").unwrap().start().unwrap();
    let sent = alice
        .ask(&["send", "--file", file.to_str().unwrap(), bob.address()])
        .unwrap();
    assert_ne!(
        sent["transfer"]["transfer"], queued["transfer"]["transfer"],
        "another file is another transfer"
    );
    let message = message_with_file(&bob, &alice, "draft.txt");
    save(&bob, &message, &town.folder().join("saved.txt"));
    assert_eq!(
        std::fs::read(town.folder().join("saved.txt")).unwrap(),
        b"other version"
    );
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(
        bob.log(alice.address()).unwrap().len(),
        1,
        "the first version never went out"
    );
}

/// The most memory that a process ever had, in KiB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_large_file_takes_little_memory() {
    let mut town = Town::quiet(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    alice.send(bob.address(), "something small first").unwrap();
    bob.expect_log(alice.address(), &["something small first"], PATIENCE)
        .unwrap();
    let mib = std::env::var("SABIR_FILE_MIB").map_or(256, |text| text.parse().expect("SABIR_FILE_MIB"));
    let file = town.folder().join("large.bin");
    write_file(&file, mib * MIB);
    let pids = [
        ("alice's agent", alice.agent_pid().unwrap().unwrap()),
        ("bob's agent", bob.agent_pid().unwrap().unwrap()),
        ("a.example", town.provider("a.example").unwrap().pid().unwrap()),
        ("b.example", town.provider("b.example").unwrap().pid().unwrap()),
    ];
    let before = pids.map(|(_, pid)| peak(pid));
    let began = Instant::now();
    alice
        .ask(&[
            "send",
            "--file",
            file.to_str().unwrap(),
            bob.address(),
            "--wait",
            "600",
        ])
        .unwrap();
    let sent = began.elapsed();
    let message = message_with_file(&bob, &alice, "large.bin");
    let saved = town.folder().join("saved.bin");
    let began = Instant::now();
    bob.ask(&[
        "save",
        &message["id"].to_string(),
        saved.to_str().unwrap(),
        "--wait",
        "600",
    ])
    .unwrap();
    println!("{mib} MiB: sent in {sent:.1?}, saved in {:.1?}", began.elapsed());
    for ((name, pid), before) in pids.into_iter().zip(before) {
        let after = peak(pid);
        println!("{name}: peak {before} KiB before, {after} KiB after");
        assert!(after < 64 * 1024, "{name} took {after} KiB");
    }
    assert!(same_bytes(&file, &saved));
}
