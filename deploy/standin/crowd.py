"""Many users at once, as different as Clerk's are: most lack something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.samples import invent_person
from deploy.standin.shapes import DAY_MS, new_email, new_user

if TYPE_CHECKING:
    from random import Random

    from deploy.standin.shapes import Thing


def invent_user(random: Random, *, at_ms: int) -> Thing:
    """Return somebody who was created then: 2 kB, one in five without a name or an address."""
    person = invent_person(random)
    user = new_user(person.id, at_ms=at_ms, updated_ms=at_ms + random.randint(10, 20))
    dice = random.random()
    if dice > 0.2:
        user |= {"first_name": person.first_name, "last_name": person.last_name}
    if not 0.1 < dice < 0.3:
        email = new_email(person.email, at_ms=at_ms, random=random)
        user |= {"email_addresses": [email], "primary_email_address_id": email["id"]}
    if dice > 0.6:
        user |= {"username": person.username, "last_sign_in_at": at_ms + 5, "locale": "en-GB"}
    if dice > 0.9:
        user |= {"external_id": f"crm-{random.randint(1, 10**9)}", "locked": dice > 0.99}
    user |= {
        "public_metadata": {"plan": random.choice(("free", "team", "enterprise"))},
        "private_metadata": {"stripe": f"cus_{random.getrandbits(64):x}", "notes": "n" * 300},
        "unsafe_metadata": {"signup_source": "landing-page"} if dice > 0.5 else {},
        "last_active_at": at_ms + random.randint(0, DAY_MS) if dice > 0.4 else None,
    }
    return user
