"""One target under atheris, in a process of its own: libFuzzer ends the process it runs in.

`python -m tests.fuzz.fuzzing TARGET [libFuzzer's options and folders]`
"""

import random
import sys

import atheris

# What is instrumented is what coverage guides to: our readers, and the pure Python beneath them.
with atheris.instrument_imports(
    include=[
        "events",
        "services.ingest",
        "services.matcher.plan_decoding",
        "services.messaging.authority_events",
        "cloudevents.core",
        "joserfc",
        "json",
    ]
):
    from tests.fuzz.shaping import reshaped
    from tests.fuzz.targets import TARGETS


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Half of the inputs are spoilt byte by byte; in the others, JSON is changed as JSON, to get behind its parser."""
    chance = random.Random(seed)
    shaped = reshaped(data, chance) if chance.random() < 0.5 else None
    mutated: bytes = atheris.Mutate(data, most) if shaped is None else shaped
    return mutated[:most]


if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]], custom_mutator=mutate)
    atheris.Fuzz()
