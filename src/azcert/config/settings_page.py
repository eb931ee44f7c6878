"""The page of settings, made from the tables that read them; ``docs/settings-reference.md`` is its output."""

from __future__ import annotations

from azcert.config.clients.aliases import ACCOUNT_HOSTS, ALIASES, FAMILIES, MEMBER_ALIASES
from azcert.config.clients.shape import CORE_KEYWORDS
from azcert.config.credentials.certificates import CERTIFICATE_KEYS
from azcert.config.credentials.default_chain import DEFAULT_KEYS, EXCLUSIONS
from azcert.config.credentials.flat import FLAT_KEYS
from azcert.config.credentials.identity_web import ITEM_KEYS, SOURCE_TYPES
from azcert.config.credentials.key_credentials import KEY_FORMS
from azcert.config.credentials.kinds import COMMON_KEYS, KINDS, SOURCE_NAMES
from azcert.config.environment import VARIABLES
from azcert.config.options import DIAGNOSTICS_KEYS, OPTION_KEYS, RETRY_ALIASES, RETRY_KEYS

__all__ = ["reference_page"]


def reference_page() -> str:
    """Return the page as Markdown."""
    lines = [
        "# Settings reference",
        "",
        "Generated from the code (`azcert.config.settings_page`); a test compares.",
        "",
        "## A client's section",
        "",
        f"Credential: {_list(FLAT_KEYS)}.",
        "",
        f"Of these, about certificates: {_list(CERTIFICATE_KEYS)}.",
        "",
        f"Options, in the section or in `Options`: {_list(OPTION_KEYS)}.",
        "",
        f"`Retry`: {_list(RETRY_KEYS)}.",
        "",
        f"`RetryOptions`, as Service Bus and Event Hubs have it: also {_list(tuple(RETRY_ALIASES))}.",
        "",
        f"`Diagnostics`: {_list(DIAGNOSTICS_KEYS)}.",
        "",
        f"azure-core's keywords, in any spelling of their words: {_list(tuple(CORE_KEYWORDS))}.",
        "",
        "## Credential sources",
        "",
        (
            f"`credential` and `CredentialSource` take, in any case and with or without `Credential`: "
            f"{_list(tuple(SOURCE_NAMES.values()))}. Each takes {_list(COMMON_KEYS)} besides its own keys."
        ),
        "",
        "| source | class | keys |",
        "|---|---|---|",
        *(
            f"| `{SOURCE_NAMES[name]}` | `{kind.cls}` | {_list(tuple(kind.keys))} |"
            for name, kind in KINDS.items()
        ),
        "",
        f"`DefaultAzureCredential` takes {_list((*DEFAULT_KEYS, *EXCLUSIONS))}.",
        "",
        "A `Credential` section without a source may hold a key:",
        "",
        "| keys | class |",
        "|---|---|",
        *(f"| {_list(tuple(form))} | `{cls}` |" for cls, form in KEY_FORMS),
        "",
        "## Items of ClientCredentials and ClientCertificates",
        "",
        f"`SourceType`: {_list(SOURCE_TYPES)}. Keys: {_list(ITEM_KEYS)}.",
        "",
        "## Exceptions to the rule of words",
        "",
        "| parameter | also |",
        "|---|---|",
        *(f"| `{name}` | {_list(aliases)} |" for name, aliases in ALIASES.items()),
        "",
        "A storage account may be given by `accountName` alone; its host is that of the service:",
        "",
        "| package | host |",
        "|---|---|",
        *(f"| `{package}` | `NAME.{host}.core.windows.net` |" for package, host in ACCOUNT_HOSTS.items()),
        "",
        "| value | becomes |",
        "|---|---|",
        *(f"| `{name}` | `{target}` |" for name, target in MEMBER_ALIASES.items()),
        "",
        "| package | keyword | becomes |",
        "|---|---|---|",
        *(
            f"| `{package}` | `{name}` | {f'`{target}`' if target else 'nothing'} |"
            for package, family in FAMILIES.items()
            for name, target in family.items()
        ),
        "",
        "## Environment variables",
        "",
        "| variable | meaning |",
        "|---|---|",
        *(f"| `{name}` | {meaning} |" for name, meaning in sorted(VARIABLES.items())),
        "",
    ]
    return "\n".join(lines)


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
