//! `Range` requests (RFC 9110 §14), as players send them: one range of bytes.

use std::ops::Range;

/// What part of an object a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it: no range was asked for, or one that is to be ignored.
    Whole,
    /// These bytes.
    Bytes(Range<u64>),
    /// A range that begins behind the end.
    Unsatisfiable,
}

/// Reads a `Range` header for an object of `size` bytes. Several ranges, other units and nonsense are ignored, as the RFC
/// allows.
pub(crate) fn parse(header: Option<&str>, size: u64) -> Part {
    let Some((first, last)) = header.and_then(|text| text.trim().strip_prefix("bytes=")).and_then(bounds) else {
        return Part::Whole;
    };
    let range = match (first, last) {
        (Some(first), None) => first..size,
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (None, Some(count)) => size.saturating_sub(count)..size,
        (Some(_), Some(_)) | (None, None) => return Part::Whole,
    };
    if range.start < range.end { Part::Bytes(range) } else { Part::Unsatisfiable }
}

fn bounds(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    let number = |text: &str| match text {
        "" => Some(None),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok().map(Some),
        _ => None,
    };
    let (first, last) = text.split_once('-')?;
    Some((number(first.trim())?, number(last.trim())?))
}

#[cfg(test)]
mod tests {
    use super::{
        Part::{self, Bytes, Unsatisfiable, Whole},
        parse,
    };

    #[test]
    fn one_range_is_understood_and_anything_else_is_the_whole() {
        let cases: [(&str, Part); 14] = [
            ("bytes=0-0", Bytes(0..1)),
            ("bytes=0-99", Bytes(0..100)),
            ("bytes=10-", Bytes(10..100)),
            ("bytes=-1", Bytes(99..100)),
            ("bytes=-1000", Bytes(0..100)),
            ("bytes=90-18446744073709551615", Bytes(90..100)),
            ("bytes=100-", Unsatisfiable),
            ("bytes=100-200", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=9-5", Whole),
            ("bytes=0-1,5-6", Whole),
            ("bytes=-", Whole),
            ("bytes=+1-2", Whole),
            ("items=0-1", Whole),
        ];
        for (header, part) in cases {
            assert_eq!(parse(Some(header), 100), part, "{header}");
        }
        assert_eq!(parse(None, 100), Whole);
    }
}
