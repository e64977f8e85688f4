//! A provider that cheats its own people: bytes in the event stream that are no events, files that are not what was
//! asked for.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::Response;
use sabir_wire::client_api::{
    ApiErrorCode, AppendAssetResponse, AssetId, AssetStatus, AssetUrl, BeginAssetRequest, BeginAssetResponse,
    Event, EventBody, FinishAssetResponse, path, put_frame,
};
use sabir_wire::codec::{Decode, Encode};

use super::{Answer, FakeProvider, refused, whole};

/// What is answered to whoever downloads a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Serving {
    /// The file.
    #[default]
    Truly,
    /// Its first half, as if that were all that was announced. The announcement is the whole.
    Half,
    /// As many other bytes.
    Others,
    /// The file, and more than was announced.
    More,
    /// A file of another size.
    OtherSize,
    /// No end.
    Endless,
    /// Neither length nor range.
    Silent,
}

/// The files of a provider, and how they are given out.
#[derive(Debug, Default)]
pub(super) struct Files {
    stored: BTreeMap<String, Vec<u8>>,
    serving: Serving,
    /// How often somebody asked for one.
    asked: usize,
}

/// Whether a path is about files.
pub(super) fn is_file(at: &str) -> bool {
    at == path::ASSETS || at.starts_with(path::ASSET) || at.starts_with(path::DOWNLOAD)
}

impl FakeProvider {
    /// Sends bytes as they are to a device that listens.
    pub(crate) fn send_raw(&self, client: &str, bytes: &[u8]) {
        let state = self.state();
        let stream = state.devices[client].stream.as_ref().expect("it listens");
        stream.send(Bytes::copy_from_slice(bytes)).expect("it listens");
    }

    /// Begins every event stream of a device with these bytes.
    pub(crate) fn begin_streams_with(&self, client: &str, bytes: &[u8]) {
        self.state().devices.get_mut(client).unwrap().prelude = bytes.to_vec();
    }

    /// How many event streams a device has opened.
    pub(crate) fn streams_opened(&self, client: &str) -> usize {
        self.state().devices[client].opened
    }

    /// The events that a device was sent, with their cursors.
    pub(crate) fn last_cursor(&self, client: &str) -> u64 {
        let state = self.state();
        state.devices[client]
            .events
            .last()
            .map_or(0, |event| event.cursor)
    }

    /// The frame of an event that a device was sent.
    pub(crate) fn event_bytes(&self, client: &str, cursor: u64) -> Vec<u8> {
        let state = self.state();
        let mut events = state.devices[client].events.iter();
        let mut frame = Vec::new();
        put_frame(&mut frame, events.find(|event| event.cursor == cursor).unwrap());
        frame
    }

    /// The entry of a room that a device was sent with a cursor.
    pub(crate) fn entry(&self, client: &str, cursor: u64) -> Vec<u8> {
        let state = self.state();
        let mut events = state.devices[client].events.iter();
        match &events.find(|event| event.cursor == cursor).unwrap().body {
            EventBody::Fanout { fanout_message, .. } => fanout_message.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Has the next event carry a cursor that is greater by `count` than it would; gives the one before it, which is free.
    pub(crate) fn skip_cursors(&self, client: &str, count: u64) -> u64 {
        let mut state = self.state();
        let device = state.devices.get_mut(client).unwrap();
        let cursor = device.events.last().map_or(0, |event| event.cursor) + count;
        device.events.push(Event {
            cursor,
            body: EventBody::Keepalive,
        });
        cursor
    }

    /// From now on files are given out like this.
    pub(crate) fn serve_files(&self, serving: Serving) {
        let mut state = self.state();
        state.files.serving = serving;
        state.files.asked = 0;
    }

    /// How often somebody asked for a file since [`Self::serve_files`].
    pub(crate) fn downloads(&self) -> usize {
        self.state().files.asked
    }

    pub(super) fn file(&self, at: &str, is_get: bool, body: &[u8]) -> Response<Answer> {
        if let Some(url) = at.strip_prefix(path::DOWNLOAD) {
            return self.download(url);
        }
        let mut state = self.state();
        if at == path::ASSETS {
            let request = BeginAssetRequest::from_bytes(body).unwrap();
            let name: String = request
                .content_hash
                .iter()
                .take(12)
                .map(|b| format!("{b:02x}"))
                .collect();
            let received = state.files.stored.entry(name.clone()).or_default().len() as u64;
            let answer = BeginAssetResponse::Ready {
                asset_id: AssetId::parse(&name).unwrap(),
                received,
                expires_at: u64::MAX,
            };
            return whole(answer.to_bytes());
        }
        let name = at.strip_prefix(path::ASSET).unwrap();
        if let Some(name) = name.strip_suffix(path::FINISH) {
            let url = format!("https://{}/mimi/v1/asset/{name}", self.0.domain);
            let answer = FinishAssetResponse::Finished {
                url: AssetUrl::parse(&url).unwrap(),
                expires_at: u64::MAX,
            };
            return whole(answer.to_bytes());
        }
        let Some(stored) = state.files.stored.get_mut(name) else {
            return refused(ApiErrorCode::NOT_FOUND);
        };
        stored.extend_from_slice(body);
        let received = stored.len() as u64;
        whole(if is_get {
            AssetStatus {
                size: received,
                received,
                finished: false,
                expires_at: u64::MAX,
            }
            .to_bytes()
        } else {
            AppendAssetResponse {
                appended: true,
                received,
            }
            .to_bytes()
        })
    }

    fn download(&self, segment: &str) -> Response<Answer> {
        let mut state = self.state();
        state.files.asked += 1;
        let url = AssetUrl::from_path_segment(segment).unwrap();
        let Some(file) = state.files.stored.get(url.id().as_str()).cloned() else {
            return refused(ApiErrorCode::NOT_FOUND);
        };
        let length = file.len();
        let answer = |body: Answer, said: usize| {
            // As a part of itself, because nobody on the way counts that.
            let range = format!("bytes 0-{}/{said}", said - 1);
            Response::builder()
                .status(206)
                .header("content-range", range)
                .body(body)
                .unwrap()
        };
        let bytes = |bytes: Vec<u8>| Answer::Whole(Some(bytes.into()));
        match state.files.serving {
            Serving::Truly => answer(bytes(file), length),
            Serving::Half => answer(bytes(file[..length / 2].to_vec()), length),
            Serving::Others => answer(bytes(file.iter().map(|byte| byte ^ 1).collect()), length),
            Serving::More => answer(bytes([file.as_slice(), b"more"].concat()), length),
            Serving::OtherSize => answer(bytes(vec![7; length * 2]), length * 2),
            Serving::Endless => answer(Answer::Endless(vec![7; 1 << 16].into()), length),
            Serving::Silent => whole(file),
        }
    }
}
