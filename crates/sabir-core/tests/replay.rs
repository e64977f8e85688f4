//! The corpora, the project's vectors, and seeded damage to both, on the stable compiler.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    unreachable_pub,
    clippy::disallowed_methods,
    dead_code,
    reason = "tests"
)]

use std::fs;
use std::path::Path;

use list::TARGETS;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore as _, SeedableRng as _};

#[path = "../../../fuzz/src/client.rs"]
mod client;
#[path = "../../../fuzz/src/content.rs"]
mod content;
#[path = "../../../fuzz/src/genuine.rs"]
mod genuine;
mod group_support;
#[path = "../../../fuzz/src/list.rs"]
mod list;
#[path = "../../../fuzz/src/provider.rs"]
mod provider;
mod town;
#[path = "../../../fuzz/src/wire.rs"]
mod wire;
#[path = "../../sabir-mls/tests/world/mod.rs"]
mod world;

/// How many damaged copies of each input are tried, beside the input itself.
const DAMAGED: usize = 200;

/// Inputs of a target: `corpus/NAME/*`, in the order of their names.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz")
        .join("corpus")
        .join(name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| (file.display().to_string(), fs::read(&file).unwrap()))
        .collect()
}

/// One change of the kinds that parsers trip over.
fn damage(input: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    if bytes.is_empty() {
        return vec![rng.next_u32() as u8];
    }
    for _ in 0..=rng.next_u32() % 3 {
        let at = rng.next_u32() as usize % bytes.len().max(1);
        match rng.next_u32() % 6 {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << (rng.next_u32() % 8),
            1 if !bytes.is_empty() => {
                bytes[at] = [0, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff][rng.next_u32() as usize % 8]
            }
            2 => bytes.truncate(at),
            3 => bytes.insert(at, rng.next_u32() as u8),
            4 if !bytes.is_empty() => drop(bytes.remove(at)),
            _ => {
                let end = (at + 1 + rng.next_u32() as usize % 32).min(bytes.len());
                let piece = bytes.get(at..end).unwrap_or_default().to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

#[test]
fn every_target_takes_its_corpus_whole_and_damaged() {
    for (name, target) in TARGETS {
        let inputs = corpus(name);
        assert!(!inputs.is_empty(), "{name} has no corpus");
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for (_, input) in inputs {
            target(&input);
            for _ in 0..DAMAGED {
                target(&damage(&input, &mut rng));
            }
        }
    }
}

#[test]
fn every_corpus_and_every_program_belongs_to_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let listed = |folder: &str| -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(root.join(folder))
            .unwrap()
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    };
    let mut names: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    names.sort();
    assert_eq!(listed("corpus"), names);
    assert_eq!(listed("targets"), names);
}
