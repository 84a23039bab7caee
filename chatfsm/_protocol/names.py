"""The names of the wire's events, as the center says and hears them (PROTOCOL.md §2 and §3)."""

from __future__ import annotations

from typing import Final

STATUS: Final = "chat_session_status"
ENDED: Final = "chat_session_ended"
PARTY_JOINED: Final = "chat_session_party_joined"
PARTY_LEFT: Final = "chat_session_party_left"
MESSAGE: Final = "chat_session_message"
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
LOCATION: Final = "chat_session_location"
CASE_SET: Final = "chat_session_case_set"
FORM_DATA: Final = "chat_session_form_data"
SECURE_FORM_DATA: Final = "chat_session_secure_form_data"
END: Final = "chat_session_end"
DISCONNECT: Final = "chat_session_disconnect"
NAVIGATION: Final = "chat_session_navigation"
MISSPELLED_TIMEOUT: Final = "chat_session_inactvity_timeout"  # as the specification prints it
FORM_DATA_CANCEL: Final = "chat_form_data_cancel"  # without "session", on the wire too
COBROWSING_REQUESTED: Final = "chat_session_cobrowsing_requested"
COBROWSING_REJECTED: Final = "chat_session_cobrowsing_rejected"
COBROWSING_STARTED: Final = "chat_session_cobrowsing_started"
COBROWSING_ENDED: Final = "chat_session_cobrowsing_ended"
