use sabir_mls::keys::sha256;
use sabir_server::server::Shared;

/// Everything of a provider's store that a request might have changed, but for the outbox: a line for each thing, with
/// a digest of it.
pub(crate) fn picture(shared: &Shared) -> Vec<String> {
    let store = &shared.store;
    let mut picture = Vec::new();
    let mut draw = |name: String, thing: &dyn std::fmt::Debug| {
        let digest = sha256(format!("{thing:?}").as_bytes());
        picture.push(format!("{name} {:02x?}", &digest[..4]));
    };
    for account in store.list_accounts().unwrap() {
        for device in store.devices(&account.user).unwrap() {
            let name = &device.client_uri;
            let queue = store.device_read(name, 0, 1000, usize::MAX).unwrap();
            let packages = store.count_key_packages(name, Default::default()).unwrap();
            draw(format!("queue {} {name}", queue.len()), &queue);
            draw(format!("packages {packages} {name}"), &());
            draw(format!("device {name}"), &device);
        }
        draw(format!("account {}", account.user), &account);
    }
    for (room, head) in store.list_rooms().unwrap() {
        draw(
            format!("rows {:?} {room}", head.version),
            &store.load_room(&room).unwrap().unwrap().rows,
        );
        let log = store.room_log(&room, 0, 1000).unwrap();
        draw(format!("log {} {room}", log.len()), &log);
    }
    picture
}
