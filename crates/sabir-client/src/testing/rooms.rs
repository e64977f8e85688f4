use super::FakeProvider;

impl FakeProvider {
    pub(super) fn room_request(&self, _client: &str, _path: &str, _body: &[u8]) -> Option<Vec<u8>> {
        None
    }
}
