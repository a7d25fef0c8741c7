//! The file inside a request's body: the raw body of a PUT, or one field of a multipart form.

use std::{
    collections::BTreeMap,
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use multer::{Field, Multipart};

use super::filename::harmless_text;
use crate::{
    domain::transfer::Spec,
    error::{Error, Result},
    objects,
};

/// The field that holds the file.
pub const FILE_FIELD: &str = "media";
/// The field that holds what the person wrote beside it.
pub const DESCRIPTION_FIELD: &str = "description";
/// Longest description, in characters.
pub const MOST_DESCRIPTION: usize = 500;

/// Most bytes of a form before the first byte of its file.
const MOST_BEFORE_FILE: u64 = 16 * 1024;
/// Most bytes of a form outside its file: headers, boundaries, other fields.
pub const MOST_OUTSIDE_FILE: u64 = 64 * 1024;
/// What most files are smaller than whose length nobody says.
const SMALL: u64 = 1 << 20;
/// How much of a form is parsed at once while it is not the file.
const SLICE: usize = 4 * 1024;

/// A request's body, from which one file is read.
#[derive(Debug)]
pub struct FileBody(Inner);

#[derive(Debug)]
enum Inner {
    Raw {
        stream: BodyDataStream,
        name: Option<String>,
        description: Option<String>,
    },
    Staged {
        bytes: Staged,
        spec: Spec,
    },
    Form(Box<Form>),
}

/// What was put into the store.
struct Staged(objects::Bytes);

impl fmt::Debug for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Staged")
    }
}

/// The texts of a form, by the names of their fields.
#[derive(Debug, Clone, Default)]
pub struct Texts(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Texts {
    /// Says whether it is the first of its name.
    fn put(&self, name: &'static str, text: String) -> bool {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        texts.insert(name, text).is_none()
    }

    /// The text of a field, where the form had one.
    #[must_use]
    pub fn take(&self, name: &str) -> Option<String> {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        texts.remove(name)
    }
}

#[derive(Debug)]
struct Form {
    parts: Multipart<'static>,
    /// The name of the field that holds the file.
    field: &'static str,
    /// The names of the fields that hold texts, and what they hold; `None`: whatever else there is, is
    /// passed over.
    texts: Option<(&'static [&'static str], Texts)>,
    file: Option<Field<'static>>,
    meter: Arc<Meter>,
    description: Option<String>,
}

impl FileBody {
    /// A body that is the file. `name` is what the sender calls it.
    #[must_use]
    pub fn raw(body: Body, name: Option<String>) -> Self {
        Self(Inner::Raw {
            stream: body.into_data_stream(),
            name,
            description: None,
        })
    }

    /// A body that is the file of a grant.
    #[must_use]
    pub fn granted(body: Body, spec: Spec) -> Self {
        Self(Inner::Raw {
            stream: body.into_data_stream(),
            name: Some(spec.filename),
            description: spec.description,
        })
    }

    /// The same body as that of a file that was declared; `None` for a form.
    #[must_use]
    pub fn of_spec(self, spec: &Spec) -> Option<Self> {
        let Inner::Raw { stream, .. } = self.0 else {
            return None;
        };
        Some(Self(Inner::Raw {
            stream,
            name: Some(spec.filename.clone()),
            description: None,
        }))
    }

    /// No body at all: a file of a grant that is staged already.
    #[must_use]
    pub fn staged(bytes: objects::Bytes, spec: Spec) -> Self {
        let bytes = Staged(bytes);
        Self(Inner::Staged { bytes, spec })
    }

    /// Whether the file is staged already, so that it is only looked at.
    #[must_use]
    pub fn is_staged(&self) -> bool {
        matches!(self.0, Inner::Staged { .. })
    }

    /// How many bytes the file has at the least, and as far as can be told, if the body's length is
    /// what the sender says.
    #[must_use]
    pub fn file_bytes(&self, declared: Option<u64>) -> (u64, u64) {
        match (declared, &self.0) {
            (_, Inner::Staged { spec, .. }) => (spec.size_bytes, spec.size_bytes),
            (None, _) => (0, SMALL),
            (Some(length), Inner::Raw { .. }) => (length, length),
            (Some(length), Inner::Form(_)) => (length.saturating_sub(MOST_OUTSIDE_FILE), length),
        }
    }

    /// A body that is the form of a link.
    ///
    /// # Errors
    /// [`Error::MalformedBody`] unless this `Content-Type` is that of a form with files.
    pub fn form(body: Body, content_type: Option<&str>) -> Result<Self> {
        Self::read_form(body, content_type, FILE_FIELD, None)
    }

