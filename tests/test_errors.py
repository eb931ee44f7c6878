"""Errors are the same in another process, under their public name; azure-core comes with the first of its."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import pytest
from azure.core.exceptions import AzureError, ClientAuthenticationError

from azcert import errors
from azcert.errors import AuthenticationError, AzcertError, TransportError


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name != "unavailable"])
def test_an_error_is_the_same_in_another_process(name: str) -> None:
    kind: type[AzcertError] = getattr(errors, name)
    error = kind("It broke.", code="broken", remedy="Mend it.", place="here")
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - made right here
        assert type(twin) is kind
        assert str(twin) == "It broke. Mend it."
        assert twin.as_dict() == error.as_dict()
    assert (kind.__module__, kind.__qualname__) == ("azcert.errors", name)


def test_those_of_the_network_are_azure_cores_as_well() -> None:
    assert issubclass(TransportError, AzureError)
    assert issubclass(AuthenticationError, ClientAuthenticationError)


def test_azure_core_is_imported_with_the_first_of_them() -> None:
    program = (
        "import sys; from azcert import errors; errors.CertificateError('x', code='y'); "
        "assert 'azure' not in sys.modules; errors.TransportError; print('azure.core' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'azcert\.errors' has no attribute 'Nothing'"):
        errors.Nothing  # noqa: B018
