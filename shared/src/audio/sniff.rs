//! What the first bytes of a file say it is.

use super::NotAudio;

/// The containers that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Wav,
    Mp3,
    Ogg,
    Flac,
    M4a,
}

impl Format {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
            Self::Ogg => "ogg",
            Self::Flac => "flac",
            Self::M4a => "m4a",
        }
    }
}

/// Bytes that [`sniff`] wants to see, where the file has that many.
pub(super) const HEAD: usize = 512;

/// Tells the format by magic bytes; the announced media type is not asked, it is wrong too often.
pub(super) fn sniff(head: &[u8]) -> Result<Format, NotAudio> {
    if head.is_empty() {
        return Err(NotAudio::Empty);
    }
    match head {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Ok(Format::Wav),
        [b'O', b'g', b'g', b'S', ..] => Ok(Format::Ogg),
        [b'f', b'L', b'a', b'C', ..] => Ok(Format::Flac),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Ok(Format::M4a),
        [b'I', b'D', b'3', ..] => Ok(Format::Mp3),
        [0xff, b, c, ..] if is_layer_3(*b, *c) => Ok(Format::Mp3),
        _ => Err(page(head).map_or(NotAudio::UnknownFormat, |kind| NotAudio::ErrorPage { kind })),
    }
}

/// The second and third byte of an MPEG frame header of layer III. Stricter than the sync bits alone, which a UTF-16
/// byte order mark has too.
fn is_layer_3(second: u8, third: u8) -> bool {
    let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
    let (bitrate, rate) = (third >> 4, third >> 2 & 3);
    second >> 5 == 7 && version != 1 && layer == 1 && bitrate != 15 && bitrate != 0 && rate != 3
}

/// What sort of text this is, if it is text: an error page that a provider sent instead of audio.
fn page(head: &[u8]) -> Option<&'static str> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let text = head.trim_ascii_start();
    let lower = text[..text.len().min(64)].to_ascii_lowercase();
    if lower.starts_with(b"<?xml") {
        return Some("xml");
    }
    if lower.starts_with(b"<!doctype") || lower.starts_with(b"<html") {
        return Some("html");
    }
    let printable = |b: &u8| matches!(b, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..);
    let textual = std::str::from_utf8(text).map_or_else(|e| e.error_len().is_none(), |_| true);
    if !textual || !text.iter().all(printable) {
        return None;
    }
    match text.first() {
        Some(b'{' | b'[' | b'"') => Some("json"),
        Some(b'<') => Some("html"),
        _ => Some("text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_is_known_by_its_first_bytes() {
        let cases: [(&[u8], Format); 7] = [
            (b"RIFF\0\0\0\0WAVEfmt ", Format::Wav),
            (b"OggS\0\x02", Format::Ogg),
            (b"fLaC\0\0\0\x22", Format::Flac),
            (b"\0\0\0\x20ftypM4A ", Format::M4a),
            (b"ID3\x04\0\0\0\0\0\x21", Format::Mp3),
            (b"\xff\xfb\x90\xc4", Format::Mp3),
            (b"\xff\xe3\x18\xc4", Format::Mp3),
        ];
        for (head, format) in cases {
            assert_eq!(sniff(head).ok(), Some(format), "{head:?}");
        }
    }

    #[test]
    fn an_error_page_is_no_audio() {
        let cases: [(&[u8], &str); 6] = [
            (b"<?xml version='1.0'?><TwilioResponse>", "xml"),
            (b"\n <!DOCTYPE html><html>", "html"),
            (b"\xef\xbb\xbf<HTML>", "html"),
            (b"{\"responseData\":{\"status\":404}}", "json"),
            (b"Recording not found", "text"),
            ("Aufnahme nicht verf\u{fc}gbar".as_bytes(), "text"),
        ];
        for (head, expected) in cases {
            match sniff(head) {
                Err(NotAudio::ErrorPage { kind }) => assert_eq!(kind, expected),
                other => panic!("{head:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn other_bytes_are_of_no_known_format() {
        for head in [&b"\x1f\x8b\x08\0\0\0\0\0"[..], b"RIFF\0\0\0\0AVI LIST", b"\xff\xfeh\0t\0m\0l\0"] {
            assert!(matches!(sniff(head), Err(NotAudio::UnknownFormat)), "{head:?}");
        }
        assert!(matches!(sniff(b""), Err(NotAudio::Empty)));
    }
}