    /// A body that is a form with its file in a field of this name, and texts in those: what else it
    /// has is refused. The texts are there once the form was read to its end.
    ///
    /// # Errors
    /// As [`Self::form`].
    pub fn form_with(
        body: Body,
        content_type: Option<&str>,
        file: &'static str,
        texts: &'static [&'static str],
    ) -> Result<(Self, Texts)> {
        let found = Texts::default();
        let known = (texts, found.clone());
        let form = Self::read_form(body, content_type, file, Some(known))?;
        Ok((form, found))
    }

    fn read_form(
        body: Body,
        content_type: Option<&str>,
        field: &'static str,
        texts: Option<(&'static [&'static str], Texts)>,
    ) -> Result<Self> {
        let boundary = content_type
            .and_then(|value| multer::parse_boundary(value).ok())
            .ok_or_else(|| {
                Error::MalformedBody(
                    "The body is not multipart/form-data with a boundary, which a file is sent as."
                        .into(),
                )
            })?;
        let meter = Arc::new(Meter::default());
        let metered = Metered {
            stream: body.into_data_stream(),
            left: Bytes::new(),
            gave: false,
            meter: Arc::clone(&meter),
        };
        Ok(Self(Inner::Form(Box::new(Form {
            parts: Multipart::new(metered, boundary),
            field,
            texts,
            file: None,
            meter,
            description: None,
        }))))
    }

    /// Goes to the file's first byte and says what the sender calls it.
    ///
    /// # Errors
    /// [`Error::FileMissing`] if there is none; [`Error::MalformedBody`].
    pub async fn open(&mut self) -> Result<Option<String>> {
        match &mut self.0 {
            Inner::Raw { name, .. } => Ok(name.take()),
            Inner::Staged { spec, .. } => Ok(Some(spec.filename.clone())),
            Inner::Form(form) => form.open().await,
        }
    }

    /// The next piece of the file, never empty; `None` at its end.
    ///
    /// # Errors
    /// [`Error::MalformedBody`] if the body ends early or is broken.
    pub async fn piece(&mut self) -> Result<Option<Bytes>> {
        loop {
            let piece = match &mut self.0 {
                Inner::Raw { stream, .. } => stream
                    .next()
                    .await
                    .transpose()
                    .map_err(|_| Error::MalformedBody(CUT_SHORT.into()))?,
                Inner::Staged { bytes, .. } => {
                    bytes.0.try_next().await.map_err(Error::of_storage)?
                }
                Inner::Form(form) => form.piece().await?,
            };
            if piece.as_ref().is_none_or(|piece| !piece.is_empty()) {
                return Ok(piece);
            }
        }
    }

    /// What comes after the file: gives the description, wherever it stood.
    ///
    /// # Errors
    /// [`Error::TooManyFiles`] if there is another file; [`Error::MalformedBody`].
    pub async fn close(&mut self) -> Result<Option<String>> {
        match &mut self.0 {
            Inner::Raw { description, .. } => Ok(description.take()),
            Inner::Staged { spec, .. } => Ok(spec.description.take()),
            Inner::Form(form) => form.close().await,
        }
    }
}

const CUT_SHORT: &str = "The file did not arrive whole.";

impl Form {
    async fn open(&mut self) -> Result<Option<String>> {
        while let Some(field) = self.next_field().await? {
            let is_file = field.name() == Some(self.field);
            match field.file_name() {
                Some(name) if is_file => {
                    let name = name.to_owned();
                    self.file = Some(field);
                    self.meter.in_file.store(true, Ordering::Relaxed);
                    return Ok(Some(name));
                }
                Some(_) => {
                    return Err(self.missing("The form has a file, but not in the field named"));
                }
                None if is_file => {
                    let text = self.missing("There is text and not a file in the field");
                    return Err(match text {
                        Error::FileMissing(why) => Error::FileMissing(
                            format!("{why} With curl, an @ goes before the file's path.").into(),
                        ),
                        other => other,
                    });
                }
                None => self.text(field).await?,
            }
        }
        Err(Error::FileMissing("No file was sent.".into()))
    }

    fn missing(&self, why: &str) -> Error {
        Error::FileMissing(format!("{why} {}.", self.field).into())
    }

    async fn piece(&mut self) -> Result<Option<Bytes>> {
        let Some(file) = &mut self.file else {
            return Ok(None);
        };
        let piece = file.chunk().await.map_err(|error| malformed(&error))?;
        if let Some(piece) = &piece {
            let length = piece.len() as u64;
            self.meter.of_file.fetch_add(length, Ordering::Relaxed);
            if length > 0 {
                self.meter.begun.store(true, Ordering::Relaxed);
            }
        } else {
            self.file = None;
            self.meter.in_file.store(false, Ordering::Relaxed);
        }
        Ok(piece)
    }

