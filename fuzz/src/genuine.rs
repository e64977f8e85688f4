//! Inputs that signatures protect: a genuine one of a recorded scene, damaged where the fuzzer says.

/// What a damaged copy is made of.
///
/// The first byte picks one of `genuine` (255: none, the rest is taken as it is). Then come changes of four bytes each:
/// what to do, where (two bytes, least significant first), and a value.
pub(crate) fn damaged(genuine: &[Vec<u8>], data: &[u8]) -> Option<(usize, Vec<u8>)> {
    let (first, rest) = data.split_first()?;
    if *first == 255 {
        return Some((0, rest.to_vec()));
    }
    let index = usize::from(*first) % genuine.len().max(1);
    let mut bytes = genuine.get(index)?.clone();
    for change in rest.chunks_exact(4).take(64) {
        let [what, low, high, value] = change else {
            continue;
        };
        let at = usize::from(u16::from_le_bytes([*low, *high])) % bytes.len().max(1);
        let end = at.saturating_add(usize::from(*value)).min(bytes.len());
        match what % 6 {
            0 => bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= value),
            1 => bytes.get_mut(at).into_iter().for_each(|byte| *byte = *value),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, *value),
            4 => drop(bytes.drain(at..end)),
            _ => {
                let piece = bytes.get(at..end).unwrap_or_default().to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    Some((index, bytes))
}
