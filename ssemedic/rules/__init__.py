"""One file per cause. A rule is a function from a case to findings, named like its cause.

`all_rules` imports every module of this package; a rule registers itself by the
decorator `rule`.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from ssemedic.case import Case
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Finding, Layer, Severity
from ssemedic.nginx import Route
from ssemedic.symptoms import Kind, Symptom

Check = Callable[[Case], Iterator[Finding]]
Configured = Callable[[Route, Endpoint], Iterator[Finding]]

_registered: dict[str, Rule] = {}
_configured: dict[str, Configured] = {}


@dataclass(frozen=True)
class Sign:
    """A kind of symptom that a cause explains; with ``statuses``, only these HTTP statuses."""

    kind: Kind
    statuses: tuple[int, ...] = ()

    def fits(self, symptom: Symptom) -> bool:
        """True if the symptom is one of these."""
        if symptom.kind is not self.kind:
            return False
        return not self.statuses or symptom.measured.get("status") in self.statuses


@dataclass(frozen=True)
class Rule:
    """One known cause. ``title`` is the sentence users read; ``text`` says why it matters."""

    id: str
    layer: Layer
    severity: Severity
    explains: tuple[Sign, ...]
    needs: tuple[str, ...]
    title: str
    text: str
    check: Check

    def explained(self, symptom: Symptom) -> bool:
        """True if this cause can explain the symptom."""
        return any(sign.fits(symptom) for sign in self.explains)

    @property
    def configured(self) -> Configured | None:
        """What an nginx configuration alone tells of this cause; None where it tells nothing."""
        return _configured.get(self.id)


def rule(
    *,
    layer: Layer,
    severity: Severity,
    explains: tuple[Sign | Kind, ...],
    needs: tuple[str, ...],
) -> Callable[[Check], Check]:
    """Register a check as the rule of its function's name.

    ``needs`` names the sections of `Evidence` without which the rule is skipped.
    """

    def register(check: Check) -> Check:
        title, _, text = inspect.getdoc(check).partition("\n\n")  # type: ignore[union-attr]
        name = check.__name__
        if name in _registered:
            raise ValueError(f"rule {name}: is registered twice, must be one")
        signs = tuple(sign if isinstance(sign, Sign) else Sign(sign) for sign in explains)
        _registered[name] = Rule(
            name, layer, severity, signs, needs, " ".join(title.split()), text, check
        )
        return check

    return register


def configured(check: Check) -> Callable[[Configured], Configured]:
    """Register what an nginx configuration alone, without a host, tells of a rule's cause.

    Such a finding is no diagnosis: on a host the measurement counts. It says by
    ``Finding.depends`` what it takes, beside the configuration, to hurt.
    """

    def register(look: Configured) -> Configured:
        _configured[check.__name__] = look
        return look

    return register


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, by layer and name."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    order = list(Layer)
    return tuple(sorted(_registered.values(), key=lambda r: (order.index(r.layer), r.id)))