    async fn close(&mut self) -> Result<Option<String>> {
        while let Some(field) = self.next_field().await? {
            if field.file_name().is_some() || field.name() == Some(self.field) {
                return Err(Error::TooManyFiles);
            }
            self.text(field).await?;
        }
        Ok(self.description.take())
    }

    async fn next_field(&mut self) -> Result<Option<Field<'static>>> {
        let field = self.parts.next_field().await;
        field.map_err(|error| malformed(&error))
    }

    async fn text(&mut self, field: Field<'static>) -> Result<()> {
        let name = field.name().unwrap_or_default().to_owned();
        if name == DESCRIPTION_FIELD {
            let text = field.text().await.map_err(|error| malformed(&error))?;
            self.description = description(&text)?;
            return Ok(());
        }
        let Some((known, texts)) = &self.texts else {
            return skip(field).await;
        };
        let Some(known) = known.iter().find(|known| **known == name) else {
            let name: String = name.chars().take(64).collect();
            let mut there = vec![self.field, DESCRIPTION_FIELD];
            there.extend(*known);
            return Err(Error::InvalidArgument(format!(
                "{name}: there is no such field; there are {}.",
                there.join(", ")
            )));
        };
        let text = field.text().await.map_err(|error| malformed(&error))?;
        if texts.put(known, text) {
            return Ok(());
        }
        Err(Error::InvalidArgument(format!("{known}: give it once.")))
    }
}

/// What the person wrote beside a file, made harmless.
///
/// # Errors
/// [`Error::InvalidArgument`] if it is too long.
pub fn description(text: &str) -> Result<Option<String>> {
    let text = harmless_text(text);
    if text.chars().count() > MOST_DESCRIPTION {
        return Err(Error::InvalidArgument(format!(
            "The description is longer than {MOST_DESCRIPTION} characters."
        )));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

async fn skip(mut field: Field<'static>) -> Result<()> {
    while field
        .chunk()
        .await
        .map_err(|error| malformed(&error))?
        .is_some()
    {}
    Ok(())
}

fn malformed(error: &multer::Error) -> Error {
    let too_much = match error {
        multer::Error::StreamReadFailed(cause) => cause.downcast_ref::<TooMuchOutside>(),
        _ => None,
    };
    match (too_much, error) {
        (Some(too_much), _) => Error::MalformedBody(too_much.to_string()),
        (None, multer::Error::StreamReadFailed(_) | multer::Error::IncompleteFieldData { .. }) => {
            Error::MalformedBody(CUT_SHORT.into())
        }
        _ => Error::MalformedBody("The form is not well-formed multipart/form-data.".into()),
    }
}

/// How much of a form went to the parser, and how much of that came out as the file. The parser
/// itself puts no limit on what it keeps of a part's header.
#[derive(Debug, Default)]
struct Meter {
    fed: AtomicU64,
    of_file: AtomicU64,
    in_file: AtomicBool,
    begun: AtomicBool,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "The form holds more than a file and a description: its headers or other fields are too large."
)]
struct TooMuchOutside;

impl Meter {
    /// While the file streams by, what the parser holds is the file's; outside it, it is overhead.
    fn check(&self) -> Result<(), TooMuchOutside> {
        let fed = self.fed.load(Ordering::Relaxed);
        let outside = fed - self.of_file.load(Ordering::Relaxed);
        let most = match self.begun.load(Ordering::Relaxed) {
            false => MOST_BEFORE_FILE,
            true if self.in_file.load(Ordering::Relaxed) => return Ok(()),
            true => MOST_OUTSIDE_FILE,
        };
        if outside > most {
            Err(TooMuchOutside)
        } else {
            Ok(())
        }
    }
}

/// Feeds the parser in small slices outside the file, so that what it keeps can be counted.
struct Metered {
    stream: BodyDataStream,
    left: Bytes,
    gave: bool,
    meter: Arc<Meter>,
}

impl Stream for Metered {
    type Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // The parser asks until it is told to wait; one slice at a time it must work through.
        if std::mem::take(&mut self.gave) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Err(too_much) = self.meter.check() {
            return Poll::Ready(Some(Err(too_much.into())));
        }
        while self.left.is_empty() {
            match ready!(self.stream.poll_next_unpin(cx)) {
                Some(Ok(bytes)) => self.left = bytes,
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            }
        }
        let most = if self.meter.begun.load(Ordering::Relaxed)
            && self.meter.in_file.load(Ordering::Relaxed)
        {
            self.left.len()
        } else {
            SLICE.min(self.left.len())
        };
        let slice = self.left.split_to(most);
        self.meter.fed.fetch_add(most as u64, Ordering::Relaxed);
        self.gave = true;
        Poll::Ready(Some(Ok(slice)))
    }
}
