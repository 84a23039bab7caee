"""Names on the wire: events and signals, and the paths of the API's methods.

Source: PROTOCOL.md §1 to §4.
"""

from __future__ import annotations

from typing import Final

# Events of the server, of the client, and of both.
STATUS: Final = "chat_session_status"
ENDED: Final = "chat_session_ended"
PARTY_JOINED: Final = "chat_session_party_joined"
PARTY_LEFT: Final = "chat_session_party_left"
MESSAGE: Final = "chat_session_message"
MESSAGE_EDIT: Final = "chat_session_message_edit"  # web client v4
MESSAGE_DELETE: Final = "chat_session_message_delete"  # web client v4
MESSAGE_DELIVERED: Final = "chat_session_message_delivered"
MESSAGE_READ: Final = "chat_session_message_read"
TYPING: Final = "chat_session_typing"
NOT_TYPING: Final = "chat_session_not_typing"
FORM_SHOW: Final = "chat_session_form_show"
SECURE_FORM_SHOW: Final = "chat_session_secure_form_show"
SECURE_FORM_CANCEL: Final = "chat_session_secure_form_cancel"
TIMEOUT_WARNING: Final = "chat_session_timeout_warning"
INACTIVITY_TIMEOUT: Final = "chat_session_inactivity_timeout"
SIGNALING: Final = "chat_session_signaling"
FILE: Final = "chat_session_file"
FILE_URL: Final = "chat_session_file_url"  # web client v4
LOCATION: Final = "chat_session_location"
CASE_SET: Final = "chat_session_case_set"
INFO: Final = "chat_session_info"  # undocumented
FORM_DATA: Final = "chat_session_form_data"
SECURE_FORM_DATA: Final = "chat_session_secure_form_data"
END: Final = "chat_session_end"
DISCONNECT: Final = "chat_session_disconnect"
NAVIGATION: Final = "chat_session_navigation"
MISSPELLED_TIMEOUT: Final = "chat_session_inactvity_timeout"  # so in the specification
FORM_DATA_CANCEL: Final = "chat_form_data_cancel"  # no "session" in it
COBROWSING_REQUESTED: Final = "chat_session_cobrowsing_requested"
COBROWSING_REJECTED: Final = "chat_session_cobrowsing_rejected"
COBROWSING_STARTED: Final = "chat_session_cobrowsing_started"
COBROWSING_ENDED: Final = "chat_session_cobrowsing_ended"

# Types of signals: the `type` in the data of a signaling event.
REQUEST_CALL: Final = "REQUEST_CALL"
CALL_REJECTED: Final = "CALL_REJECTED"
OFFER_CALL: Final = "OFFER_CALL"
ANSWER_CALL: Final = "ANSWER_CALL"
ICE_CANDIDATE: Final = "ICE_CANDIDATE"
END_CALL: Final = "END_CALL"
CALL_STATE: Final = "CALL_STATE"  # undocumented
REQUEST_PHONE_CALL: Final = "REQUEST_PHONE_CALL"
REQUEST_SMS: Final = "REQUEST_SMS"

# Paths of the API's methods, below /clientweb/api/v1/ and /clientweb/api/v2/. `{chat}` stands for
# the chat's id, `{subject}` for the id of the file or the party that is asked for.
AVAILABILITY_PATH: Final = "availability"
PARAMETERS_PATH: Final = "parameters"
CONFIGURATION_PATH: Final = "configuration"
CHATS_PATH: Final = "chats"
SMS_PATH: Final = "requestsms"
ACTIVE_CHAT_PATH: Final = "chats/active"
EVENTS_PATH: Final = "chats/{chat}/events"
HISTORY_PATH: Final = "chats/{chat}/history"
UPLOAD_PATH: Final = "files"
FILE_PATH: Final = "chats/{chat}/files/{subject}"
PHOTO_PATH: Final = "chats/{chat}/profilephotos/{subject}"
CHAT_ICON_PATH: Final = "chats/{chat}/chaticon"
ICE_SERVERS_PATH: Final = "iceservers"
NOTIFICATIONS_PATH: Final = "chats/{chat}/notifications"
CASE_HISTORY_PATH: Final = "chats/{chat}/casehistory"
CLOSE_CASE_PATH: Final = "chats/{chat}/closecase"
VERSION_PATH: Final = "version"

# Not of the wire: the fields of an event or an envelope in which a log says when it received it.
RECEIVED_FIELDS: Final = ("received_at", "recv_ts", "@timestamp")
