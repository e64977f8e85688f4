#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

use super::*;
use crate::content::tests::examples::folder;

#[test]
fn the_drafts_example_round_trips_and_reads_as_noted() {
    let Some(folder) = folder("mimi-message-status") else {
        return;
    };
    let bytes = std::fs::read(folder.join("status.cbor")).unwrap();
    let report = MessageStatusReport::from_bytes(&bytes).unwrap();
    assert_eq!(report.to_bytes().unwrap(), bytes);
    let statuses: Vec<_> = report.statuses.iter().map(|entry| entry.status).collect();
    assert_eq!(
        statuses,
        [
            MessageStatus::READ,
            MessageStatus::READ,
            MessageStatus::UNREAD,
            MessageStatus::EXPIRED
        ]
    );
    let notes = std::fs::read_to_string(folder.join("status.edn")).unwrap();
    let digits: String = notes.split('\'').skip(1).step_by(2).collect::<Vec<_>>().join(" ");
    let digits: Vec<String> = digits.split_whitespace().map(str::to_owned).collect();
    let ids: Vec<String> = digits.chunks(2).map(<[String]>::concat).collect();
    assert_eq!(
        ids,
        report
            .statuses
            .iter()
            .map(|e| e.message_id.to_string())
            .collect::<Vec<_>>()
    );
}

#[test]
fn unknown_statuses_survive() {
    let id = MessageId::compute(
        "mimi://a.example/u/alice",
        "mimi://a.example/r/r",
        b"",
        &crate::content::Salt([0; 16]),
    )
    .unwrap();
    let report = MessageStatusReport::of(MessageStatus(255), &[id, id]);
    let bytes = report.to_bytes().unwrap();
    assert_eq!(MessageStatusReport::from_bytes(&bytes).unwrap(), report);
    assert!(
        !MessageStatus(255).is_known() && !MessageStatus(7).is_known() && MessageStatus::ERROR.is_known()
    );
}

#[test]
fn a_report_has_a_bound() {
    let id = MessageId::compute("", "", b"", &crate::content::Salt([0; 16])).unwrap();
    assert!(
        MessageStatusReport::of(MessageStatus::READ, &vec![id; MAX_STATUSES])
            .to_bytes()
            .is_ok()
    );
    assert!(
        MessageStatusReport::of(MessageStatus::READ, &vec![id; MAX_STATUSES + 1])
            .to_bytes()
            .is_err()
    );
}
