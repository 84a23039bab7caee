"""What is played in the demo: the script, the people, and what goes wrong, all of it data."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.faults import Faults
from chatfsm.simulator.scenario import from_json
from chatfsm.simulator.tenants import Agent, Entry, Tenant

__all__ = ["ANSWERS", "APP_ID", "CLIENT_ID", "FAULTS", "TENANT_URL", "center"]

TENANT_URL: Final = "tenant.example"
APP_ID: Final = "demo"
CLIENT_ID: Final = "demo-customer"

ANSWERS: Final = {
    "Welcome! What is it about?": "A parcel that never came.",
    "Good morning, this is Pilar. Which parcel?": "TW-20417, due on Monday.",
    "It is still in our depot, I am sorry.": "It is a birthday present!",
    "Is somebody at home at four?": "Yes, all afternoon.",
}
"""What the customer says to which text of the script, which waits for it. So every poll until the
pause brings what the one text before it has led to, however slow the machine is, and the faults
can be placed by the numbers of polls and POSTs."""

FAULTS: Final = Faults.parse("duplicate:poll@4,truncate:poll@5,reset:post@4")


def center(seed: int) -> ContactCenter:
    """A contact center of its own, with an agent and the script; the same for the same seed."""
    scenario = from_json(files("chatfsm.demo").joinpath("scenario.json").read_bytes())
    pilar = Agent(party_id="PILAR", display_name="Pilar", first_name="Pilar")
    entry = Entry(app_id=APP_ID, scenario=scenario)
    return ContactCenter([Tenant(url=TENANT_URL, entries=(entry,), agents=(pilar,))], seed=seed)
