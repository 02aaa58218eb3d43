"""What every section of the configuration shares: its base, and the types of its keys."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[float, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]
NotNegative = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    """A table of the configuration file; an unknown key is an error, not a silent typo."""

    model_config = ConfigDict(extra="forbid", frozen=True)
