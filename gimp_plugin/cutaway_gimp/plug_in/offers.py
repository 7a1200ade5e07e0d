"""What the dialog offers and says, made of the worker's facts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from cutaway_gimp.plug_in import phrases
from cutaway_gimp.plug_in.translation import _

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Facts = Mapping[str, Any]

__all__ = ["AUTO", "LOCAL", "Offer", "backends", "is_offered", "models", "notice"]

LOCAL = "local"
_RUNWARE = "runware"
AUTO = "auto"
_CLASSICAL = "classical"


class Offer(NamedTuple):
    """Something to choose: the argument's value, and what the dialog calls it."""

    value: str
    label: str


def backends(facts: Facts, current: str) -> list[Offer]:
    """Where the work can be done: the two that everyone has, and addresses that are in use."""
    offers = [Offer(LOCAL, _("This computer")), Offer(_RUNWARE, "Runware")]
    addresses = {facts["settings_backend"], current} - {LOCAL, _RUNWARE, ""}
    return offers + [Offer(address, address) for address in sorted(addresses)]


def models(facts: Facts, backend: str, current: str) -> list[Offer]:
    """The models that a backend has, and the current one whatever it is."""
    here = backend == LOCAL
    known = [one for one in facts["models"] if one["local" if here else "remote"]]
    offers = [Offer(AUTO, _("Automatic"))]
    offers += [Offer(one["name"], _model_label(one, here=here)) for one in known]
    if current not in {offer.value for offer in offers}:
        offers.append(Offer(current, current))
    return offers


def is_offered(facts: Facts, backend: str, model: str) -> bool:
    """Whether a model may be the backend's: it has it, or no one here knows it."""
    known = [one for one in facts["models"] if one["name"] == model]
    return not known or any(one["local" if backend == LOCAL else "remote"] for one in known)


def _model_label(model: Mapping[str, Any], *, here: bool) -> str:
    label: str = model["title"]
    if model["good_for"]:
        label = _("{model}: {purpose}").format(
            model=label, purpose=phrases.purpose(model["good_for"])
        )
    if here and not model["installed"]:
        label = _("{model} (not installed)").format(model=label)
    return label


def notice(facts: Facts, backend: str, model: str, count: int) -> str:
    """What the person should know before the work begins.

    Args:
        facts: The worker's.
        backend: The chosen one.
        model: The chosen one.
        count: How many layers there are.
    """
    if backend == LOCAL:
        return _of_this_computer(facts, model)
    sentences = [_where_it_goes(backend, count), _cost(facts, backend, model, count)]
    if not facts["key_found"]:
        sentences.append(
            _("No key for the service was found. Run this in a terminal first: {command}").format(
                command="cutaway login"
            )
        )
    return " ".join(sentences)


def _of_this_computer(facts: Facts, model: str) -> str:
    stays = _("Nothing leaves this computer.")
    here = [one for one in facts["models"] if one["local"]]
    chosen = next((one for one in here if one["name"] == model), None)
    if chosen is not None and not chosen["installed"]:
        advice = _("This model isn't installed. Run this in a terminal first: {command}")
        return advice.format(command=f"cutaway models pull {model}")
    if model == AUTO and not any(_is_trained(one) for one in here):
        advice = _(
            "No model is installed, so plain image processing finds the subject, which needs a "
            "plain background. For better results run this in a terminal: {command}"
        )
        return f"{stays} {advice.format(command='cutaway models pull u2netp')}"
    return stays


def _is_trained(model: Mapping[str, Any]) -> bool:
    return bool(model["installed"]) and model["name"] != _CLASSICAL


def _where_it_goes(backend: str, count: int) -> str:
    service = "Runware" if backend == _RUNWARE else backend
    if count == 1:
        return _("This layer leaves your computer: it is sent to {service}.").format(
            service=service
        )
    message = _("These {count} layers leave your computer: they are sent to {service}.")
    return message.format(count=count, service=service)


def _cost(facts: Facts, backend: str, model: str, count: int) -> str:
    name = facts["remote_auto"] if model == AUTO else model
    price = next((one["price"] for one in facts["models"] if one["name"] == name), None)
    if backend != _RUNWARE or price is None:
        return _("What it costs isn't known here; see the service's own prices.")
    cost = f"{Decimal(price) * count:f}"
    return _("It costs about ${cost}.").format(cost=cost)
