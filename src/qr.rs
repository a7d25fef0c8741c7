//! A link as a QR code: what brings a phone from a screen to the page.

use fast_qr::{
    ECL, QRBuilder, QRCode,
    convert::{Builder as _, Shape, svg::SvgBuilder},
};

use crate::error::{Error, Result};

/// A drawing for a page: black on white, with the margin that scanners need.
///
/// # Errors
/// If the text does not fit in a QR code, which no link comes near.
pub fn svg(text: &str) -> Result<String> {
    Ok(SvgBuilder::default()
        .shape(Shape::Square)
        .to_str(&code(text)?))
}

/// Half-block characters for a terminal, where one line shows two rows.
///
/// # Errors
/// As for [`svg`].
pub fn terminal(text: &str) -> Result<String> {
    Ok(code(text)?.to_str())
}

/// Medium error correction: a screen reflects light, and is not scratched.
fn code(text: &str) -> Result<QRCode> {
    QRBuilder::new(text)
        .ecl(ECL::M)
        .build()
        .map_err(|error| Error::internal(format!("no QR code: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_link_fits() {
        let link = format!("https://files.example.com/uploads/{}", "x".repeat(300));
        assert!(svg(&link).unwrap().starts_with("<svg"));
        assert!(terminal(&link).unwrap().lines().count() > 20);
    }
}
