"""Widget configuration: the reply to `configuration`, as the vendor's web client v4 needs it.

Nothing public documents it. The fields are those that the client reads without a check, and the
forms, of which the server's events carry names only. Source: PROTOCOL.md §1.
"""

from __future__ import annotations

from typing import Any, Final

from chatfsm.simulator.tenants import AppEntry, Tenant, TenantForm

__all__ = ["widget_configuration"]

# Types of form fields by types of expected parameters. Source: PROTOCOL.md §1.
_FIELD_TYPES: Final = {"PHONE": "phone", "EMAIL": "email", "FIRST_NAME": "name"}
# The client shows a widget on pages whose path begins with one of these.
_EVERY_PAGE: Final = ["/"]
_SIZE: Final = {"width": 380, "height": 560}
_TITLE: Final = "Chat with us"
# CSS by the parts of the widget; the client takes the first of the styles, and needs one.
_STYLE: Final = {
    "baseFont": {"font-family": "sans-serif", "font-size": "14px"},
    "widgetBackground": {"background": "#ffffff"},
    "agentMessage": {"color": "#222222"},
    "clientMessage": {"color": "#222222"},
    "systemMessage": {"color": "#666666"},
}


def widget_configuration(tenant: Tenant, entry: AppEntry) -> dict[str, Any]:
    """Return the configuration of the widget for an app of a tenant."""
    tab = {
        "enabled": True,
        "location": "right_bottom",
        "agentsAvailableMsg": _TITLE,
        "outOfHoursMsg": "We are closed",
        "iconUrl": "",
        "doNotShowAfterHours": False,
        "doNotShowAfterEWTThreshold": False,
        "ewtThreshold": 0,
    }
    initiation = {
        "id": entry.app_id,
        "urls": _EVERY_PAGE,
        "contactTab": tab,
        "preChat": _pre_chat(entry),
        "leaveMessage": {"enabled": False, "fields": []},
    }
    return {
        "definition": {
            "chatInitiations": [initiation],
            "proactiveOffers": [],
            "onPageForms": [],
            "forms": [_form(form) for form in tenant.forms],
            "chatWidgetStyling": _styling(),
        },
        "styles": {"default": _STYLE},
    }


def _styling() -> dict[str, Any]:
    return {
        **_SIZE,
        "title": _TITLE,
        "color": "2a5d84",
        "textColor": "ffffff",
        "tabStyle": "default",
        "showAgentPic": "show",
        "fileUploadEnabled": True,
        "emojiSelector": False,
        "videoCallEnabled": True,
        "visitorVideoEnabled": True,
        "webNotificationsEnabled": False,
        "widgetMinimizationEnabled": True,
        "remoteEditing": False,
        "cobrowsing": False,
        "agentJoinedMessage": "$(firstName) $(lastName) has joined.",
        "agentLeftMessage": "$(firstName) $(lastName) has left.",
        "agentTypingMessage": "$(firstName) $(lastName) is typing",
        "endSessionDialogText": "End this chat?",
    }


def _pre_chat(entry: AppEntry) -> dict[str, Any]:
    """Return the form before the chat: the parameters that the app expects; none: no form."""
    fields = [
        _field(name, name, _FIELD_TYPES.get(kind, "text"), required=False)
        for name, kind in entry.parameters.items()
    ]
    return {
        "enabled": bool(fields),
        "title": _TITLE,
        "fields": fields,
        "chatButtonEnabled": True,
        "chatButtonText": "Start chat",
        "callButtonEnabled": False,
        "callButtonText": "",
        "cancelButtonText": "Cancel",
    }


def _form(form: TenantForm) -> dict[str, Any]:
    return {
        "id": form.name,
        "name": form.name,
        "urls": [],
        "title": form.title or form.name,
        "submitButtonText": "Send",
        "cancelButtonText": "Cancel",
        "fields": [
            _field(field.name, field.label or field.name, field.kind, required=field.required)
            for field in form.fields
        ],
    }


def _field(name: str, label: str, kind: str, *, required: bool) -> dict[str, Any]:
    return {"name": name, "label": label, "formFieldType": kind, "required": required}
