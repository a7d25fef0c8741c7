//! What an agent should do next, where the tool that it called makes a difference to what the error table
//! says.

use crate::error::Error;

/// Of a call that names one file.
pub(super) fn of_file(error: Error) -> Error {
    match error {
        Error::NotFound => error.advise(
            "Take a media_id or a handle from upload_status (result) or media_list: an upload's token \
             or id names no file, and what was deleted is gone.",
        ),
        other => other,
    }
}

/// Of a call that deletes a file.
pub(super) fn of_deletion(error: Error) -> Error {
    match error {
        Error::Conflict(_) => error.advise(
            "Tell the person what it is attached to, and call again with force: true only if they want \
             it gone there, too.",
        ),
        other => of_file(other),
    }
}

/// Of a call that attaches what an upload brought, or else one file.
pub(super) fn of_attaching(error: Error, is_upload: bool) -> Error {
    match error {
        Error::MimeNotAllowed { .. } => error.advise(
            "Such a target does not take that type: attach the file to another kind of target, or ask for \
             another file with upload_create and allowed_mime_types.",
        ),
        Error::Conflict(_) => error.advise(
            "Nothing was attached. Choose another target, or tell the person: files are taken off a \
             target by the program that it belongs to.",
        ),
        Error::NotFound if !is_upload => of_file(error),
        other => other,
    }
}

/// Of a call that closes a link.
pub(super) fn of_closing(error: Error) -> Error {
    match error {
        Error::NotFound => error.advise(
            "Give the token or upload_id just as upload_create returned it. A link that is not known \
             takes no file.",
        ),
        Error::AlreadyUsed => error.advise(
            "The file has arrived, so there is no link to close. upload_status tells of it, and \
             media_delete deletes it.",
        ),
        Error::LinkExpired | Error::Declined => {
            error.advise("There is nothing to close: this link takes no file any more.")
        }
        other => other,
    }
}
