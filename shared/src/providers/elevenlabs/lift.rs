//! Lifts the text at `data.full_audio` out of a JSON object that comes in pieces, and decodes it from base64. Everything else
//! passes through as it is, so that what remains is the same object with that one text empty.
//!
//! It keeps track of just enough to find that text, in whatever order keys come; whether the rest is JSON at all is for
//! the parser to say.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

const PATH: [&[u8]; 2] = [b"data", b"full_audio"];
/// A longer key is none of ours, however it is escaped.
const LONGEST_KEY: usize = 64;
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One body on its way.
#[derive(Default)]
pub(super) struct Lift {
    within: Within,
    /// Objects and arrays that are open.
    depth: usize,
    /// How many of them, from the outermost, are objects on the path.
    on_path: usize,
    /// Directly in the innermost object on the path: a key comes next.
    key_next: bool,
    /// The last key there is the path's.
    key_fits: bool,
    audio: Audio,
}

/// What the next byte belongs to.
#[derive(Default)]
enum Within {
    #[default]
    Structure,
    /// A text that does not matter; whether its last byte was a backslash.
    Text {
        escaped: bool,
    },
    Key {
        escaped: bool,
        raw: Vec<u8>,
    },
    Audio(Escape),
}

/// An escape sequence within the audio's text: encoders may write `\/` for a slash.
enum Escape {
    None,
    Begun,
    Unicode(Vec<u8>),
}

#[derive(Default)]
struct Audio {
    /// Up to three characters of base64 that wait for a fourth.
    waiting: Vec<u8>,
    /// Padding came: nothing may follow.
    padded: bool,
    begun: bool,
    ended: bool,
    broken: bool,
}

impl Lift {
    pub(super) fn take(&mut self, piece: &[u8], rest: &mut Vec<u8>, audio: &mut Vec<u8>) {
        let mut left = piece;
        while !left.is_empty() {
            left = match &mut self.within {
                Within::Structure => self.structure(left, rest),
                Within::Text { .. } | Within::Key { .. } => self.text(left, rest),
                Within::Audio(_) => self.audio(left, rest, audio),
            };
        }
    }

    /// Whether there was one such text, it is at its end and all of it was base64.
    pub(super) fn is_whole(&self) -> bool {
        self.audio.ended && !self.audio.broken
    }

    fn structure<'p>(&mut self, piece: &'p [u8], rest: &mut Vec<u8>) -> &'p [u8] {
        let (byte, left) = (piece[0], &piece[1..]);
        rest.push(byte);
        let here = self.depth == self.on_path && self.depth > 0;
        match byte {
            b'{' => {
                let fits = self.depth == 0 || (here && self.depth < PATH.len() && self.key_fits && !self.key_next);
                self.depth += 1;
                if fits {
                    (self.on_path, self.key_next, self.key_fits) = (self.depth, true, false);
                }
            }
            b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth < self.on_path {
                    (self.on_path, self.key_next, self.key_fits) = (self.depth, false, false);
                }
            }
            b',' if here => (self.key_next, self.key_fits) = (true, false),
            b'"' if here && self.key_next => self.within = Within::Key { escaped: false, raw: Vec::new() },
            b'"' if here && self.key_fits && self.depth == PATH.len() => {
                self.audio.broken |= self.audio.begun;
                self.audio.begun = true;
                self.within = Within::Audio(Escape::None);
            }
            b'"' => self.within = Within::Text { escaped: false },
            _ => {}
        }
        left
    }

    /// Goes on to the end of a text, or of the piece.
    fn text<'p>(&mut self, piece: &'p [u8], rest: &mut Vec<u8>) -> &'p [u8] {
        let (escaped, mut raw) = match &mut self.within {
            Within::Text { escaped } => (escaped, None),
            Within::Key { escaped, raw } => (escaped, Some(raw)),
            Within::Structure | Within::Audio(_) => return piece,
        };
        let mut end = None;
        for (at, byte) in piece.iter().enumerate() {
            match byte {
                _ if *escaped => *escaped = false,
                b'\\' => *escaped = true,
                b'"' => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let (text, left) = piece.split_at(end.unwrap_or(piece.len()));
        rest.extend_from_slice(text);
        if let Some(raw) = &mut raw {
            raw.extend_from_slice(&text[..text.len().min((LONGEST_KEY + 1).saturating_sub(raw.len()))]);
        }
        let Some((quote, left)) = left.split_first() else { return left };
        rest.push(*quote);
        if let Some(raw) = raw {
            self.key_fits = is_key(raw, PATH[self.depth - 1]);
            self.key_next = false;
        }
        self.within = Within::Structure;
        left
    }

    fn audio<'p>(&mut self, piece: &'p [u8], rest: &mut Vec<u8>, audio: &mut Vec<u8>) -> &'p [u8] {
        let Within::Audio(escape) = &mut self.within else { return piece };
        match escape {
            Escape::None => {
                let end = piece.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(piece.len());
                self.audio.decode(&piece[..end], audio);
                let Some((mark, left)) = piece[end..].split_first() else { return &[] };
                if *mark == b'\\' {
                    *escape = Escape::Begun;
                } else {
                    self.audio.end(audio);
                    rest.push(*mark);
                    self.within = Within::Structure;
                }
                left
            }
            Escape::Begun => {
                *escape = if piece[0] == b'u' { Escape::Unicode(Vec::new()) } else { Escape::None };
                match piece[0] {
                    b'/' => self.audio.decode(b"/", audio),
                    b'n' | b'r' | b't' | b'u' => {}
                    _ => self.audio.broken = true,
                }
                &piece[1..]
            }
            Escape::Unicode(digits) => {
                digits.push(piece[0]);
                if digits.len() == 4 {
                    let code = std::str::from_utf8(digits).ok().and_then(|text| u8::from_str_radix(text, 16).ok());
                    *escape = Escape::None;
                    match code {
                        Some(byte) => self.audio.decode(&[byte], audio),
                        None => self.audio.broken = true,
                    }
                }
                &piece[1..]
            }
        }
    }
}

impl Audio {
    fn decode(&mut self, text: &[u8], audio: &mut Vec<u8>) {
        if self.broken || text.is_empty() {
            return;
        }
        self.waiting.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()));
        let whole = self.waiting.len() / 4 * 4;
        let rest = self.waiting.split_off(whole);
        let quads = std::mem::replace(&mut self.waiting, rest);
        self.append(&quads, audio);
    }

    fn end(&mut self, audio: &mut Vec<u8>) {
        let last = std::mem::take(&mut self.waiting);
        self.append(&last, audio);
        self.ended = true;
    }

    fn append(&mut self, text: &[u8], audio: &mut Vec<u8>) {
        if text.is_empty() || self.broken {
            return;
        }
        self.broken = self.padded || BASE64.decode_vec(text, audio).is_err();
        self.padded = text.ends_with(b"=");
    }
}

fn is_key(raw: &[u8], wanted: &[u8]) -> bool {
    if !raw.contains(&b'\\') {
        return raw == wanted;
    }
    let quoted = [b"\"", raw, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).is_ok_and(|key| key.as_bytes() == wanted)
}

#[cfg(test)]
mod tests;
