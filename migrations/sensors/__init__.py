"""Sensors: what makes the server log every use of an element in the attic, made and removed by pgattic."""

from migrations.sensors.arming import (
    Armed,
    Disarmed,
    Selection,
    arm,
    arm_within,
    disarm,
    record_removed,
)
from migrations.sensors.present import SensorNow, armed_on, removal, removals
from migrations.sensors.targets import SensorKind

__all__ = [
    "Armed",
    "Disarmed",
    "Selection",
    "SensorKind",
    "SensorNow",
    "arm",
    "arm_within",
    "armed_on",
    "disarm",
    "record_removed",
    "removal",
    "removals",
]
