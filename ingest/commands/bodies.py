"""What commands and their answers look like in JSON: what cannot be applied does not get in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    TypeAdapter,
    model_validator,
)

from schema.kafka.commands import MAX_BODY, MAX_TITLE
from schema.postgres.user_data import FeatureFlags, OnboardingStatus, Preferences

if TYPE_CHECKING:
    from typing import Self

_VISIBLE: Final = re.compile(r"\S")


def _check_text(text: str) -> str:
    if "\0" in text:  # what PostgreSQL cannot keep in a text
        raise ValueError("must not contain the character U+0000")
    return text


def _check_title(title: str) -> str:
    if not _VISIBLE.search(title):
        raise ValueError("must not be blank")
    return _check_text(title)


Title: TypeAlias = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_TITLE,
        description="some of it not blank",
        json_schema_extra={"pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$"},
    ),
    AfterValidator(_check_title),
]
Text: TypeAlias = Annotated[
    str,
    Field(
        max_length=MAX_BODY,
        description="may be empty",
        json_schema_extra={"pattern": r"^[^\u0000]*$"},
    ),
    AfterValidator(_check_text),
]
Status: TypeAlias = Annotated[
    Literal["draft", "published"],
    Field(description="a draft is shown to its author alone"),
]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class NewPost(_Body):
    """A post to create."""

    title: Title
    body: Text
    status: Status = "draft"


# Absent, never null: the default is no valid value, and nobody reads it.
_ABSENT: Final[Any] = None


def _describe_absence(schema: dict[str, Any]) -> None:
    schema["minProperties"] = 1
    for field in schema["properties"].values():
        del field["default"]


class PostFields(_Body):
    """What is to be changed in a post: one field at least; the others stay as they are."""

    model_config = ConfigDict(json_schema_extra=_describe_absence)

    title: Title = _ABSENT
    body: Text = _ABSENT
    status: Status = _ABSENT

    @model_validator(mode="after")
    def _change_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("give at least one of title, body and status")
        return self


class DataValue(RootModel[Preferences | FeatureFlags | OnboardingStatus]):
    """A value of the user's data, in the shape that belongs to the key."""


class CommandAccepted(BaseModel):
    """A command that is kept, and will be applied."""

    id: str = Field(description="of the post; of data, the key")
    event_id: str = Field(description="of the command, the same for every repeat of it")
    status_url: str = Field(
        description="a path of the API, which is another address: how far the command has come"
    )
    version: int = Field(
        description="when it was accepted, in milliseconds since 1970; what it changes has this"
        " `version`, or a later one, once it is applied"
    )


NEW_POST: Final[TypeAdapter[NewPost]] = TypeAdapter(NewPost)
POST_FIELDS: Final[TypeAdapter[PostFields]] = TypeAdapter(PostFields)
