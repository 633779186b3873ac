"""Give a command the options of `training.options`, as Typer takes them."""

import inspect
from collections.abc import Callable, Sequence
from copy import copy
from types import GenericAlias
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand

from training.options import Option


def with_options(command: Callable[..., None], options: Sequence[Option]) -> Callable[..., None]:
    """Return the command with these options in place of its `**options`, before its own."""
    own = [
        parameter
        for parameter in inspect.signature(command).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]

    def with_all(**given: Any) -> None:
        command(**given)

    with_all.__name__, with_all.__doc__ = command.__name__, command.__doc__
    cast(Any, with_all).__signature__ = inspect.Signature([*map(_parameter, options), *own])
    return with_all


class CommandWithOptions(TyperCommand):
    """A command whose help shows the defaults of a run.

    They are looked up only then: `training.config` takes too long to import for every other command.
    """

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        from training.options import run_default

        self.params = [copy(parameter) for parameter in self.params]
        for parameter in self.params:
            if parameter.default is None:
                parameter.default = run_default(str(parameter.name))
        super().format_help(ctx, formatter)


def _parameter(option: Option) -> inspect.Parameter:
    flags = [option.flag, *option.aliases]
    kind: Any = option.type
    settings: dict[str, Any] = {}
    if option.kind == "value" and not isinstance(option.type, type):
        kind, settings = Any, {"parser": option.type}
    elif option.kind == "values":
        kind = GenericAlias(list, (option.type,))
    elif option.kind == "switch":
        flags = [f"{option.flag}/--no-{option.flag.removeprefix('--')}"]
    information = typer.Option(
        *flags, help=option.help, rich_help_panel=option.group, metavar=option.metavar, **settings
    )
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=option.default,
        annotation=Annotated[kind if option.default is not None else kind | None, information],
    )
